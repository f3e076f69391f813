/** Our schemas and our client on a real registry: registered, grown, refused, looked up. */
import { afterAll, describe, expect } from "bun:test";
import { makeEncoder } from "../../../bridge/records/encode.ts";
import { registerSchemas } from "../../../bridge/records/register.ts";
import { SchemaRegistry } from "../../../bridge/records/registry.ts";
import { type Format, type ValueSchema, valueSchema } from "../../../bridge/records/schemas.ts";
import type { TopicOptions } from "../../../bridge/records/topics.ts";
import { systemClock } from "../../../core/mod.ts";
import * as support from "../../support/registry.ts";
import { AT_MS, EVENTS } from "./samples.ts";
import type { Json } from "./validators.ts";

const test = await support.testWithRegistry();
const TIMEOUT_MS = 120_000;
const never = new AbortController().signal;

let server: Promise<support.SchemaRegistry> | undefined;

/** The registry all tests share, started by the first. */
function running(): Promise<support.SchemaRegistry> {
  server ??= support.startRegistry();
  return server;
}

async function client(): Promise<SchemaRegistry> {
  const { url } = await running();
  return new SchemaRegistry({ url, timeoutMs: 60_000, clock: systemClock });
}

afterAll(async () => {
  await (await server)?.[Symbol.asyncDispose]();
});

const MODES: readonly (Format & TopicOptions)[] = (["binary", "structured"] as const).flatMap(
  (content) =>
    (["json", "avro"] as const).flatMap((encoding) =>
      (["split", "one"] as const).map((layout) => ({
        content,
        encoding,
        layout,
        prefix: `${content}.${encoding}.${layout}`,
      })),
    ),
);

describe.each(MODES.map((mode) => [mode.prefix, mode] as const))("%s", (_name, mode) => {
  test(
    "registered twice, the ids are the same, and a record's leads to the schema it was written with",
    async () => {
      const registry = await client();
      const schemaIds = await registerSchemas(registry, mode, never);
      expect(await registerSchemas(registry, mode, never)).toEqual(schemaIds);
      const [event] = EVENTS;
      if (!event) throw new Error("no sample");
      const { value } = makeEncoder({ ...mode, schemaIds })(event, 1, "AUDIT.0", AT_MS);
      const stored = await registry.schemaOf(value.readUInt32BE(1), never);
      expect(stored).toEqual(JSON.parse(valueSchema("requests", mode).text));
    },
    TIMEOUT_MS,
  );
});

/** The schema with another field, or with one that is spoilt. */
function changed(
  schema: ValueSchema,
  change: (copy: Json & { properties: Json; fields: Json[] }) => void,
): ValueSchema {
  const copy = JSON.parse(schema.text);
  change(copy);
  return { ...schema, text: JSON.stringify(copy) };
}

async function setLevel(level: string): Promise<void> {
  const response = await fetch(`${(await running()).url}/config`, {
    method: "PUT",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    body: JSON.stringify({ compatibility: level }),
  });
  expect(response.status).toBe(200);
}

describe("under FULL_TRANSITIVE compatibility", () => {
  const avro = valueSchema("notices", { content: "binary", encoding: "avro" });
  const json = valueSchema("notices", { content: "binary", encoding: "json" });

  test(
    "schemas may grow by the rules of docs/records.md, and by no others",
    async () => {
      const registry = await client();
      await setLevel("FULL_TRANSITIVE");
      await registry.register("grown-avro-value", avro, never);
      await registry.register("grown-json-value", json, never);
      const field = { name: "hint", type: ["null", "string"], default: null };
      const grownAvro = changed(avro, ({ fields }) => void fields.push(field));
      await registry.checkCompatible("grown-avro-value", grownAvro, never);
      await registry.register("grown-avro-value", grownAvro, never);
      const grownJson = changed(
        json,
        ({ properties }) => void (properties.hint = { type: "string" }),
      );
      await registry.checkCompatible("grown-json-value", grownJson, never);
      await registry.register("grown-json-value", grownJson, never);

      const spoilt: [string, ValueSchema][] = [
        [
          "grown-avro-value",
          changed(avro, ({ fields }) => void fields.push({ name: "x", type: "string" })),
        ],
        [
          "grown-avro-value",
          changed(avro, ({ fields }) => void (fields[2] = { name: "seq", type: "string" })),
        ],
        [
          "grown-json-value",
          changed(json, ({ properties }) => void (properties.seq = { type: "string" })),
        ],
        [
          "grown-json-value",
          changed(json, (copy) => void (copy.required = ["notice", "stream", "seq", "reason"])),
        ],
      ];
      for (const [subject, schema] of spoilt) {
        await expect(registry.checkCompatible(subject, schema, never)).rejects.toMatchObject({
          code: "CONFIG_INVALID",
          message: expect.stringContaining(`subject "${subject}"`),
        });
        await expect(registry.register(subject, schema, never)).rejects.toMatchObject({
          code: "CONFIG_INVALID",
        });
      }
    },
    TIMEOUT_MS,
  );
});
