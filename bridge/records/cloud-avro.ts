/**
 * The Avro event format of CloudEvents: a map of attributes, and the data as bytes. The specification's
 * schema has a recursive type for data in JSON, which we never write and some registries cannot store;
 * schemas/cloudevent.avsc leaves it out. What we write has the same bytes by either schema.
 */
import type { Attributes } from "./attributes.ts";
import { AvroReader, AvroWriter } from "./avro-codec.ts";

export const CLOUD_AVRO_TYPE = "application/cloudevents+avro";

/** Branches of an attribute's value: null, boolean, int, string, bytes. */
const VALUE_BRANCHES = 5;
const STRING_VALUE = 3;
/** Branches of the data: bytes, null; in the specification followed by others. */
const DATA_BRANCHES = 2;
const BYTES_DATA = 0;
const NULL_DATA = 1;

const writer = new AvroWriter();

export function writeCloudAvro(attributes: Readonly<Attributes>, data: string | undefined): Buffer {
  const names = Object.keys(attributes);
  writer.long(names.length);
  for (const name of names) {
    writer.string(name);
    writer.long(STRING_VALUE);
    writer.string(attributes[name] ?? "");
  }
  writer.long(0);
  writer.long(data === undefined ? NULL_DATA : BYTES_DATA);
  if (data !== undefined) writer.string(data);
  return writer.take();
}

/** Inverse of {@link writeCloudAvro}. Throws PROTOCOL_VIOLATION naming `place`. */
export function readCloudAvro(
  bytes: Uint8Array,
  place: string,
): { attributes: Attributes; data: string | undefined } {
  const reader = new AvroReader(bytes, place);
  const attributes: Attributes = {};
  for (let left = blockSize(reader); left > 0; left = blockSize(reader)) {
    for (; left > 0; left--) {
      const name = reader.string();
      if (reader.branch(VALUE_BRANCHES) !== STRING_VALUE)
        throw reader.malformed("has an attribute that is no text");
      attributes[name] = reader.string();
    }
  }
  const data = reader.branch(DATA_BRANCHES) === BYTES_DATA ? reader.string() : undefined;
  reader.end();
  return { attributes, data };
}

/** Entries in the next block of a map; a negative count is followed by the block's bytes. */
function blockSize(reader: AvroReader): number {
  const count = reader.long();
  if (count < 0) reader.long();
  return Math.abs(count);
}
