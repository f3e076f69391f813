/**
 * Flat Avro records: what our own schemas are. A record is read by the schema it was written with, and
 * its fields are taken by name: that is Avro's schema resolution, for records whose fields are strings,
 * longs, and either of them or null.
 */
import { z } from "zod";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { AvroReader, AvroWriter } from "./avro-codec.ts";

const Scalar = z.enum(["string", "long"]);
const FlatSchema = z.object({
  type: z.literal("record"),
  name: z.string(),
  fields: z.array(
    z.object({
      name: z.string(),
      type: z.union([Scalar, z.tuple([z.literal("null"), Scalar])]),
    }),
  ),
});
export type FlatSchema = z.infer<typeof FlatSchema>;
type Field = FlatSchema["fields"][number];

export type FlatRecord = Readonly<Record<string, string | number | undefined>>;

/** Checks that a schema, ours or a registry's, is a flat record. Throws PROTOCOL_VIOLATION. */
export function flatSchema(schema: unknown, place: string): FlatSchema {
  const read = FlatSchema.safeParse(schema);
  if (read.success) return read.data;
  throw new PetrelError(
    "PROTOCOL_VIOLATION",
    `schema: ${place}: ${messageOf(read.error.issues[0]?.message)}`,
    { place },
  );
}

const writer = new AvroWriter();

/** Throws INTERNAL when a field without null has no value of its type. */
export function writeFlat(schema: FlatSchema, record: FlatRecord): Buffer {
  for (const { name, type } of schema.fields) {
    const value = record[name];
    const scalar = typeof type === "string" ? type : type[1];
    if (typeof type !== "string") writer.long(value === undefined ? 0 : 1);
    if (value === undefined && typeof type !== "string") continue;
    if (scalar === "string" && typeof value === "string") writer.string(value);
    else if (scalar === "long" && Number.isSafeInteger(value)) writer.long(Number(value));
    else {
      writer.take();
      throw new PetrelError("INTERNAL", `record: ${schema.name}.${name}: not a ${scalar}`, {
        field: name,
      });
    }
  }
  return writer.take();
}

/** Reads a record by the schema it was written with. Throws PROTOCOL_VIOLATION naming `place`. */
export function readFlat(schema: FlatSchema, bytes: Uint8Array, place: string): FlatRecord {
  const reader = new AvroReader(bytes, place);
  const record: Record<string, string | number | undefined> = {};
  for (const field of schema.fields) record[field.name] = readField(reader, field);
  reader.end();
  return record;
}

function readField(reader: AvroReader, { type }: Field): string | number | undefined {
  if (typeof type !== "string" && reader.branch(2) === 0) return undefined;
  return (typeof type === "string" ? type : type[1]) === "long" ? reader.long() : reader.string();
}
