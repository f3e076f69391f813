/** Every record we make has the form its schema says, by the word of validators that are not ours. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import type { RecordMeta } from "../../../a2a/mod.ts";
import { CheckpointWriter } from "../../../bridge/checkpoints.ts";
import { encodeLedger } from "../../../bridge/ledger.ts";
import { readBody } from "../../../bridge/records/body.ts";
import { makeEncoder } from "../../../bridge/records/encode.ts";
import type { AuditEvent } from "../../../bridge/records/event.ts";
import { isJson } from "../../../bridge/records/event.ts";
import { type Format, valueSchema } from "../../../bridge/records/schemas.ts";
import { channelOf } from "../../../bridge/records/topics.ts";
import { silentLogger, systemClock } from "../../../core/mod.ts";
import specification from "./cloudevents-spec.json" with { type: "json" };
import { AT_MS, EVENTS, hostileEnvelope, hostileJson, SEED } from "./samples.ts";
import { avroType, type Json, jsonValidator, readSchema } from "./validators.ts";

const IDS = { requests: 1, responses: 2, events: 3, alarms: 4, notices: 5, dlq: 6 };
const FRAME_BYTES = 5;
const TOPICS = { layout: "split", prefix: "p", schemaIds: IDS } as const;

const schemas = new Map<string, Json>();

/** The schema that a registry would have under the id of the channel's values. */
function schemaOf(event: AuditEvent, format: Format): Json {
  const key = `${channelOf(event.type)} ${format.content} ${format.encoding}`;
  const schema = schemas.get(key) ?? JSON.parse(valueSchema(channelOf(event.type), format).text);
  schemas.set(key, schema);
  return schema;
}

/** The datum of an event's record, and its schema. */
function datum(event: AuditEvent, content: Format["content"], encoding: Format["encoding"]) {
  const { value } = makeEncoder({ content, encoding, ...TOPICS })(event, 42, "AUDIT.0", AT_MS);
  return { bytes: value.subarray(FRAME_BYTES), schema: schemaOf(event, { content, encoding }) };
}

const validators = new Map<unknown, ReturnType<typeof jsonValidator>>();

function checkJson(event: AuditEvent, content: "binary" | "structured"): void {
  const { bytes, schema } = datum(event, content, "json");
  const validate = validators.get(schema.$id) ?? jsonValidator(schema);
  validators.set(schema.$id, validate);
  const isValid = validate(JSON.parse(bytes.toString()));
  if (!isValid) expect(validate.errors).toBeNull();
}

describe("JSON", () => {
  test.each(["binary", "structured"] as const)("every event validates, %s", (content) => {
    for (const event of EVENTS) checkJson(event, content);
    const property = fc.property(hostileEnvelope(), (event) => checkJson(event, content));
    fc.assert(property, { seed: SEED, numRuns: 200 });
  });

  test("a body is JSON exactly when its schema admits it as an object", async () => {
    const kinds = ["request", "response", "frame", "task", "alarm"] as const;
    const fileOf = (kind: RecordMeta["kind"]) =>
      kind === "frame" || kind === "task" ? "event" : kind;
    const compiled = await Promise.all(
      kinds.map(async (kind) => {
        const validate = jsonValidator(await readSchema(`${fileOf(kind)}.schema.json`));
        return [kind, validate] as const;
      }),
    );
    const property = fc.property(nearlyRpc(), (body) => {
      const isObject = typeof body === "object" && body !== null;
      const text = JSON.stringify(body);
      for (const [kind, validate] of compiled)
        expect(isJson(readBody(kind, text))).toBe(isObject && validate(body));
    });
    fc.assert(property, { seed: SEED, numRuns: 400 });
  });

  test("the schemas can tell: what is none of ours does not validate", async () => {
    const refuses = async (file: string, values: unknown[]) => {
      const validate = jsonValidator(await readSchema(file));
      for (const value of values)
        expect([file, value, validate(value)]).toEqual([file, value, false]);
    };
    const event: Json = JSON.parse(
      datum(EVENTS[0] as AuditEvent, "structured", "json").bytes.toString(),
    );
    await refuses("cloudevent.schema.json", [
      { ...event, specversion: "0.3" },
      { ...event, partitionkey: "" },
      { ...event, contextid: "a\nb" },
      { ...event, anything: 1 },
    ]);
    await refuses("request.schema.json", [
      {},
      1,
      [],
      { jsonrpc: "2.0" },
      { jsonrpc: "2.0", method: "x", params: [] },
    ]);
    await refuses("response.schema.json", [
      { jsonrpc: "2.0", id: 1 },
      { jsonrpc: "2.0", result: 1 },
      { jsonrpc: "2.0", id: 1, error: {} },
    ]);
    await refuses("event.schema.json", [{}, { task: 1 }, { statusUpdate: [] }]);
    await refuses("notice.schema.json", [
      {},
      { notice: "gap", stream: "A" },
      { notice: "gap", stream: "A", seq: "1" },
    ]);
  });
});

