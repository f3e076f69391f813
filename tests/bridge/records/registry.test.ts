/** Schemas in a registry: registered once, refused with the registry's reason, asked again while it is away. */
import { describe, expect, test } from "bun:test";
import { flatSchema } from "../../../bridge/records/avro-record.ts";
import { decodeRecord } from "../../../bridge/records/decode.ts";
import { makeEncoder } from "../../../bridge/records/encode.ts";
import { registerSchemas, subjectOf } from "../../../bridge/records/register.ts";
import { SchemaRegistry } from "../../../bridge/records/registry.ts";
import type { Format } from "../../../bridge/records/schemas.ts";
import { CHANNELS, type TopicOptions } from "../../../bridge/records/topics.ts";
import { systemClock } from "../../../core/mod.ts";
import { AT_MS, EVENTS } from "./samples.ts";
import { RegistryStandIn } from "./stand-in.ts";

const BINARY_JSON: Format & TopicOptions = {
  content: "binary",
  encoding: "json",
  layout: "split",
  prefix: "petrel.audit",
};
const never = new AbortController().signal;

function client(
  url: string,
  over: Partial<ConstructorParameters<typeof SchemaRegistry>[0]> = {},
): SchemaRegistry {
  return new SchemaRegistry({ url, timeoutMs: 10_000, clock: systemClock, ...over });
}

describe("registering", () => {
  test.each([
    ["binary", "json", "split", 6],
    ["binary", "avro", "split", 6],
    ["structured", "json", "split", 6],
    ["structured", "avro", "one", 2],
    ["binary", "json", "one", 6],
    ["binary", "avro", "one", 3],
  ] as const)(
    "%s %s in layout %s: %d subjects, and every record bears its schema's id",
    async (content, encoding, layout, count) => {
      await using registry = new RegistryStandIn();
      const options = { content, encoding, layout, prefix: "petrel.audit" };
      const schemaIds = await registerSchemas(client(registry.url), options, never);
      expect(registry.subjects.size).toBe(count);
      const encode = makeEncoder({ ...options, schemaIds });
      for (const [leaf, event] of EVENTS.entries()) {
        const record = encode(event, leaf, "AUDIT.0", AT_MS);
        expect(record.value[0]).toBe(0);
        const id = record.value.readUInt32BE(1);
        const subjects = [...registry.subjects].filter(([, versions]) =>
          versions.some((version) => version.id === id),
        );
        expect(
          subjects.map(([subject]) => subject).some((subject) => subject.startsWith(record.topic)),
        ).toBe(true);
      }
    },
  );

  test("again, it changes nothing, and a user who may only read is enough", async () => {
    await using registry = new RegistryStandIn();
    const first = await registerSchemas(client(registry.url), BINARY_JSON, never);
    registry.isReadOnly = true;
    expect(await registerSchemas(client(registry.url), BINARY_JSON, never)).toEqual(first);
    expect([...registry.subjects.values()].every((versions) => versions.length === 1)).toBe(true);
  });

  test("names subjects as readers expect", () => {
    const subjects = (options: Format & TopicOptions) =>
      new Set([...CHANNELS, "dlq" as const].map((channel) => subjectOf(channel, options)));
    expect(subjects(BINARY_JSON)).toContain("petrel.audit.requests-value");
    expect(subjects({ ...BINARY_JSON, layout: "one", encoding: "avro" })).toEqual(
      new Set([
        "petrel.audit-petrel.audit.Body",
        "petrel.audit-petrel.audit.Notice",
        "petrel.audit.dlq-value",
      ]),
    );
  });
});

describe("a schema that is not compatible", () => {
  test("is refused with subject and reason, and nothing is registered", async () => {
    await using registry = new RegistryStandIn();
    const schema = JSON.stringify({ type: "object", properties: { seq: { type: "string" } } });
    registry.subjects.set("petrel.audit.notices-value", [{ id: 1, schema, schemaType: "JSON" }]);
    const refusal = registerSchemas(client(registry.url), BINARY_JSON, never);
    await expect(refusal).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(
        'subject "petrel.audit.notices-value": petrel.Notice is not compatible',
      ),
      fields: { subject: "petrel.audit.notices-value", reason: expect.stringContaining("#") },
    });
    expect(registry.subjects.size).toBe(1);
  });

  test("of another type is refused", async () => {
    await using registry = new RegistryStandIn();
    await registerSchemas(client(registry.url), BINARY_JSON, never);
    const refusal = registerSchemas(
      client(registry.url),
      { ...BINARY_JSON, encoding: "avro" },
      never,
    );
    await expect(refusal).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("different schema type"),
    });
  });

  test("that the registry calls invalid is refused in its words", async () => {
    await using registry = new RegistryStandIn();
    registry.trouble.push({
      status: 422,
      body: '{"error_code":42201,"message":"Invalid schema\\n of type JSON"}',
    });
    await expect(registerSchemas(client(registry.url), BINARY_JSON, never)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message:
        'schema registry: subject "petrel.audit.requests-value": refused with 422: Invalid schema of type JSON',
    });
  });
});

