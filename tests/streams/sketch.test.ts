import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { DurationSketch } from "../../streams/sketch.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const LEAST_MS = 0.001;

/** From a microsecond to ten days, as many short ones as long ones. */
const duration = fc
  .double({ min: Math.log(LEAST_MS), max: Math.log(8.64e8), noNaN: true })
  .map(Math.exp);
const durations = fc.array(fc.oneof(duration, fc.constant(0)), { minLength: 1, maxLength: 300 });

function sketchOf(values: readonly number[]): DurationSketch {
  const sketch = new DurationSketch();
  for (const value of values) sketch.add(value);
  return sketch;
}

/** The lower empirical quantile. */
function quantileOf(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? Number.NaN;
}

test("every quantile is within two percent of the true one", () => {
  const quantile = fc.double({ min: 0, max: 1, noNaN: true });
  const property = fc.property(durations, quantile, (values, q) => {
    const [exact, answer] = [quantileOf(values, q), sketchOf(values).quantile(q)];
    if (exact < LEAST_MS) expect(answer).toBe(0);
    else expect(Math.abs(answer - exact) / exact).toBeLessThanOrEqual(0.02 + 1e-9);
  });
  fc.assert(property, { seed, numRuns: 1_000 });
});

test("a sketch does not depend on the order of its durations", () => {
  const property = fc.property(durations, (values) => {
    const [forward, backward] = [sketchOf(values), sketchOf(values.toReversed())];
    expect(backward.count).toBe(forward.count);
    for (const q of [0, 0.1, 0.5, 0.9, 1]) expect(backward.quantile(q)).toBe(forward.quantile(q));
  });
  fc.assert(property, { seed, numRuns: 300 });
});

test("what is no duration: NaN is left out, negative is zero, endless is the longest", () => {
  expect(new DurationSketch().quantile(0.5)).toBeNaN();
  const sketch = sketchOf([Number.NaN, -5, 0, Number.POSITIVE_INFINITY]);
  expect(sketch.count).toBe(3);
  expect(sketch.quantile(0.5)).toBe(0);
  expect(sketch.quantile(1)).toBeGreaterThan(9e8);
  expect(sketch.quantile(1)).toBeLessThan(2e9);
});
