/**
 * What happened before: past incidents by what they looked like, so that a new one is shown beside those
 * it resembles, with the cause a person confirmed. Similarity is of sets: service, mechanism, and the
 * templates, metrics and rules of the evidence (Jaccard, "Étude comparative de la distribution florale",
 * 1901). Holds signatures, never evidence.
 */

import type { z } from "zod";
import type { SeenBefore } from "../../alarms/mod.ts";
import type { EvidenceJson } from "../sre/records.ts";
import type { Incident } from "./record.ts";

export interface Signature {
  readonly id: string;
  readonly at: string;
  readonly service: string;
  readonly mechanism: string;
  readonly cause: string;
  readonly isConfirmed: boolean;
  readonly features: ReadonlySet<string>;
}

type Evidence = readonly z.infer<typeof EvidenceJson>[];

/** What a new incident looks like. */
export interface Likeness {
  readonly service: string;
  readonly mechanism: string;
  readonly features: ReadonlySet<string>;
}

const SIGNATURES_MAX = 5_000;
const FEATURES_MAX = 60;
const SHOWN_MAX = 3;
const SIMILARITY_MIN = 0.5;
/** Shares of a likeness; together 1. */
const SAME_SERVICE = 0.3;
const SAME_MECHANISM = 0.3;
const SAME_FEATURES = 0.4;

export class IncidentMemory {
  readonly #known = new Map<string, Signature>();

  /** Learns an incident, or what became of it. The oldest of too many is forgotten. */
  take(incident: Incident): void {
    if (incident.kind !== "fault") return;
    this.#known.delete(incident.id);
    this.#known.set(incident.id, signatureOf(incident));
    if (this.#known.size <= SIGNATURES_MAX) return;
    for (const oldest of this.#known.keys().take(1)) this.#known.delete(oldest);
  }

  /** Incidents like it, from before `before` (ISO 8601), likeliest and latest first. */
  like(likeness: Likeness, own: string, before: string): SeenBefore[] {
    return [...this.#known.values()]
      .filter(({ id, at }) => id !== own && Date.parse(at) < Date.parse(before))
      .map((known) => ({ known, similarity: similarity(known, likeness) }))
      .filter((one) => one.similarity >= SIMILARITY_MIN)
      .sort(
        (a, b) =>
          b.similarity - a.similarity ||
          Number(b.known.isConfirmed) - Number(a.known.isConfirmed) ||
          Date.parse(b.known.at) - Date.parse(a.known.at),
      )
      .slice(0, SHOWN_MAX)
      .map(({ known: { id, at, cause, isConfirmed }, similarity: exact }) => {
        return { incident: id, at, cause, isConfirmed, similarity: Math.round(exact * 100) / 100 };
      });
  }
}

/** In [0, 1]; 1 for what looks the same. */
export function similarity(known: Likeness, other: Likeness): number {
  const shared = [...known.features].filter((one) => other.features.has(one)).length;
  const all = known.features.size + other.features.size - shared;
  return (
    (known.service === other.service ? SAME_SERVICE : 0) +
    (known.mechanism === other.mechanism ? SAME_MECHANISM : 0) +
    (all === 0 ? 0 : (SAME_FEATURES * shared) / all)
  );
}

/** What of the evidence comes back when the fault does: statements, metrics and rules, not values. */
export function featuresOf(evidence: Evidence): ReadonlySet<string> {
  const features = evidence.flatMap(({ finding }) => {
    const { kind, service, template, metric, rule, codeLocation } = finding;
    const what = template ?? metric ?? rule ?? codeLocation;
    return what === undefined ? [] : [Bun.hash(`${kind}\n${service}\n${what}`).toString(36)];
  });
  return new Set(features.slice(0, FEATURES_MAX));
}

function signatureOf(incident: Incident): Signature {
  const { id, openedAt, service, mechanism, judgement, evidence } = incident;
  return {
    id,
    at: openedAt,
    service,
    mechanism,
    cause: causeWords(incident),
    // Whoever rejected it and knew better has confirmed another cause.
    isConfirmed: judgement !== undefined && (judgement.isConfirmed || judgement.cause !== ""),
    features: featuresOf(evidence),
  };
}

function causeWords({ service, mechanism, judgement }: Incident): string {
  const own = `${service}: ${mechanism}`;
  if (!judgement) return own;
  if (judgement.isConfirmed) return judgement.cause || own;
  return (judgement.cause || `not ${own}`).slice(0, 500);
}
