import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  adjustedPs,
  commonScore,
  fisherLeastP,
  fisherP,
  logGamma,
  median,
  normalOf,
  normalP,
  poissonP,
  quantile,
  scaledMad,
  zOfP,
} from "../../streams/stats.ts";
import { negativeBinomialP, tailP, upperTail } from "../../streams/tails.ts";
import { SEED } from "./detect-fixtures.ts";

const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), {
  minLength: 1,
  maxLength: 50,
});
const count = fc.integer({ min: 0, max: 300 });

describe("location and spread", () => {
  test("quantiles interpolate as R's type 7 does", () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(median([3, 1, Number.NaN, 2])).toBe(2);
    expect(median([])).toBeNaN();
  });

  test("the scaled MAD of a normal sample is its standard deviation, outliers or not", () => {
    expect(scaledMad([-2, -1, 0, 1, 2])).toBeCloseTo(1.4826, 4);
    expect(scaledMad([-2, -1, 0, 1, 1e9])).toBeCloseTo(1.4826, 4);
  });

  test("quantiles lie within the data and grow with q", () => {
    const property = fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (xs, q) => {
      const at = quantile(xs, q);
      expect(at).toBeGreaterThanOrEqual(Math.min(...xs));
      expect(at).toBeLessThanOrEqual(Math.max(...xs));
      expect(quantile(xs, Math.min(1, q + 0.1))).toBeGreaterThanOrEqual(at);
    });
    fc.assert(property, { seed: SEED });
  });

  test("a flat series has the floor as its spread", () => {
    expect(normalOf([5, 5, 5, 5], { relative: 0.1, absolute: 0.2 }).spread).toBe(0.5);
    expect(normalOf([0, 0, 0, 0], { relative: 0.1, absolute: 0.2 }).spread).toBe(0.2);
  });
});

describe("the normal distribution", () => {
  test("agrees with the tables", () => {
    expect(normalP(1.959964)).toBeCloseTo(0.05, 5);
    expect(normalP(3)).toBeCloseTo(0.0027, 4);
    expect(normalP(6) / 1.973e-9).toBeCloseTo(1, 2);
    expect(zOfP(0.05)).toBeCloseTo(1.96, 2);
    expect(zOfP(1)).toBe(0);
    expect(zOfP(Number.NaN)).toBe(0);
    expect(zOfP(0)).toBeLessThanOrEqual(37);
  });

  test("z and p are inverse", () => {
    const property = fc.property(fc.double({ min: 0.01, max: 30, noNaN: true }), (z) => {
      // 4 is where the two approximations of the tail meet.
      expect(Math.abs(zOfP(normalP(z)) - z)).toBeLessThan(0.01);
    });
    fc.assert(property, { seed: SEED });
  });
});

describe("tests of counts", () => {
  test("log gamma of n is the log of (n - 1) factorial", () => {
    expect(logGamma(1)).toBeCloseTo(0, 10);
    expect(logGamma(6)).toBeCloseTo(Math.log(120), 10);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 10);
  });

  test("Fisher's test: the lady tasting tea, four of four against none of four", () => {
    // Exact two-sided p is 2/70; mid-p gives the observed point half its weight on either side.
    expect(fisherP(4, 4, 0, 4)).toBeCloseTo(1 / 70, 10);
    expect(fisherP(2, 4, 2, 4)).toBeCloseTo(1, 10);
  });

  test("the least p of a table's margins is reached by its extreme tables", () => {
    expect(fisherLeastP(4, 4, 4)).toBeCloseTo(fisherP(4, 4, 0, 4), 10);
    const small = fc.integer({ min: 0, max: 30 });
    const property = fc.property(small, small, small, small, (a, extraA, b, extraB) => {
      const least = fisherLeastP(a + b, a + extraA, b + extraB);
      expect(fisherP(a, a + extraA, b, b + extraB)).toBeGreaterThanOrEqual(least - 1e-9);
    });
    fc.assert(property, { seed: SEED });
  });

  test("Poisson: ten against none in equal exposure is a run of ten heads", () => {
    expect(poissonP(10, 1, 0, 1)).toBeCloseTo(2 ** -10, 10);
    expect(poissonP(30, 3, 10, 1)).toBeGreaterThan(0.8);
    expect(poissonP(0, 1, 0, 1)).toBe(1);
  });

  test("every p is a probability, also beyond the exact range and on empty margins", () => {
    const any = fc.integer({ min: 0, max: 5_000 });
    const property = fc.property(any, any, any, any, (a, extraA, b, extraB) => {
      for (const p of [fisherP(a, a + extraA, b, b + extraB), poissonP(a, extraA, b, extraB)]) {
        expect(p).toBeGreaterThanOrEqual(0);
        expect(p).toBeLessThanOrEqual(1);
      }
    });
    fc.assert(property, { seed: SEED, numRuns: 50 });
  });

  test("the sides are exchangeable", () => {
    const property = fc.property(count, count, count, count, (a, extraA, b, extraB) => {
      const there = fisherP(a, a + extraA, b, b + extraB);
      expect(fisherP(b, b + extraB, a, a + extraA)).toBeCloseTo(there, 8);
      expect(poissonP(a, 2, b, 3)).toBeCloseTo(poissonP(b, 3, a, 2), 8);
    });
    fc.assert(property, { seed: SEED });
  });

  test("more events above what is expected are never less surprising", () => {
    const property = fc.property(fc.integer({ min: 1, max: 100 }), count, (b, more) => {
      expect(poissonP(b + more + 1, 1, b, 1)).toBeLessThanOrEqual(
        poissonP(b + more, 1, b, 1) + 1e-12,
      );
    });
    fc.assert(property, { seed: SEED });
  });

  test("the exact and the approximate range meet", () => {
    const exact = zOfP(poissonP(1_100, 1, 900, 1));
    const approximate = zOfP(poissonP(1_101, 1, 900, 1));
    expect(Math.abs(exact - approximate)).toBeLessThan(0.1);
  });
});