describe("a registry in trouble", () => {
  test("is asked again while it is busy", async () => {
    await using registry = new RegistryStandIn();
    registry.trouble.push(
      { status: 503, body: "" },
      { status: 500, body: "<html>" },
      { status: 429, body: "" },
    );
    await registerSchemas(client(registry.url), BINARY_JSON, never);
    expect(registry.subjects.size).toBe(6);
  });

  test("that stays so is reported with what it said, at the deadline", async () => {
    await using registry = new RegistryStandIn();
    for (let n = 0; n < 1_000; n++)
      registry.trouble.push({
        status: 500,
        body: '{"error_code":50001,"message":"the store is away"}',
      });
    const failing = client(registry.url, { timeoutMs: 300 });
    await expect(registerSchemas(failing, BINARY_JSON, never)).rejects.toMatchObject({
      code: "OVERLOADED",
      message: "schema registry: answered 500: the store is away",
    });
  });

  test("that is not there, or never answers, is said to be so", async () => {
    const closed = new RegistryStandIn();
    const { url } = closed;
    await closed[Symbol.asyncDispose]();
    await expect(client(url, { timeoutMs: 300 }).register("s", AVRO, never)).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    await using silent = Bun.serve({
      port: 0,
      idleTimeout: 0,
      fetch: () => new Promise<Response>(() => {}),
    });
    await expect(
      client(silent.url.href, { timeoutMs: 300 }).register("s", AVRO, never),
    ).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    await expect(
      client(silent.url.href).register("s", AVRO, AbortSignal.timeout(50)),
    ).rejects.toMatchObject({ code: "CANCELLED" });
  });

  test.each([
    ["no JSON", "<html>", "PROTOCOL_VIOLATION"],
    ["an id that is none", '{"id":"7"}', "PROTOCOL_VIOLATION"],
    ["an id that does not fit a frame", '{"id":4294967296}', "PROTOCOL_VIOLATION"],
    ["without end", "x".repeat(1024 * 1024 + 1), "TOO_LARGE"],
  ])("that answers %s is not believed", async (_what, body, code) => {
    await using registry = new RegistryStandIn();
    registry.trouble.push({ status: 200, body });
    await expect(client(registry.url).register("s", AVRO, never)).rejects.toMatchObject({ code });
  });

  test("that redirects is not followed", async () => {
    await using registry = new RegistryStandIn();
    await using elsewhere = Bun.serve({ port: 0, fetch: () => Response.redirect(registry.url) });
    await expect(client(elsewhere.url.href).register("s", AVRO, never)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    expect(registry.asked).toEqual([]);
  });

  test("that refuses the credentials is not asked again, and they stay out of the error", async () => {
    await using registry = new RegistryStandIn();
    registry.trouble.push({ status: 401, body: '{"error_code":401,"message":"Unauthorized"}' });
    const known = client(registry.url, { user: "bridge", password: "s3cret:x" });
    const error: unknown = await known
      .register("s", AVRO, never)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(JSON.stringify(error)).not.toContain("s3cret");
    expect(registry.asked).toEqual(["POST /subjects/s bridge:s3cret:x"]);
  });
});

const AVRO = { kind: "AVRO", name: "x", text: '{"type":"record","name":"x","fields":[]}' } as const;

test("a record is read by the schema it was written with, looked up by its id", async () => {
  await using registry = new RegistryStandIn();
  const options = { ...BINARY_JSON, encoding: "avro" } as const;
  const known = client(registry.url);
  const schemaIds = await registerSchemas(known, options, never);
  const schema = flatSchema(await known.schemaOf(schemaIds.requests, never), "requests");
  expect(await known.schemaOf(9_999, never)).toBeUndefined();
  const [event] = EVENTS;
  if (!event) throw new Error("no sample");
  const record = makeEncoder({ ...options, schemaIds })(event, 1, "AUDIT.0", AT_MS);
  const stored = { ...record, partition: 0, offset: 0 };
  const writerSchemas = new Map([[schemaIds.requests, schema]]);
  expect(decodeRecord(stored, { writerSchemas }).event).toEqual(event);
  expect(() => decodeRecord(stored, { writerSchemas: new Map() })).toThrow("of no schema we know");
});
