/**
 * One record of a task's log: events that became durable together, as one JetStream message. Its headers
 * say enough to list a task, to find its owner and to go on with its numbers without reading the body.
 */
import { StreamResponse } from "@a2a-js/sdk";
import type { MsgHdrs } from "@nats-io/nats-core";
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";
import { headersOf } from "../headers.ts";

/** Names of a record's headers, beside JetStream's own. */
export const RECORD_HEADER = {
  /** The replica that wrote it, and runs the task if it still runs. */
  owner: "a2a-owner",
  /** Which of that replica's attempts at the task wrote it: a number that no two have. */
  writer: "a2a-writer",
  /** Numbers of the first and the last event up to here; `last` is `first - 1` where there is none. */
  first: "a2a-first",
  last: "a2a-last",
  /** State of the task after it, as A2A names it; `MESSAGE` for a plain answer. */
  state: "a2a-state",
  /** The context's id, or its SHA-256 where that cannot stand in a header. */
  context: "a2a-context",
  /** The status's timestamp, ISO 8601. */
  at: "a2a-at",
} as const;

/** State in the header of an answer that made no task. */
export const ANSWERED_BY_MESSAGE = "MESSAGE";

/** How a turn came in: what a replica needs that runs it again, beside the message that ends the task's history. */
export const TurnJson = z.object({
  caller: z.string(),
  onBehalf: z.string().optional(),
  traceparent: z.string(),
  shardKey: z.string(),
  method: z.string(),
  deadlineMs: z.number(),
  /** 1, and one more each time a replica died in it. */
  attempt: z.number().int().min(1),
  /** The user's message and its context, where no task was told of yet. */
  message: z.unknown().optional(),
});

/** Parts of an artifact that were moved into the object store. */
const MovedJson = z.object({
  artifactId: z.string(),
  /** So many of its parts, from this place on, are now `part`. */
  at: z.number().int().min(0),
  parts: z.number().int().min(1),
  part: z.unknown(),
});

const EntryJson = z.union([
  z.object({ turn: TurnJson }),
  z.object({ moved: MovedJson }),
  z.object({ event: z.unknown() }),
]);

const BodyJson = z.object({ v: z.literal(1), entries: z.array(EntryJson).min(1) });

export type TurnEntry = z.infer<typeof TurnJson>;
export type MovedEntry = z.infer<typeof MovedJson>;

/** What a record holds: events have numbers, the others stand between them. */
export type Entry =
  | { readonly turn: TurnEntry }
  | { readonly moved: MovedEntry }
  | { readonly event: StreamResponse };

/** What the headers say. */
export interface RecordHead {
  readonly owner: string;
  readonly writer: number;
  readonly first: number;
  readonly last: number;
  readonly state: string;
  readonly context: string;
  readonly at: string;
}

export interface StoredRecord extends RecordHead {
  /** Sequence in the stream: what the next record has to name. */
  readonly seq: number;
  readonly entries: readonly Entry[];
}

/** An entry as it stands in a body. Events are coded once, for the log and the audit alike. */
export function entryJson(entry: Entry): string {
  if ("event" in entry) return `{"event":${JSON.stringify(StreamResponse.toJSON(entry.event))}}`;
  return JSON.stringify(entry);
}

/** Where an event's own JSON stands in its entry. */
export function eventJson(entry: string): string {
  return entry.slice('{"event":'.length, -1);
}

export function recordBody(entries: readonly string[]): string {
  return `{"v":1,"entries":[${entries.join(",")}]}`;
}

export function recordHeaders(head: RecordHead, more: Readonly<Record<string, string>>): MsgHdrs {
  return headersOf({
    [RECORD_HEADER.owner]: head.owner,
    [RECORD_HEADER.writer]: String(head.writer),
    [RECORD_HEADER.first]: String(head.first),
    [RECORD_HEADER.last]: String(head.last),
    [RECORD_HEADER.state]: head.state,
    [RECORD_HEADER.context]: head.context,
    [RECORD_HEADER.at]: head.at,
    ...more,
  });
}

/** Reads a record's headers. Throws PROTOCOL_VIOLATION naming the header. */
export function readHead(headers: MsgHdrs | undefined, place: string): RecordHead {
  const text = (name: string) => headers?.get(name) ?? "";
  const count = (name: string) => {
    const value = Number(text(name));
    if (text(name) === "" || !Number.isSafeInteger(value) || value < 0) {
      throw malformed(place, name, "no number");
    }
    return value;
  };
  const owner = text(RECORD_HEADER.owner);
  if (owner === "") throw malformed(place, RECORD_HEADER.owner, "missing");
  return {
    owner,
    writer: count(RECORD_HEADER.writer),
    first: count(RECORD_HEADER.first),
    last: count(RECORD_HEADER.last),
    state: text(RECORD_HEADER.state),
    context: text(RECORD_HEADER.context),
    at: text(RECORD_HEADER.at),
  };
}

/** Reads a record's body. Throws PROTOCOL_VIOLATION. */
export function readEntries(body: string, place: string): Entry[] {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    throw malformed(place, "body", "not JSON", error);
  }
  const parsed = BodyJson.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw malformed(place, issue?.path.join(".") ?? "body", issue?.message ?? "malformed");
  }
  return parsed.data.entries.map((entry) =>
    "event" in entry ? { event: StreamResponse.fromJSON(entry.event) } : entry,
  );
}

function malformed(place: string, field: string, what: string, cause?: unknown): PetrelError {
  return new PetrelError(
    "PROTOCOL_VIOLATION",
    `the log of a task: ${place}: ${field}: ${what}`,
    { place: `${place} ${field}` },
    cause,
  );
}
