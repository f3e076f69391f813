/** A pack's metas are read by one pattern where they are as we write them; it must agree with the schema. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { type AuditRecord, packRecords, RecordMeta, unpack, unpackBytes } from "../../a2a/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/);
const anyMeta = fc.record(
  {
    id: fc.stringMatching(/^[A-Za-z0-9._:-]{1,200}$/),
    side: fc.constantFrom("caller", "agent"),
    kind: fc.constantFrom("request", "response", "frame", "task", "alarm"),
    method: fc.stringMatching(/^[A-Za-z]{1,64}$/),
    caller: token,
    agent: token,
    instance: token,
    atMs: fc.oneof(fc.maxSafeNat(), fc.double({ min: 0, max: 1e13, noNaN: true })),
    traceparent: fc.stringMatching(/^0[0-9a-e]-[0-9a-f]{31}1-[0-9a-f]{15}1-[0-9a-f]{2}$/),
    frame: fc.stringMatching(/^[a-z]{1,16}$/),
  },
  { requiredKeys: ["id", "side", "kind", "method", "caller", "agent", "instance", "atMs"] },
);

/** What the schema alone makes of a line. */
function bySchema(line: string): RecordMeta | undefined {
  try {
    const read = RecordMeta.safeParse(JSON.parse(line));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

test("every record that is packed comes back as it was", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyMeta, fc.string({ unit: "binary" })), { maxLength: 5 }),
      (given) => {
        const records = given.map(([meta, text]): AuditRecord => {
          const body = text.toWellFormed().replace(/^\ufeff/, "");
          return { ...meta, bytes: Buffer.byteLength(body), body };
        });
        const pack = packRecords(records);
        expect(unpack(pack)).toEqual({ records });
        const packed = unpackBytes(pack).records;
        expect(packed.map(({ body }) => Buffer.from(body).toString())).toEqual(
          records.map(({ body }) => body),
        );
      },
    ),
    { seed, numRuns: 50 },
  );
});

test("a line that was changed anywhere means what the schema says it means", () => {
  const change = fc.record({
    at: fc.nat(400),
    remove: fc.nat(3),
    insert: fc.oneof(
      fc.string({ maxLength: 3 }),
      fc.constantFrom('"', "\\u0041", ",", "0", " ", "é"),
    ),
  });
  fc.assert(
    fc.property(anyMeta, change, (meta, { at, remove, insert }) => {
      const body = "";
      const line =
        new TextDecoder().decode(packRecords([{ ...meta, bytes: 0, body }])).split("\n")[0] ?? "";
      const place = at % line.length;
      const changed = (line.slice(0, place) + insert + line.slice(place + remove)).replaceAll(
        "\n",
        "",
      );
      const expected = bySchema(changed);
      const { records } = unpack(Buffer.from(`${changed}\n${"x".repeat(expected?.bytes ?? 0)}\n`));
      const [read] = records;
      if (!expected || expected.bytes > 1_000) return;
      const { body: _, ...found } = read ?? { body: "" };
      expect(found).toEqual(expected);
    }),
    { seed, numRuns: 2_000 },
  );
});

test("a line the schema refuses is malformed", () => {
  const good = {
    id: "a",
    side: "caller",
    kind: "request",
    method: "M",
    caller: "c",
    agent: "a",
    instance: "i",
  };
  const lines = [
    { ...good, atMs: 1, bytes: -1 },
    { ...good, atMs: 2 ** 53, bytes: 0 },
    { ...good, id: "", atMs: 1, bytes: 0 },
    { ...good, atMs: 1, traceparent: `ff-${"1".repeat(32)}-${"1".repeat(16)}-01`, bytes: 0 },
    { ...good, atMs: 1, traceparent: `00-${"0".repeat(32)}-${"1".repeat(16)}-01`, bytes: 0 },
    { ...good, atMs: 1, frame: "Error", bytes: 0 },
  ].map((meta) => JSON.stringify(meta));
  const text = [
    '{"id":"a","side":"caller","kind":"request","method":"M","caller":"c","agent":"a","instance":"i","atMs":01,"bytes":0}',
  ];
  for (const line of [...lines, ...text]) {
    expect(bySchema(line)).toBeUndefined();
    expect(unpack(Buffer.from(`${line}\n\n`))).toMatchObject({
      records: [],
      malformed: { index: 0 },
    });
  }
});
