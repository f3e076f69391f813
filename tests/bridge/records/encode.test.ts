/** Events into records and back, in every mode; what the binding of CloudEvents asks; what is refused. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as fc from "fast-check";
import type { KafkaRecord, StoredRecord } from "../../../bridge/kafka/record.ts";
import { decodeRecord } from "../../../bridge/records/decode.ts";
import {
  type EncoderOptions,
  makeEncoder,
  type SchemaIds,
} from "../../../bridge/records/encode.ts";
import type { AuditEvent } from "../../../bridge/records/event.ts";
import { topicsOf } from "../../../bridge/records/topics.ts";
import { AT_MS, ENVELOPES, EVENTS, envelope, hostileEnvelope, NOTICES, SEED } from "./samples.ts";

const IDS: SchemaIds = {
  requests: 1,
  responses: 2,
  events: 3,
  alarms: 4,
  notices: 5,
  dlq: 4_294_967_295,
};

const MODES: readonly EncoderOptions[] = (["binary", "structured"] as const).flatMap((content) =>
  (["json", "avro"] as const).flatMap((encoding) =>
    [undefined, IDS].map((schemaIds) => ({
      content,
      encoding,
      layout: "split" as const,
      prefix: "petrel.audit",
      ...(schemaIds && { schemaIds }),
    })),
  ),
);
const BINARY = encoder("binary", "json");
const STRUCTURED = encoder("structured", "json");

function encoder(content: "binary" | "structured", encoding: "json" | "avro") {
  const encode = makeEncoder({ content, encoding, layout: "split", prefix: "petrel.audit" });
  return (event: AuditEvent) => encode(event, 42, "AUDIT.0", AT_MS);
}

function stored(record: KafkaRecord): StoredRecord {
  return { ...record, partition: 3, offset: 17 };
}

describe.each(
  MODES.map(
    (mode) =>
      [
        `${mode.content} ${mode.encoding}${mode.schemaIds ? " with a registry" : ""}`,
        mode,
      ] as const,
  ),
)("%s", (_name, mode) => {
  const encode = makeEncoder(mode);

  test("what was written is read", () => {
    for (const [leaf, event] of EVENTS.entries()) {
      const record = encode(event, leaf, "AUDIT.0", AT_MS);
      expect(decodeRecord(stored(record))).toEqual({ event, leaf, tree: "AUDIT.0" });
    }
  });

  test("whatever a peer sends", () => {
    fc.assert(
      fc.property(hostileEnvelope(), fc.maxSafeNat(), (event, leaf) => {
        const record = encode(event, leaf % 1e15, "AUDIT.0", AT_MS);
        expect(decodeRecord(stored(record))).toEqual({ event, leaf: leaf % 1e15, tree: "AUDIT.0" });
        for (const value of Object.values(record.headers)) expect(value).toMatch(/^[ -~]+$/);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  test("the same event gives the same bytes", () => {
    for (const event of EVENTS)
      expect(encode(event, 1, "AUDIT.0", AT_MS)).toEqual(
        encode(structuredClone(event), 1, "AUDIT.0", AT_MS),
      );
  });

  test("a value that was cut or changed is refused, never another event", () => {
    const decoded = (record: StoredRecord): unknown => {
      try {
        return decodeRecord(record);
      } catch (error) {
        expect(error).toMatchObject({ code: "PROTOCOL_VIOLATION" });
        expect(String(error)).toContain("petrel.audit.requests/3 offset 17");
        return undefined;
      }
    };
    const [event] = ENVELOPES;
    if (!event) throw new Error("no sample");
    const record = stored(encode(event, 42, "AUDIT.0", AT_MS));
    for (let length = 0; length < record.value.length; length += 7)
      expect(decoded({ ...record, value: record.value.subarray(0, length) })).not.toEqual(
        decodeRecord(record),
      );
    for (const name of Object.keys(record.headers)) {
      const { [name]: _, ...headers } = record.headers;
      expect(decoded({ ...record, headers })).not.toEqual(decodeRecord(record));
    }
    expect(decoded({ ...record, key: "another" })).toBeUndefined();
  });
});

describe("binary mode", () => {
  test("is the Kafka binding of CloudEvents", () => {
    const [request] = ENVELOPES;
    if (!request) throw new Error("no sample");
    const record = BINARY(request);
    expect(record).toMatchObject({
      topic: "petrel.audit.requests",
      key: request.key,
      timestampMs: AT_MS,
    });
    expect(record.value.toString()).toBe(request.data ?? "");
    expect(record.headers).toEqual({
      "content-type": "application/json",
      ce_specversion: "1.0",
      ce_type: "petrel.a2a.SendMessage.request.v1",
      ce_id: "AUDIT:7.2",
      ce_source: "/petrel/splunk",
      ce_time: "2026-11-21T11:20:00.118Z",
      ce_partitionkey: request.key,
      ce_sequence: "0000000000000042",
      ce_tree: "AUDIT.0",
      ce_traceparent: "00-6b491a703738f869454603fd130885bc-e913207d9c139728-01",
      ce_envelopeid: "01a1fdac-6335-758a-8b0d-3e093653af57",
      ce_method: "SendMessage",
      ce_caller: "sre",
      ce_agent: "splunk",
      ce_reportedby: "caller",
      ce_instance: "i1",
      ce_redaction: "2026.1",
      ce_streamtime: "2026-11-21T11:20:00.123Z",
      ce_contextid: request.key,
    });
  });

  test("ids with line breaks make no header", () => {
    const contextId = "c\r\nce_outcome: ok";
    const params = { message: { contextId, taskId: "t\u0000" } };
    const { headers, key } = BINARY(envelope({ jsonrpc: "2.0", method: "SendMessage", params }));
    expect(key).toBe("c%0D%0Ace_outcome:%20ok");
    expect(headers).toMatchObject({ ce_contextid: key, ce_taskid: "t%00", ce_subject: "t%00" });
    expect(headers.ce_outcome).toBeUndefined();
  });
});

describe("structured mode", () => {
  test("is the JSON format of CloudEvents, with the body's own text inside", () => {
    const body = '{ "jsonrpc":"2.0", "method":"GetTask","x":1.0,"x":2e0 }';
    const { value, headers } = STRUCTURED(envelope(body));
    expect(headers).toEqual({
      "content-type": "application/cloudevents+json; charset=UTF-8",
      ce_sequence: "0000000000000042",
      ce_tree: "AUDIT.0",
    });
    expect(value.toString()).toContain(`"data":${body}}`);
    expect(JSON.parse(value.toString())).toMatchObject({
      specversion: "1.0",
      datacontenttype: "application/json",
      sequence: "0000000000000042",
      data: { method: "GetTask", x: 2 },
    });
  });

  test("members in any order and with any space are read", () => {
    const event = envelope({ jsonrpc: "2.0", method: "GetTask", params: { id: '}],{\\"' } });
    const record = stored(STRUCTURED(event));
    const members = Object.entries(JSON.parse(record.value.toString())).reverse();
    const text = members.map(
      ([name, value]) => ` ${JSON.stringify(name)}\n:\t${JSON.stringify(value)} `,
    );
    const value = Buffer.from(` {${text.join(",")}} `);
    expect(decodeRecord({ ...record, value }).event).toEqual(event);
  });

  test("what disagrees with the headers is refused", () => {
    const record = stored(STRUCTURED(envelope("?")));
    const headers = { ...record.headers, ce_sequence: "0000000000000043" };
    expect(() => decodeRecord({ ...record, headers })).toThrow(
      "sequence is not what the headers say",
    );
  });
});

test("an event with attributes that no factory makes is not written", () => {
  const event = envelope("?");
  const broken: Partial<AuditEvent>[] = [
    { id: "a\nb" },
    { key: "" },
    { extensions: { Upper: "x" } },
    { extensions: { data: "x" } },
    { extensions: { id: "x" } },
    { extensions: { a: "x\u0000" } },
    { extensions: { a: "" } },
    { timeMs: Number.NaN },
  ];
  for (const part of broken) {
    expect(() => BINARY({ ...event, ...part })).toThrow(
      expect.objectContaining({ code: "INTERNAL" }),
    );
    expect(() => STRUCTURED({ ...event, ...part })).toThrow(
      expect.objectContaining({ code: "INTERNAL" }),
    );
  }
});

test("layouts", () => {
  const prefix = "audit";
  const split = makeEncoder({ content: "binary", encoding: "json", layout: "split", prefix });
  const one = makeEncoder({ content: "binary", encoding: "json", layout: "one", prefix });
  const topics = (encode: typeof split) => [
    ...new Set(EVENTS.map((event) => encode(event, 0, "T", 0).topic)),
  ];
  expect(topicsOf({ prefix, layout: "split" }).sort()).toEqual(topics(split).sort());
  expect(topicsOf({ prefix, layout: "one" })).toEqual(topics(one));
  expect(topics(one)).toEqual(["audit", "audit.dlq"]);
});

test("docs/records.md shows what is written", async () => {
  const page = await Bun.file(join(import.meta.dir, "../../../docs/records.md")).text();
  const [request] = ENVELOPES;
  if (!request) throw new Error("no sample");
  for (const record of [BINARY(request), STRUCTURED(request)]) {
    const headers = Object.entries(record.headers).map(([name, value]) => `  ${name}: ${value}`);
    expect(page).toContain(
      `headers\n${headers.sort().join("\n")}\nvalue\n  ${record.value.toString()}\n`,
    );
    expect(page).toContain(`topic    ${record.topic}\nkey      ${record.key}\n`);
  }
  const [, notice = ""] = /^```json\n([^`]+)```$/m.exec(page) ?? [];
  expect(JSON.parse(notice)).toEqual(JSON.parse(NOTICES[3]?.data ?? ""));
});
