/**
 * One report of one envelope, and how reports are packed into one JetStream message.
 *
 * A pack is a sequence of `<meta as one JSON line>\n<body>\n`, the body's length in bytes standing in
 * the meta. Bodies travel as they were: nothing is escaped, so a pack costs what it holds and reads
 * well in `nats stream view`. Every field of a meta is a token or a number, so that a reader may put
 * it into a header, a key or a subject as it is.
 */
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";

/** What an envelope's id may be made of: a request's id, and what is appended to it. */
const RECORD_ID = /^[A-Za-z0-9._:-]{1,200}$/;

// Patterns, not refinements by the functions of core: this is the border with the most traffic.
const Token = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const KINDS = ["request", "response", "frame", "task", "alarm"] as const;

export const RecordMeta = z.object({
  /**
   * The request's id; `<id>.r` its response; `<id>.<n>` the n-th frame of its stream;
   * `<taskId>.e<n>` the n-th event of a task.
   */
  id: z.string().regex(RECORD_ID),
  /** Which end reports. */
  side: z.enum(["caller", "agent"]),
  /** Both ends report request, response and frame; the agent alone a task's events and alarms. */
  kind: z.enum(KINDS),
  method: z.string().regex(/^[A-Za-z]{1,64}$/),
  caller: Token,
  agent: Token,
  /** The reporting process. */
  instance: Token,
  /** When the reporter saw it: milliseconds since the epoch, by the reporter's clock. */
  atMs: z.number().min(0).max(Number.MAX_SAFE_INTEGER),
  traceparent: z.string().regex(TRACEPARENT).optional(),
  /** `error` frames and responses say so without their body being parsed. */
  frame: z
    .string()
    .regex(/^[a-z]{1,16}$/)
    .optional(),
  /** Length of the body, bytes of UTF-8. */
  bytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
});
export type RecordMeta = z.infer<typeof RecordMeta>;

export interface AuditRecord extends RecordMeta {
  readonly body: string;
}

