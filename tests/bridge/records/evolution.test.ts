/**
 * The schemas may grow and nothing else: each is compared with every version that was ever released
 * (schemas/history/<release>/). Mutated schemas show that the comparison can fail.
 */
import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { flatSchema, readFlat, writeFlat } from "../../../bridge/records/avro-record.ts";
import { makeEncoder } from "../../../bridge/records/encode.ts";
import { valueSchema } from "../../../bridge/records/schemas.ts";
import { channelOf } from "../../../bridge/records/topics.ts";
import { avroBreaks, jsonBreaks } from "./evolution.ts";
import { AT_MS, EVENTS } from "./samples.ts";
import { avroType, type Json, jsonValidator, readSchema, SCHEMAS } from "./validators.ts";

const HISTORY = join(SCHEMAS, "history");
const releases = (await readdir(HISTORY, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();
const released = (
  await Promise.all(
    releases.map(async (release) =>
      (await readdir(join(HISTORY, release))).sort().map((file) => [release, file] as const),
    ),
  )
).flat();

describe("against every release", () => {
  test("there is one", () => {
    expect(released.length).toBeGreaterThanOrEqual(11);
  });

  test.each(released)(
    "%s/%s: old readers and new ones read each other's records",
    async (release, file) => {
      const older = await readSchema(`history/${release}/${file}`);
      const newer = await readSchema(file);
      expect(file.endsWith(".avsc") ? avroBreaks(older, newer) : jsonBreaks(older, newer)).toEqual(
        [],
      );
    },
  );

  test.each(releases)("the validators of %s accept what is written today", async (release) => {
    const validators = new Map<string, ReturnType<typeof jsonValidator>>();
    for (const event of EVENTS) {
      for (const content of ["binary", "structured"] as const) {
        const options = { content, encoding: "json", layout: "split", prefix: "p" } as const;
        const { value } = makeEncoder({ ...options, schemaIds: IDS })(event, 1, "AUDIT.0", AT_MS);
        const { name } = valueSchema(channelOf(event.type), options);
        const file = `${name.replace("petrel.", "").toLowerCase()}.schema.json`;
        const validate =
          validators.get(file) ?? jsonValidator(await readSchema(`history/${release}/${file}`));
        validators.set(file, validate);
        validate(JSON.parse(value.subarray(5).toString()));
        expect(validate.errors).toBeNull();
      }
    }
  });

  test("a release is never changed afterwards", async () => {
    const sums = (await Bun.file(join(HISTORY, "SHA256SUMS")).text()).trim().split("\n");
    const found = await Promise.all(
      released.map(async ([release, file]) => {
        const bytes = await Bun.file(join(HISTORY, release, file)).bytes();
        return `${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}  ${release}/${file}`;
      }),
    );
    expect(found.sort()).toEqual(sums.sort());
  });
});

const IDS = { requests: 1, responses: 1, events: 1, alarms: 1, notices: 1, dlq: 1 };
const cloudevent = await readSchema("cloudevent.schema.json");
const notice = await readSchema("notice.schema.json");
const request = await readSchema("request.schema.json");
const noticeAvro = await readSchema("notice.avsc");

/** A copy, with one change. */
function changed(
  schema: Json,
  change: (copy: { properties: Json; required: string[]; fields: Json[] } & Json) => void,
): Json {
  const copy = JSON.parse(JSON.stringify(schema));
  change(copy);
  return copy;
}

describe("what may change", () => {
  test("a JSON property that is text and not required", () => {
    const grown = changed(notice, ({ properties }) => {
      properties.hint = { type: "string", description: "What to do about it." };
    });
    expect(jsonBreaks(notice, grown)).toEqual([]);
    const written = { notice: "gap", stream: "AUDIT", seq: 1, hint: "ask the operator" };
    expect(jsonValidator(notice)(written)).toBe(true);
    expect(jsonValidator(grown)({ notice: "gap", stream: "AUDIT", seq: 1 })).toBe(true);
  });

  test("words for people", () => {
    const reworded = changed(cloudevent, (copy) => {
      copy.description = "Other words.";
    });
    expect(jsonBreaks(cloudevent, reworded)).toEqual([]);
  });

  test("an Avro field with a default: read both ways, by a general codec and by ours", () => {
    const grown = changed(noticeAvro, ({ fields }) => {
      fields.push({ name: "hint", type: ["null", "string"], default: null });
    });
    expect(avroBreaks(noticeAvro, grown)).toEqual([]);
    const [older, newer] = [flatSchema(noticeAvro, "old"), flatSchema(grown, "new")];
    const said = { notice: "gap", stream: "AUDIT", seq: 1, reason: "packs" };
    const [was, is] = [writeFlat(older, said), writeFlat(newer, { ...said, hint: "ask" })];
    expect(readFlat(older, was, "old")).toMatchObject(said);
    expect(readFlat(newer, is, "new")).toMatchObject({ ...said, hint: "ask" });
    const [oldType, newType] = [avroType(noticeAvro), avroType(grown)];
    const forward: Json = oldType.fromBuffer(is, oldType.createResolver(newType));
    const backward: Json = newType.fromBuffer(was, newType.createResolver(oldType));
    expect(forward).toMatchObject({ reason: { string: "packs" } });
    expect(forward).not.toHaveProperty("hint");
    expect(backward).toMatchObject({ reason: { string: "packs" }, hint: null });
  });
});

describe("what may not", () => {
  test.each<[string, Json, Parameters<typeof changed>[1]]>([
    ["a property is removed", notice, ({ properties }) => void delete properties.reason],
    ["a type changes", notice, ({ properties }) => void (properties.seq = { type: "string" })],
    [
      "a type is widened",
      notice,
      ({ properties }) => void (properties.seq = { type: ["integer", "string"] }),
    ],
    [
      "a pattern changes",
      cloudevent,
      ({ properties }) => void (properties.tree = { type: "string" }),
    ],
    [
      "a new property is required",
      notice,
      ({ properties, required }) => {
        properties.hint = { type: "string" };
        required.push("hint");
      },
    ],
    ["a property becomes required", notice, ({ required }) => void required.push("reason")],
    ["a property is required no more", notice, ({ required }) => void required.pop()],
    [
      "a new property is no text",
      notice,
      ({ properties }) => void (properties.hint = { type: "integer" }),
    ],
    ["other properties are shut out", notice, (copy) => void (copy.additionalProperties = false)],
    ["a branch goes", request, (copy) => void (copy.anyOf as unknown[]).pop()],
  ])("JSON: %s", (_what, schema, change) => {
    expect(jsonBreaks(schema, changed(schema, change))).not.toEqual([]);
  });

  test.each<[string, Parameters<typeof changed>[1]]>([
    ["a field is removed", ({ fields }) => void fields.splice(5, 1)],
    ["a required field is removed", ({ fields }) => void fields.shift()],
    ["a type changes", ({ fields }) => void (fields[2] = { name: "seq", type: "string" })],
    [
      "a type is widened",
      ({ fields }) => void (fields[2] = { name: "seq", type: ["null", "long"], default: null }),
    ],
    [
      "a new field has no default",
      ({ fields }) => void fields.push({ name: "hint", type: "string" }),
    ],
    ["the record is renamed", (copy) => void (copy.name = "Remark")],
  ])("Avro: %s", (_what, change) => {
    expect(avroBreaks(noticeAvro, changed(noticeAvro, change))).not.toEqual([]);
  });
});

test("Avro's fields are those of the JSON schema, in its order", async () => {
  const { fields } = flatSchema(noticeAvro, "notice.avsc");
  expect(fields.map(({ name }) => name)).toEqual(Object.keys(notice.properties ?? {}));
});
