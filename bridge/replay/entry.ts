/**
 * One record of the trail as whoever replays it reads it: the same value whether it came from Kafka or
 * was made again from JetStream.
 */
import type { StoredRecord } from "../kafka/record.ts";
import type { AuditEvent } from "../records/event.ts";
import { callOf } from "../records/ids.ts";

/** Where a record stands in Kafka. */
export interface KafkaPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Index in its tree, and the tree. */
  readonly leaf: number;
  readonly tree: string;
}

export interface TrailEntry {
  readonly event: AuditEvent;
  /** The message of the stream it comes from. */
  readonly seq: number;
  /** Where it stands among what that message brought; notices come behind the reports. */
  readonly index: number;
  /** Absent when it was read from JetStream. */
  readonly kafka?: KafkaPlace;
}

/** A record of Kafka that cannot be read as an event: never skipped in silence. */
export interface Unreadable {
  readonly kind: "unreadable";
  readonly place: string;
  readonly problem: string;
}

export type EntryKind = "request" | "response" | "frame" | "task" | "alarm" | "notice";

/** What a record is, by the event's type. */
export function kindOf({ event: { type } }: Pick<TrailEntry, "event">): EntryKind {
  if (type === "petrel.task.event.v1") return "task";
  if (type === "petrel.alarm.v1") return "alarm";
  if (!type.startsWith("petrel.a2a.")) return "notice";
  if (type.endsWith(".request.v1")) return "request";
  return type.endsWith(".response.v1") ? "response" : "frame";
}

/** The envelope a record is, or is about; undefined for a notice about a sender or the stream. */
export function envelopeOf({ event }: TrailEntry): string | undefined {
  return event.extensions.envelopeid;
}

/** The call an envelope belongs to. */
export function callOfEntry(entry: TrailEntry): string | undefined {
  const id = envelopeOf(entry);
  return id === undefined ? undefined : callOf(id);
}

/** Places of notices sort behind all reports of their message. */
const NOTICES_FROM = 1_000_000;
const EVENT_ID = /:(\d{1,16})\.([nr]?)(\d{1,9})$/;

/** The place in the stream that an event's id tells; undefined for an id that is not ours. */
export function placeInStream(eventId: string): { seq: number; index: number } | undefined {
  const [, seq, series, index] = EVENT_ID.exec(eventId) ?? [];
  if (seq === undefined || index === undefined) return undefined;
  return { seq: Number(seq), index: Number(index) + (series === "" ? 0 : NOTICES_FROM) };
}

/** The order of the stream. */
export function byPlace(one: TrailEntry, other: TrailEntry): number {
  return one.seq - other.seq || one.index - other.index;
}

/** `<topic>/<partition>/<offset>`. */
export function kafkaPlaceText({
  topic,
  partition,
  offset,
}: Pick<StoredRecord, "topic" | "partition" | "offset">): string {
  return `${topic}/${partition}/${offset}`;
}