/** JSON on the border of JSON-RPC: most of it right in most places. */
function nearlyRpc(): fc.Arbitrary<unknown> {
  const part = hostileJson();
  const rpc = fc.record(
    {
      jsonrpc: fc.constantFrom<unknown>("2.0", "2.0", "1.0", 2),
      id: fc.constantFrom<unknown>("x", 1, 1.5, null, true, {}),
      method: fc.constantFrom<unknown>("GetTask", 7),
      params: fc.oneof(fc.constant({}), part),
      result: part,
      error: fc.oneof(
        part,
        fc.record({ code: fc.constantFrom<unknown>(1, 1.5, "1"), message: fc.constant("no") }),
      ),
      task: part,
      statusUpdate: fc.oneof(fc.constant({}), part),
    },
    { requiredKeys: [] },
  );
  return fc.oneof(rpc, part);
}

describe("Avro", () => {
  const types = new Map<unknown, ReturnType<typeof avroType>>();

  function decoded(event: AuditEvent, content: "binary" | "structured"): unknown {
    const { bytes, schema } = datum(event, content, "avro");
    const type = types.get(schema.name) ?? avroType(schema);
    types.set(schema.name, type);
    const value: unknown = type.fromBuffer(bytes);
    // Bytes are the same as a general codec's: there is one encoding of a datum.
    expect(type.toBuffer(value).equals(bytes)).toBe(true);
    return JSON.parse(JSON.stringify(value));
  }

  test("a general codec reads every event, and would have written the same", () => {
    for (const event of EVENTS) {
      const structured = decoded(event, "structured");
      expect(structured).toMatchObject({ attribute: { id: { string: event.id } } });
      const binary = decoded(event, "binary");
      if (event.source === "/petrel/audit") expect(binary).toMatchObject({ stream: "AUDIT" });
      else
        expect(binary).toMatchObject({
          text: event.data === undefined ? null : { string: event.data },
        });
    }
  });

  test("the specification's own schema reads structured events", () => {
    const type = avroType(specification);
    for (const event of EVENTS) {
      const { bytes } = datum(event, "structured", "avro");
      const read: Json = type.fromBuffer(bytes);
      expect(type.toBuffer(read).equals(bytes)).toBe(true);
      expect(read).toMatchObject({ attribute: { type: { string: event.type } } });
    }
  });

  test("whatever a peer sends", () => {
    const property = fc.property(hostileEnvelope(), (event) => {
      decoded(event, "structured");
      decoded(event, "binary");
    });
    fc.assert(property, { seed: SEED, numRuns: 200 });
  });
});

test("the ledger's entries validate", async () => {
  const validate = jsonValidator(await readSchema("ledger.schema.json"));
  for (const leaves of [0, 1, 7]) {
    const bits = leaves.toString(2).replaceAll("0", "").length;
    const value = encodeLedger({
      tree: "AUDIT.0",
      first: 0,
      size: leaves,
      hashes: new Uint8Array(32 * leaves).fill(7),
      frontier: new Uint8Array(32 * bits).fill(9),
      nextSeq: 12,
      atMs: AT_MS,
    });
    validate(JSON.parse(value.toString()));
    expect(validate.errors).toBeNull();
  }
});

test("checkpoints as the file and the webhook get them validate", async () => {
  const validate = jsonValidator(await readSchema("checkpoint.schema.json"));
  const dir = await mkdtemp(join(tmpdir(), "petrel-checkpoint-"));
  const posted: unknown[] = [];
  await using server = Bun.serve({
    port: 0,
    fetch: async (request) => {
      posted.push(await request.json());
      return new Response();
    },
  });
  try {
    const file = join(dir, "checkpoints.jsonl");
    const root = Buffer.alloc(32, 5).toString("base64");
    const writer = new CheckpointWriter({
      topic: "petrel.audit.checkpoints",
      sign: ({ tree, size }) => `petrel/${tree}\n${size}\n${root}\n\n— petrel AAAAAA==\n`,
      everyMs: 0,
      file,
      webhook: { url: server.url.href, timeoutMs: 5_000, headers: {} },
      clock: systemClock,
      log: silentLogger,
    });
    const due = writer.due("AUDIT.0", { size: 3, root: new Uint8Array(32), nextSeq: 4 });
    if (due) writer.publish(due);
    await writer.close();
    const written: unknown = JSON.parse(await Bun.file(file).text());
    for (const checkpoint of [written, ...posted]) {
      validate(checkpoint);
      expect(validate.errors).toBeNull();
    }
    expect(posted).toHaveLength(1);
    expect(validate({ tree: "AUDIT.0", note: "no note" })).toBe(false);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
