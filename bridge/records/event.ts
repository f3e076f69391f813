/**
 * The CloudEvent of an audit fact, as a value: what the encoder writes and the decoder reads back.
 * (CloudEvents 1.0.2, with the extensions partitioning, sequence, distributed tracing and dataref.)
 */
import type { RecordMeta } from "../../a2a/mod.ts";
import { parseTraceparent } from "../../core/mod.ts";
import type { Place } from "../mirror/fact.ts";
import { JSON_TYPE, readBody } from "./body.ts";
import { callOf, type Ids, idsOf, taskOfEvent } from "./ids.ts";
import { instantText, isTime, safeText } from "./text.ts";
import { channelOf, holdsNotices } from "./topics.ts";

export interface AuditEvent {
  readonly type: string;
  /** Unique in its stream, and the same whenever the stream is mirrored. */
  readonly id: string;
  readonly source: string;
  /** The task, when it is known. */
  readonly subject?: string;
  /** When it happened, by the reporter's clock: milliseconds since the epoch. */
  readonly timeMs: number;
  /** The record's key and the event's `partitionkey`; never empty. */
  readonly key: string;
  readonly traceparent?: string;
  /** Extension attributes: names of a-z and 0-9, values as {@link safeText} makes them. */
  readonly extensions: Readonly<Record<string, string>>;
  /** What the data is, also when it lies elsewhere; undefined when there is none. */
  readonly contentType: string | undefined;
  /** Undefined when there is none, and when `dataref` says where it is; never empty. */
  readonly data: string | undefined;
}

export interface EnvelopeInput {
  readonly meta: RecordMeta;
  /** The body as it may be shown: redacted. */
  readonly body: string;
  readonly place: Place;
  /** When JetStream stored the report: milliseconds since the epoch. */
  readonly atMs: number;
  /** Who reported first. */
  readonly reportedBy: RecordMeta["side"];
  readonly redactionVersion: string;
}

/** The event of an envelope: its first report, from whichever end. */
export function envelopeEvent(input: EnvelopeInput): AuditEvent {
  const { meta, body, place, atMs, reportedBy, redactionVersion } = input;
  const { contentType, json } = readBody(meta.kind, body);
  const ids = withTaskOfEvent(meta, idsOf(meta.method, meta.kind, json));
  const contextId = ids.contextId && safeText(ids.contextId);
  const taskId = ids.taskId && safeText(ids.taskId);
  const isTimely = isTime(meta.atMs);
  const outcome = outcomeOf(meta, json);
  const extensions: Record<string, string> = {
    envelopeid: safeText(meta.id),
    method: safeText(meta.method),
    caller: safeText(meta.caller),
    agent: safeText(meta.agent),
    reportedby: reportedBy,
    instance: safeText(meta.instance),
    redaction: safeText(redactionVersion),
    streamtime: streamText(atMs),
  };
  if (contextId) extensions.contextid = contextId;
  if (taskId) extensions.taskid = taskId;
  if (outcome) extensions.outcome = outcome;
  // A clock that says what no clock can is told in its own words.
  if (!isTimely) extensions.reportedms = safeText(String(meta.atMs));
  const traceparent = parseTraceparent(meta.traceparent) ? meta.traceparent : undefined;
  return {
    type: typeOf(meta),
    id: recordId(place),
    source: `/petrel/${safeText(meta.agent)}`,
    ...(taskId && { subject: taskId }),
    timeMs: Math.trunc(isTimely ? meta.atMs : atMs),
    key: contextId || taskId || safeText(callOf(meta.id)) || recordId(place),
    ...(traceparent && { traceparent }),
    extensions,
    contentType,
    data: body === "" ? undefined : body,
  };
}

/** The reports of a pack were stored at the same time. */
function streamText(ms: number): string {
  if (ms !== streamMs) {
    streamMsText = instantText(ms);
    streamMs = ms;
  }
  return streamMsText;
}
let streamMs = Number.NaN;
let streamMsText = "";

/** Where a body lies that is too large for a record. */
export interface BodyReference {
  /** A URI-reference, such as `nats-object:PETREL_BODIES/<sha256>`. */
  readonly dataref: string;
  /** Of the redacted body: hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * The event without its data, which lies where `dataref` says (CloudEvents' claim check). A notice keeps its
 * data, which is small by construction and always there.
 */
export function stubOf(event: AuditEvent, { dataref, sha256, bytes }: BodyReference): AuditEvent {
  const reference = {
    dataref: safeText(dataref),
    datasha256: safeText(sha256),
    databytes: String(bytes),
  };
  const data = holdsNotices(channelOf(event.type)) ? event.data : undefined;
  return { ...event, data, extensions: { ...event.extensions, ...reference } };
}

/** The id of a record that one report became: `<stream>:<sequence>.<index in the pack>`. */
export function recordId({ stream, seq, index }: Place): string {
  return `${safeText(stream)}:${seq}.${index}`;
}

/** True when the event's data is JSON. */
export function isJson(event: Pick<AuditEvent, "contentType">): boolean {
  return event.contentType === JSON_TYPE;
}

function typeOf({ kind, method }: RecordMeta): string {
  switch (kind) {
    case "request":
    case "response":
      return `petrel.a2a.${safeText(method)}.${kind}.v1`;
    case "frame":
      return `petrel.a2a.${safeText(method)}.event.v1`;
    case "task":
      return "petrel.task.event.v1";
    case "alarm":
      return "petrel.alarm.v1";
    default:
      kind satisfies never;
      return "";
  }
}

function withTaskOfEvent({ kind, id }: RecordMeta, ids: Ids): Ids {
  const taskId = ids.taskId ?? (kind === "task" ? taskOfEvent(id) : undefined);
  return taskId === undefined ? ids : { ...ids, taskId };
}

const FAILED = /^TASK_STATE_(?:FAILED|REJECTED)$/;

/** How it ended, as PCI DSS 10.2.2 asks of every event; a request has no outcome yet. */
function outcomeOf({ kind, frame }: RecordMeta, body: unknown): "ok" | "error" | undefined {
  if (kind === "request" || kind === "alarm") return undefined;
  if (frame === "error" || at(body, "error") !== undefined) return "error";
  const event = at(body, "result") ?? body;
  const task = at(event, "task") ?? at(event, "statusUpdate") ?? event;
  const state = at(at(task, "status"), "state");
  return typeof state === "string" && FAILED.test(state) ? "error" : "ok";
}

function at(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name) ?? undefined;
}
