import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  bestThreshold,
  type Profile,
  probationRows,
  rank,
  type ScoredSeries,
  scaledSigmoid,
  scoreAt,
} from "../../eval/nab/score.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const STANDARD: Profile = { tpWeight: 1, fpWeight: 0.11, fnWeight: 1 };

/** A series of 1000 rows with detections at some of them; 150 rows are probation. */
function detecting(rows: readonly number[], windows: ScoredSeries["windows"]): ScoredSeries {
  const scores = new Float64Array(1000);
  for (const row of rows) scores[row] = 1;
  return { scores, windows };
}

function rawOf(set: readonly ScoredSeries[], profile = STANDARD): number {
  return scoreAt(rank(set), profile, 1).raw;
}

const window = [{ first: 500, last: 599 }];

describe("the benchmark's score", () => {
  test("probation is 15 percent, of 5000 rows at most", () => {
    expect([0, 1, 1000, 4032, 5000, 22_695].map(probationRows)).toEqual([0, 0, 150, 604, 750, 750]);
  });

  test("the sigmoid is the published one", () => {
    expect(scaledSigmoid(-1)).toBeCloseTo(0.98661, 5);
    expect(scaledSigmoid(0)).toBe(0);
    expect(scaledSigmoid(0.5)).toBeCloseTo(-0.84828, 5);
    expect(scaledSigmoid(3.1)).toBe(-1);
  });

  test("a detection at a window's start is worth all, later ones less, a miss costs", () => {
    expect(rawOf([detecting([500], window)])).toBeCloseTo(1, 12);
    expect(rawOf([detecting([550], window)])).toBeCloseTo(0.84828 / 0.98661, 4);
    expect(rawOf([detecting([599], window)])).toBeCloseTo(0.02499 / 0.98661, 4);
    expect(rawOf([detecting([], window)])).toBe(-1);
  });

  test("only the earliest detection in a window counts", () => {
    const rows = Array.from({ length: 50 }, (_, i) => 550 + i);
    expect(rawOf([detecting(rows, window)])).toBe(rawOf([detecting([550], window)]));
  });

  test("a false alarm costs all far away, little just behind a window, nothing in probation", () => {
    expect(rawOf([detecting([300, 500], window)])).toBeCloseTo(1 - 0.11, 12);
    expect(rawOf([detecting([500, 605], window)])).toBeCloseTo(1 - 0.11 * 0.15, 2);
    expect(rawOf([detecting([500, 950], window)])).toBeCloseTo(1 - 0.11, 4);
    expect(rawOf([detecting([149, 500], window)])).toBeCloseTo(1, 12);
  });

  test("normalised: 100 is perfect, 0 is silence", () => {
    const perfect = rank([detecting([500], window)]);
    expect(scoreAt(perfect, STANDARD, 1).normalised).toBeCloseTo(100, 10);
    expect(scoreAt(perfect, STANDARD, 2).normalised).toBe(0);
    const costly = { ...STANDARD, fnWeight: 2 };
    expect(scoreAt(perfect, costly, 2)).toMatchObject({ normalised: 0, raw: -2 });
    const quiet = rank([detecting([300], [])]);
    expect(scoreAt(quiet, STANDARD, 1)).toMatchObject({ normalised: 89, falseAlarms: 1 });
  });
});

describe("the sweep", () => {
  const score = fc.integer({ min: 0, max: 1000 }).map((mille) => mille / 1000);
  const series = fc
    .tuple(fc.array(score, { minLength: 60, maxLength: 120 }), fc.integer({ min: 12, max: 40 }))
    .map(([scores, first]) => ({ scores, windows: [{ first, last: first + 15 }] }));
  const sets = fc.array(series, { minLength: 1, maxLength: 4 });

  test("finds a threshold no other one beats", () => {
    const property = fc.property(sets, score, (set, other) => {
      const ranking = rank(set);
      const best = scoreAt(ranking, STANDARD, bestThreshold(ranking, STANDARD));
      expect(best.raw).toBeGreaterThanOrEqual(scoreAt(ranking, STANDARD, other).raw);
      expect(best.normalised).toBeWithin(0, 100 + 1e-9);
    });
    fc.assert(property, { seed, numRuns: 300 });
  });

  test("depends on the order of the scores only", () => {
    const property = fc.property(sets, (set) => {
      const squeezed = set.map((one) => ({
        ...one,
        scores: one.scores.map((value) => 0.3 + value / 4),
      }));
      const bestOf = (of: typeof set) => {
        const ranking = rank(of);
        return scoreAt(ranking, STANDARD, bestThreshold(ranking, STANDARD)).raw;
      };
      expect(bestOf(squeezed)).toBeCloseTo(bestOf(set), 9);
    });
    fc.assert(property, { seed, numRuns: 100 });
  });

  test("a score that is no number is never a detection", () => {
    const scores = new Float64Array(1000).fill(Number.NaN);
    const ranking = rank([{ scores, windows: window }]);
    expect(scoreAt(ranking, STANDARD, 1e-9).raw).toBe(-1);
  });
});
