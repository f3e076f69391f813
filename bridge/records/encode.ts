/**
 * Events as Kafka records: the Kafka protocol binding of CloudEvents, binary or structured, in JSON or
 * Avro. A body's text goes into the value as it is; it is never parsed or written anew here.
 */
import type { KafkaRecord } from "../kafka/record.ts";
import { SEQUENCE_HEADER, TREE_HEADER } from "../kafka/record.ts";
import { type Attributes, attributeWriter } from "./attributes.ts";
import { writeFlat } from "./avro-record.ts";
import { CLOUD_AVRO_TYPE, writeCloudAvro } from "./cloud-avro.ts";
import { CLOUD_JSON_TYPE, writeCloudJson } from "./cloud-json.ts";
import { type AuditEvent, isJson } from "./event.ts";
import { BODY, type Format, NOTICE } from "./schemas.ts";
import { type Channel, channelOf, holdsNotices, type TopicOptions, topicOf } from "./topics.ts";
import { framed, SCHEMA_ID_HEADER } from "./wire.ts";

/** A registry's id for the schema of each channel. */
export type SchemaIds = Readonly<Record<Channel, number>>;

export interface EncoderOptions extends Format, TopicOptions {
  /** With ids, values go in Confluent's wire format. */
  readonly schemaIds?: SchemaIds;
}

/**
 * Makes the record of an event that is leaf number `leaf` of `tree`. `timestampMs` is when JetStream stored
 * the report. The same arguments give the same bytes. Throws INTERNAL for an event with attributes that
 * no factory of ours makes.
 */
export type Encode = (
  event: AuditEvent,
  leaf: number,
  tree: string,
  timestampMs: number,
) => KafkaRecord;

type Headers = Record<string, string>;
type Data = string | Uint8Array | undefined;

export const AVRO_TYPE = "application/avro";
export const ATTRIBUTE_PREFIX = "ce_";

const attributesOf = attributeWriter("");
const headersOf = attributeWriter(ATTRIBUTE_PREFIX);

export function makeEncoder(options: EncoderOptions): Encode {
  const { content, encoding, schemaIds } = options;
  const isAvro = encoding === "avro";
  return (event, leaf, tree, timestampMs) => {
    const channel = channelOf(event.type);
    const placed = { event, leaf, tree };
    let headers: Headers;
    let data: Data;
    if (content === "structured") {
      const attributes = attributesOf(placed);
      headers = structuredHeaders(attributes);
      headers["content-type"] = isAvro ? CLOUD_AVRO_TYPE : CLOUD_JSON_TYPE;
      if (event.contentType !== undefined) attributes.datacontenttype = event.contentType;
      data = (isAvro ? writeCloudAvro : writeCloudJson)(attributes, event.data);
    } else {
      headers = headersOf(placed);
      const contentType = isAvro ? AVRO_TYPE : event.contentType;
      if (contentType !== undefined) headers["content-type"] = contentType;
      data = isAvro ? avroData(channel, event) : schemaIds ? jsonData(event) : event.data;
    }
    const schemaId = schemaIds?.[channel];
    if (schemaId !== undefined) headers[SCHEMA_ID_HEADER] = String(schemaId);
    const value = valueOf(data, schemaId);
    return { topic: topicOf(channel, options), key: event.key, value, headers, timestampMs };
  };
}

/** A structured event repeats what the verifier looks for, so that it need not read the value. */
function structuredHeaders({ sequence = "", tree = "" }: Readonly<Attributes>): Headers {
  return { [SEQUENCE_HEADER]: sequence, [TREE_HEADER]: tree };
}

function avroData(channel: Channel, event: AuditEvent): Buffer {
  if (holdsNotices(channel)) return writeFlat(NOTICE, JSON.parse(event.data ?? "{}"));
  return writeFlat(BODY, { contenttype: event.contentType, text: event.data });
}

/** Data that is always JSON, as a registry's readers expect it: text as a string, none as null. */
function jsonData(event: AuditEvent): string {
  if (event.data === undefined) return "null";
  return isJson(event) ? event.data : JSON.stringify(event.data);
}

function valueOf(data: Data, schemaId: number | undefined): Buffer {
  if (schemaId !== undefined) return framed(schemaId, data ?? "");
  if (typeof data === "string") return Buffer.from(data);
  return data === undefined ? NOTHING : Buffer.from(data);
}

const NOTHING = Buffer.alloc(0);