/** True for a string that may be a record's id. */
export function isRecordId(text: string): boolean {
  return RECORD_ID.test(text);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NEWLINE = 10;

/** The line that goes before a record's body. Four are made for every call. */
export function metaLine(record: AuditRecord): string {
  const { id, atMs, traceparent, frame, bytes } = record;
  const trace = traceparent === undefined ? "" : `,"traceparent":${JSON.stringify(traceparent)}`;
  const framed = frame === undefined ? "" : `,"frame":${JSON.stringify(frame)}`;
  return `{"id":${JSON.stringify(id)},${partiesOf(record)},"atMs":${JSON.stringify(atMs)}${trace}${framed},"bytes":${JSON.stringify(bytes)}}\n`;
}

type Parties = Pick<AuditRecord, "side" | "kind" | "method" | "caller" | "agent" | "instance">;

/** Who said what to whom is mostly what it was a moment ago: texts of the last few, newest first. */
let partiesMade: (Parties & { readonly text: string })[] = [];
const PARTIES_KEPT = 8;

function partiesOf({ side, kind, method, caller, agent, instance }: AuditRecord): string {
  for (const one of partiesMade) {
    const isSame =
      one.side === side &&
      one.kind === kind &&
      one.method === method &&
      one.caller === caller &&
      one.agent === agent &&
      one.instance === instance;
    if (isSame) return one.text;
  }
  const parties = { side, kind, method, caller, agent, instance };
  const text = JSON.stringify(parties).slice(1, -1);
  partiesMade = [{ ...parties, text }, ...partiesMade.slice(0, PARTIES_KEPT - 1)];
  return text;
}

/** Packs records; inverse of {@link unpackRecords}. */
export function packRecords(records: readonly AuditRecord[]): Uint8Array {
  let text = "";
  for (const record of records) text += `${metaLine(record)}${record.body}\n`;
  return encoder.encode(text);
}

/** Where a pack stopped making sense. */
export interface Malformation {
  /** Of the first record that cannot be read, from 0. */
  readonly index: number;
  /** `byte <n>` of the pack, where that record begins. */
  readonly place: string;
  /** From that byte to the pack's end. */
  readonly rest: Uint8Array;
}

export interface Unpacked<T> {
  readonly records: T[];
  readonly malformed?: Malformation;
}

/** A record whose body is still in its pack. */
export interface PackedRecord {
  readonly meta: RecordMeta;
  /** A view into the pack. */
  readonly body: Uint8Array;
}

/** Unpacks what can be read, in order, and says where reading ended if it was not the pack's end. */
export function unpack(pack: Uint8Array): Unpacked<AuditRecord> {
  const { records, ...rest } = unpackBytes(pack);
  return { records: records.map(withText), ...rest };
}

/** As {@link unpack}, for a reader that needs few of the bodies as text. */
export function unpackBytes(pack: Uint8Array): Unpacked<PackedRecord> {
  const records: PackedRecord[] = [];
  const { ends, malformed } = walk(pack, (meta, body) => records.push({ meta, body }));
  if (!malformed) return { records };
  const offset = ends.at(-1) ?? 0;
  const place = `byte ${offset}`;
  return { records, malformed: { index: ends.length, place, rest: pack.subarray(offset) } };
}

/** The record with its body as text: what is no UTF-8 becomes U+FFFD. */
export function withText({ meta, body }: PackedRecord): AuditRecord {
  return { ...meta, body: decoder.decode(body) };
}

/** Unpacks a pack. Throws PROTOCOL_VIOLATION with the byte where it stopped making sense. */
export function unpackRecords(pack: Uint8Array): AuditRecord[] {
  const { records, malformed } = unpack(pack);
  if (!malformed) return records;
  const record = malformed.index + 1;
  throw new PetrelError(
    "PROTOCOL_VIOLATION",
    `audit pack: record ${record} is malformed at ${malformed.place}`,
    { place: malformed.place, record },
  );
}

/** The offset after each record. Throws PROTOCOL_VIOLATION unless the pack is whole. */
export function recordEnds(pack: Uint8Array): number[] {
  const { ends, malformed } = walk(pack);
  if (!malformed) return ends;
  const place = `byte ${ends.at(-1) ?? 0}`;
  throw new PetrelError("PROTOCOL_VIOLATION", `audit pack: malformed at ${place}`, { place });
}

function walk(
  pack: Uint8Array,
  onRecord?: (meta: RecordMeta, body: Uint8Array) => void,
): { ends: number[]; malformed: boolean } {
  const ends: number[] = [];
  const bytes = Buffer.from(pack.buffer, pack.byteOffset, pack.byteLength);
  let offset = 0;
  while (offset < pack.length) {
    const lineEnd = pack.indexOf(NEWLINE, offset);
    const meta = lineEnd < 0 ? undefined : readMeta(bytes, offset, lineEnd);
    const bodyStart = lineEnd + 1;
    const bodyEnd = bodyStart + (meta?.bytes ?? 0);
    if (!meta || pack[bodyEnd] !== NEWLINE) return { ends, malformed: true };
    onRecord?.(meta, pack.subarray(bodyStart, bodyEnd));
    offset = bodyEnd + 1;
    ends.push(offset);
  }
  return { ends, malformed: false };
}

/**
 * A meta as {@link metaLine} writes it, which is what every pack of ours has: each group is what
 * {@link RecordMeta} says of its field, so that whatever matches is a meta, at a fifth of the time.
 */
const META_LINE = new RegExp(
  [
    `^\\{"id":"(${RECORD_ID.source.slice(1, -1)})","side":"(caller|agent)"`,
    `"kind":"(request|response|frame|task|alarm)","method":"([A-Za-z]{1,64})"`,
    `"caller":"([A-Za-z0-9_-]{1,128})","agent":"([A-Za-z0-9_-]{1,128})"`,
    `"instance":"([A-Za-z0-9_-]{1,128})","atMs":(0|[1-9][0-9]{0,14})`,
    `(?:"traceparent":"(${TRACEPARENT.source.slice(1, -1)})",)?(?:"frame":"([a-z]{1,16})",)?"bytes":(0|[1-9][0-9]{0,14})\\}$`,
  ].join(","),
);

/** The meta in `bytes[from, to)`; undefined when there is none. */
function readMeta(bytes: Buffer, from: number, to: number): RecordMeta | undefined {
  const found = META_LINE.exec(bytes.toString("latin1", from, to));
  if (!found) return parseMeta(bytes.subarray(from, to));
  const [kind, traceparent, frame] = [found[3], found[9], found[10]];
  const meta: RecordMeta = {
    id: found[1] ?? "",
    side: found[2] === "caller" ? "caller" : "agent",
    kind: KINDS.find((one) => one === kind) ?? "request",
    method: found[4] ?? "",
    caller: found[5] ?? "",
    agent: found[6] ?? "",
    instance: found[7] ?? "",
    atMs: Number(found[8]),
    bytes: Number(found[11]),
  };
  if (traceparent !== undefined) meta.traceparent = traceparent;
  if (frame !== undefined) meta.frame = frame;
  return meta;
}

function parseMeta(line: Uint8Array): RecordMeta | undefined {
  try {
    return RecordMeta.parse(JSON.parse(decoder.decode(line)));
  } catch {
    return undefined;
  }
}
