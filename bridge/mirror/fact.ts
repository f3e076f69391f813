/**
 * What the mirror says of the stream: an envelope seen for the first time, or something an auditor has
 * to know about. A fact becomes one Kafka record.
 */
import type { AuditRecord } from "../../a2a/mod.ts";

/** Where in the stream a fact comes from. `index` counts the records of a pack, and a message's notices. */
export interface Place {
  readonly stream: string;
  readonly seq: number;
  readonly index: number;
}

interface At {
  readonly place: Place;
  /** When JetStream stored the message: milliseconds since the epoch. */
  readonly timeMs: number;
}

/** First report of an envelope, or the only one of a task event or an alarm. */
export interface EnvelopeFact extends At {
  readonly kind: "envelope";
  readonly record: AuditRecord;
}

/** Only one end has reported this envelope, and the horizon has passed. */
export interface UnconfirmedFact extends At {
  readonly kind: "unconfirmed";
  readonly id: string;
  readonly side: AuditRecord["side"];
  /** Where its report is. */
  readonly first: Place;
  readonly firstMs: number;
}

/** The other end has reported it after all. */
export interface ConfirmedFact extends At {
  readonly kind: "confirmed";
  readonly id: string;
  readonly side: AuditRecord["side"];
  readonly first: Place;
  readonly firstMs: number;
}

/** A second report under the same id says something else. The first one stands. */
export interface ConflictFact extends At {
  readonly kind: "conflict";
  readonly record: AuditRecord;
  readonly first: Place;
}

/** Reports are missing: a sender's counters, or the stream's own, have a hole. */
export interface GapFact extends At {
  readonly kind: "gap";
  readonly reason: "stream" | "packs" | "count" | "dropped" | "resumed";
  /** The sender; empty when the stream itself has the hole. */
  readonly sender: string;
  readonly reporter: string;
  /** First and last number that is missing: of packs, or of stream sequences. */
  readonly from: number;
  readonly to: number;
  /** Reports that are missing, as far as it is known. */
  readonly missing: number | undefined;
}

/** A sender stopped without saying so. */
export interface SilenceFact extends At {
  readonly kind: "silence";
  readonly sender: string;
  readonly reporter: string;
  readonly lastMs: number;
  readonly packs: number;
  readonly reported: number;
}

/** What cannot be read, or lies about its reporter. Parked as it is. */
export interface PoisonFact extends At {
  readonly kind: "poison";
  readonly subject: string;
  readonly reason: string;
  readonly raw: Uint8Array;
}

export type Fact =
  | EnvelopeFact
  | UnconfirmedFact
  | ConfirmedFact
  | ConflictFact
  | GapFact
  | SilenceFact
  | PoisonFact;

/** Facts that say that the audit itself is not whole. */
export function isAlarming(fact: Fact): boolean {
  return fact.kind === "gap" || fact.kind === "silence" || fact.kind === "conflict";
}
