/**
 * One report of one envelope, and how reports are packed into one JetStream message.
 *
 * A pack is a sequence of `<meta as one JSON line>\n<body>\n`, the body's length in bytes standing in
 * the meta. Bodies travel as they were: nothing is escaped, so a pack costs what it holds and reads
 * well in `nats stream view`.
 */
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";

export const RecordMeta = z.object({
  /** Envelope id: the request's; `<id>.r` its response; `<id>.<n>` the n-th frame of its stream. */
  id: z.string().min(1).max(200),
  /** Which end reports. */
  side: z.enum(["caller", "agent"]),
  kind: z.enum(["request", "response", "frame"]),
  method: z.string().max(64),
  caller: z.string().max(128),
  agent: z.string().max(128),
  /** The reporting process. */
  instance: z.string().max(128),
  /** When the reporter saw it: milliseconds since the epoch, by the reporter's clock. */
  atMs: z.number(),
  traceparent: z.string().max(64).optional(),
  /** `error` frames and responses say so without their body being parsed. */
  frame: z.string().max(16).optional(),
  /** Length of the body, bytes of UTF-8. */
  bytes: z.number().int().min(0),
});
export type RecordMeta = z.infer<typeof RecordMeta>;

export interface AuditRecord extends RecordMeta {
  readonly body: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NEWLINE = 10;

/** Packs records; inverse of {@link unpackRecords}. */
export function packRecords(records: readonly AuditRecord[]): Uint8Array {
  let text = "";
  for (const { body, ...meta } of records) text += `${JSON.stringify(meta)}\n${body}\n`;
  return encoder.encode(text);
}

/** Unpacks a pack. Throws PROTOCOL_VIOLATION with the byte where it stopped making sense. */
export function unpackRecords(pack: Uint8Array): AuditRecord[] {
  const records: AuditRecord[] = [];
  let offset = 0;
  while (offset < pack.length) {
    const lineEnd = pack.indexOf(NEWLINE, offset);
    const meta = lineEnd < 0 ? undefined : parseMeta(pack.subarray(offset, lineEnd));
    const bodyStart = lineEnd + 1;
    const bodyEnd = bodyStart + (meta?.bytes ?? 0);
    if (!meta || bodyEnd >= pack.length || pack[bodyEnd] !== NEWLINE) {
      throw new PetrelError(
        "PROTOCOL_VIOLATION",
        `audit pack: record ${records.length + 1} is malformed at byte ${offset}`,
        { place: `byte ${offset}`, record: records.length + 1 },
      );
    }
    records.push({ ...meta, body: decoder.decode(pack.subarray(bodyStart, bodyEnd)) });
    offset = bodyEnd + 1;
  }
  return records;
}

function parseMeta(line: Uint8Array): RecordMeta | undefined {
  try {
    return RecordMeta.parse(JSON.parse(decoder.decode(line)));
  } catch {
    return undefined;
  }
}