describe("many tests, one scale", () => {
  test("Benjamini and Hochberg's adjusted values", () => {
    const adjusted = adjustedPs([0.01, 0.04, 0.03, 0.5]);
    expect(adjusted.map((p) => Number(p.toFixed(4)))).toEqual([0.04, 0.0533, 0.0533, 0.5]);
  });

  test("adjusting keeps the order and never makes a p smaller", () => {
    const property = fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (ps) => {
      const adjusted = adjustedPs(ps);
      ps.forEach((p, at) => {
        expect(adjusted[at]).toBeGreaterThanOrEqual(p);
        ps.forEach((other, there) => {
          if (p < other) expect(adjusted[at] ?? 0).toBeLessThanOrEqual(adjusted[there] ?? 0);
        });
      });
    });
    fc.assert(property, { seed: SEED });
  });

  test("the common scale is monotone, bounded, and itself up to ten", () => {
    expect(commonScore(7)).toBe(7);
    expect(commonScore(100)).toBe(20);
    expect(commonScore(Number.NaN)).toBe(0);
    expect(commonScore(Number.POSITIVE_INFINITY)).toBeLessThanOrEqual(1_000);
    const any = fc.double({ noNaN: true });
    const property = fc.property(any, any, (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      expect(commonScore(low)).toBeLessThanOrEqual(commonScore(high));
    });
    fc.assert(property, { seed: SEED });
  });
});

describe("tails", () => {
  const exponential = Array.from({ length: 1_000 }, (_, at) => -Math.log((at + 0.5) / 1_000));

  test("an exponential history gives back its own probabilities", () => {
    const tail = upperTail(exponential, 1e-9);
    if (tail === undefined) throw new Error("no tail");
    expect(tail.threshold).toBeCloseTo(Math.log(10), 1);
    expect(tail.scale).toBeCloseTo(1, 1);
    for (const value of [3, 5, 8]) {
      expect(tailP(value, tail) / Math.exp(-value)).toBeWithin(0.7, 1.6);
    }
    expect(tailP(1, tail)).toBe(1);
  });

  test("few values never make anything certain, and a flat history has the width of its floor", () => {
    const few = upperTail(exponential.slice(0, 10), 1e-9);
    const flat = upperTail([5, 5, 5, 5], 2);
    if (few === undefined || flat === undefined) throw new Error("no tail");
    expect(tailP(1e6, few)).toBeGreaterThan(1e-8);
    expect(flat).toMatchObject({ threshold: 5, scale: 2 });
    expect(upperTail([5, 5, 5, 5], 2, 9)).toMatchObject({ scale: 2, excesses: 10 });
    expect(upperTail([], 1)).toBeUndefined();
    expect(upperTail([Number.NaN], 1)).toBeUndefined();
  });

  test("the negative binomial sums to its own tail, and nears Poisson's for a large size", () => {
    // Size 1 is geometric: P(X >= k) = (mean / (1 + mean))^k.
    expect(negativeBinomialP(5, 2, 1)).toBeCloseTo((2 / 3) ** 5, 9);
    // Poisson with mean 1: P(X >= 4) = 0.018988.
    expect(negativeBinomialP(4, 1, 1e7)).toBeCloseTo(0.018988, 4);
    expect(negativeBinomialP(1, 2, 1)).toBe(1);
    expect(negativeBinomialP(3, 0, 1)).toBe(0);
    const property = fc.property(count, count, (k, mean) => {
      const p = negativeBinomialP(k, mean, 3);
      expect(p).toBeGreaterThanOrEqual(0);
      expect(p).toBeLessThanOrEqual(1);
    });
    fc.assert(property, { seed: SEED });
  });
});
