/**
 * Confluent's wire format: a zero, the schema's id in four bytes, the datum. A zero may begin other values
 * too, so a header says the id as well, and nobody has to guess.
 */
import { violation } from "./attributes.ts";

/** Present exactly on records whose value is framed; its text is the id in decimal. */
export const SCHEMA_ID_HEADER = "schema-id";

const FRAME_BYTES = 5;

/** `data` in a frame: text as UTF-8. */
export function framed(schemaId: number, data: string | Uint8Array): Buffer {
  const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.length;
  const value = Buffer.allocUnsafe(FRAME_BYTES + bytes);
  value[0] = 0;
  value.writeUInt32BE(schemaId, 1);
  if (typeof data === "string") value.write(data, FRAME_BYTES);
  else value.set(data, FRAME_BYTES);
  return value;
}

/** The datum and the schema's id, undefined without a frame. Throws PROTOCOL_VIOLATION. */
export function unframed(
  value: Buffer,
  header: string | undefined,
  place: string,
): { schemaId: number | undefined; datum: Buffer } {
  if (header === undefined) return { schemaId: undefined, datum: value };
  if (value.length < FRAME_BYTES || value[0] !== 0)
    throw violation(place, "value", "is not framed, though the header says so");
  const schemaId = value.readUInt32BE(1);
  if (String(schemaId) !== header) throw violation(place, SCHEMA_ID_HEADER, "is not the frame's");
  return { schemaId, datum: value.subarray(FRAME_BYTES) };
}
