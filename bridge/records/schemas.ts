/** The schemas of schemas/, and which one the values of a channel have. */

import alarm from "../../schemas/alarm.schema.json" with { type: "json" };
import bodyAvro from "../../schemas/body.avsc" with { type: "json" };
import cloudEventAvro from "../../schemas/cloudevent.avsc" with { type: "json" };
import cloudEvent from "../../schemas/cloudevent.schema.json" with { type: "json" };
import event from "../../schemas/event.schema.json" with { type: "json" };
import noticeAvro from "../../schemas/notice.avsc" with { type: "json" };
import notice from "../../schemas/notice.schema.json" with { type: "json" };
import request from "../../schemas/request.schema.json" with { type: "json" };
import response from "../../schemas/response.schema.json" with { type: "json" };
import { flatSchema } from "./avro-record.ts";
import { type Channel, holdsNotices } from "./topics.ts";

/** How events stand in Kafka. */
export interface Format {
  /** binary: attributes in headers, data in the value; structured: all of it in the value. */
  readonly content: "binary" | "structured";
  readonly encoding: "json" | "avro";
}

/** A schema as a registry wants it. */
export interface ValueSchema {
  readonly kind: "JSON" | "AVRO";
  /** Its full name: an Avro record's, or a JSON Schema's title. */
  readonly name: string;
  readonly text: string;
}

const JSON_DATA = {
  requests: request,
  responses: response,
  events: event,
  alarms: alarm,
  notices: notice,
  dlq: notice,
} as const satisfies Record<Channel, { readonly title: string }>;

export const BODY = flatSchema(bodyAvro, "body.avsc");
export const NOTICE = flatSchema(noticeAvro, "notice.avsc");

/** The schema of the values of `channel`. */
export function valueSchema(channel: Channel, { content, encoding }: Format): ValueSchema {
  if (encoding === "json") {
    const schema = content === "structured" ? cloudEvent : JSON_DATA[channel];
    return { kind: "JSON", name: schema.title, text: JSON.stringify(schema) };
  }
  const data = holdsNotices(channel) ? noticeAvro : bodyAvro;
  const schema = content === "structured" ? cloudEventAvro : data;
  const name = `${schema.namespace}.${schema.name}`;
  return { kind: "AVRO", name, text: JSON.stringify(schema) };
}
