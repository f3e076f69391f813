/**
 * Records as events: the inverse of the encoder, for replay and readers. What a record says twice must
 * agree, and what it does not say as the encoder would is refused with its place.
 */
import { messageOf } from "../../core/mod.ts";
import { SEQUENCE_HEADER, type StoredRecord, TREE_HEADER } from "../kafka/record.ts";
import { type Attributes, eventOf, type PlacedEvent, violation } from "./attributes.ts";
import { type FlatSchema, readFlat } from "./avro-record.ts";
import { JSON_TYPE } from "./body.ts";
import { CLOUD_AVRO_TYPE, readCloudAvro } from "./cloud-avro.ts";
import { CLOUD_JSON_TYPE, readCloudJson } from "./cloud-json.ts";
import { ATTRIBUTE_PREFIX, AVRO_TYPE } from "./encode.ts";
import { BODY, NOTICE } from "./schemas.ts";
import { channelOf, holdsNotices } from "./topics.ts";
import { SCHEMA_ID_HEADER, unframed } from "./wire.ts";

export interface DecodeOptions {
  /**
   * The schemas that data in Avro was written with, by their ids in the registry. Without it our own are
   * taken; with it an id it does not have is refused.
   */
  readonly writerSchemas?: ReadonlyMap<number, FlatSchema>;
}

interface Decoded {
  readonly attributes: Attributes;
  readonly data: string | undefined;
}

/** Reads a record back. Throws PROTOCOL_VIOLATION naming topic, partition, offset and what is wrong. */
export function decodeRecord(record: StoredRecord, options: DecodeOptions = {}): PlacedEvent {
  const { headers, key } = record;
  const place = `${record.topic}/${record.partition} offset ${record.offset}`;
  const { attributes, data } = read(record, place, options);
  const placed = eventOf(attributes, data, place);
  if (placed.event.key !== key) throw violation(place, "partitionkey", "is not the record's key");
  if (headers[SEQUENCE_HEADER] !== attributes.sequence || headers[TREE_HEADER] !== placed.tree)
    throw violation(place, "sequence", "is not what the headers say");
  return placed;
}

function read(record: StoredRecord, place: string, options: DecodeOptions): Decoded {
  const { headers, value } = record;
  const { schemaId, datum } = unframed(value, headers[SCHEMA_ID_HEADER], place);
  const contentType = headers["content-type"];
  if (contentType === CLOUD_JSON_TYPE) return readCloudJson(textOf(datum, place), place);
  if (contentType === CLOUD_AVRO_TYPE) return readCloudAvro(datum, place);
  if (contentType?.startsWith("application/cloudevents"))
    throw violation(place, "content-type", "is an event format we do not read");
  const attributes = attributesIn(headers, place);
  if (contentType === AVRO_TYPE)
    return avroDecoded(attributes, datum, place, writerSchema(schemaId, options, place));
  if (contentType !== undefined) attributes.datacontenttype = contentType;
  const text = textOf(datum, place);
  if (schemaId === undefined) return { attributes, data: text === "" ? undefined : text };
  return { attributes, data: fromJsonData(text, contentType, place) };
}

function attributesIn(headers: StoredRecord["headers"], place: string): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(ATTRIBUTE_PREFIX)) continue;
    const attribute = name.slice(ATTRIBUTE_PREFIX.length);
    if (attribute === "datacontenttype") throw violation(place, name, "belongs into content-type");
    attributes[attribute] = value;
  }
  return attributes;
}

function writerSchema(
  schemaId: number | undefined,
  { writerSchemas }: DecodeOptions,
  place: string,
): FlatSchema | undefined {
  if (schemaId === undefined || !writerSchemas) return undefined;
  const schema = writerSchemas.get(schemaId);
  if (!schema) throw violation(place, SCHEMA_ID_HEADER, `${schemaId} is of no schema we know`);
  return schema;
}

function avroDecoded(
  attributes: Attributes,
  datum: Buffer,
  place: string,
  written: FlatSchema | undefined,
): Decoded {
  if (holdsNotices(channelOf(attributes.type ?? ""))) {
    const notice = readFlat(written ?? NOTICE, datum, place);
    return {
      attributes: { ...attributes, datacontenttype: JSON_TYPE },
      data: JSON.stringify(notice),
    };
  }
  const { contenttype, text } = readFlat(written ?? BODY, datum, place);
  if (typeof contenttype === "string") attributes.datacontenttype = contenttype;
  return { attributes, data: typeof text === "string" ? text : undefined };
}

/** Inverse of the encoder's JSON for a registry's readers. */
function fromJsonData(
  text: string,
  contentType: string | undefined,
  place: string,
): string | undefined {
  if (text === "null") return undefined;
  if (contentType === JSON_TYPE) return text;
  try {
    const data: unknown = JSON.parse(text);
    if (typeof data === "string") return data;
  } catch (error) {
    throw violation(place, "value", `is no JSON: ${messageOf(error, 100)}`);
  }
  throw violation(place, "value", "is no text, and is not said to be JSON");
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array, place: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw violation(place, "value", "is no UTF-8");
  }
}
