import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { volumeRows } from "../../sim/mod.ts";
import { timeMsOfRow } from "./replay-support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const QUERY = {
  earliestMs: Date.parse("2026-03-13T14:20:00Z"),
  latestMs: Date.parse("2026-03-13T14:25:00Z"),
};

async function rowsOf(rows: number, withSeed = 1) {
  return (await Array.fromAsync(volumeRows({ rows, seed: withSeed })(QUERY))).flat();
}

describe("volume", () => {
  test("gives as many rows as asked for, newest first, inside the query's times", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 5_000 }), async (count) => {
        const times = (await rowsOf(count)).map(timeMsOfRow);
        expect(times.length).toBe(count);
        expect(times).toEqual([...times].sort((a, b) => b - a));
        expect(times.every((ms) => ms >= QUERY.earliestMs && ms < QUERY.latestMs)).toBe(true);
      }),
      { seed, numRuns: 25 },
    );
  });

  test("a row is about 450 bytes of JSON, and the seed decides its text", async () => {
    const rows = await rowsOf(2_000);
    const meanBytes = JSON.stringify(rows).length / rows.length;
    expect(meanBytes).toBeGreaterThan(420);
    expect(meanBytes).toBeLessThan(480);
    expect(await rowsOf(2_000)).toEqual(rows);
    expect(await rowsOf(2_000, 2)).not.toEqual(rows);
  });

  test("a count that is no count is refused by name", () => {
    expect(() => volumeRows({ rows: -1 })).toThrow(/rows: -1/);
    expect(() => volumeRows({ rows: Number.NaN })).toThrow(/rows: NaN/);
  });
});
