import { expect, test } from "bun:test";
import * as fc from "fast-check";
import type { AuditRecord } from "../../a2a/mod.ts";
import { type AuditEntry, tallyAudit } from "../../bridge/mod.ts";
import { record } from "../support/audit-records.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

async function* entries(records: readonly AuditRecord[]): AsyncGenerator<AuditEntry> {
  for (const [index, each] of records.entries())
    yield { kind: "record", seq: 1, index, record: each };
}

const malformed = (seq: number): AuditEntry => ({
  kind: "malformed",
  seq,
  subject: "audit.x.y",
  reason: "junk",
});

test("nothing read, nothing counted", async () => {
  expect(await tallyAudit(entries([]))).toEqual({
    envelopes: 0,
    halfReported: 0,
    malformedPacks: 0,
    examples: [],
  });
});

test("two reports of one envelope are one envelope; one report is half", async () => {
  const tally = await tallyAudit(
    entries([
      record("one", "caller"),
      record("two", "agent"),
      record("one", "agent"),
      record("one.r", "agent"),
    ]),
  );
  expect(tally).toEqual({
    envelopes: 3,
    halfReported: 2,
    malformedPacks: 0,
    examples: ["agent:two", "agent:one.r"],
  });
});

test("one end that reports twice does not stand for the other", async () => {
  const tally = await tallyAudit(entries([record("one", "caller"), record("one", "caller")]));
  expect(tally).toMatchObject({ envelopes: 1, halfReported: 1, examples: ["caller:one"] });
});

test("malformed packs are counted, and what is around them too", async () => {
  async function* mixed(): AsyncGenerator<AuditEntry> {
    yield malformed(1);
    yield* entries([record("one", "caller"), record("one", "agent")]);
    yield malformed(3);
  }
  expect(await tallyAudit(mixed())).toMatchObject({
    envelopes: 1,
    halfReported: 0,
    malformedPacks: 2,
  });
});

test("an error of the reading is the tally's error: there is no count of a part", async () => {
  async function* cut(): AsyncGenerator<AuditEntry> {
    yield* entries([record("one", "caller")]);
    throw new Error("cut");
  }
  await expect(tallyAudit(cut())).rejects.toThrow("cut");
});

test("in whatever order reports come, the counts are the same", async () => {
  const sides = fc.constantFrom<readonly AuditRecord["side"][]>(
    ["caller"],
    ["agent"],
    ["caller", "agent"],
  );
  const reports = fc
    .array(sides, { maxLength: 60 })
    .map((all) => all.flatMap((of, at) => of.map((side) => record(`e${at}`, side))));
  const shuffled = reports.chain((all) =>
    fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }),
  );
  await fc.assert(
    fc.asyncProperty(shuffled, async (records) => {
      const byId = Map.groupBy(records, ({ id }) => id);
      const half = [...byId.values()].filter(({ length }) => length === 1).flat();
      const tally = await tallyAudit(entries(records));
      expect(tally).toMatchObject({ envelopes: byId.size, halfReported: half.length });
      expect(tally.examples.length).toBe(Math.min(10, half.length));
      const names = half.map(({ side, id }) => `${side}:${id}`);
      expect(names).toEqual(expect.arrayContaining([...tally.examples]));
    }),
    { seed },
  );
});
