/** Which times metrics are read for: the window, and a past in which no incident was. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { joined, rangesOf } from "../../agents/metrics/past.ts";
import type { Range } from "../../agents/metrics/read.ts";
import type { Window } from "../../core/mod.ts";
import type { Series } from "../../streams/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const MINUTE_MS = 60_000;
const NOON_MS = Date.UTC(2026, 2, 13, 12);
const OPTIONS = { stepMs: MINUTE_MS, rangeMs: 2 * MINUTE_MS, lookbackMs: 60 * MINUTE_MS };
/** Minutes from noon. */
const between = (from: number, to: number): Window => {
  return { startMs: NOON_MS + from * MINUTE_MS, endMs: NOON_MS + to * MINUTE_MS };
};
const WINDOW = between(0, 5);

const minutesOf = (ranges: readonly Range[]) =>
  ranges.map(({ startMs, endMs }) => [
    (startMs - NOON_MS) / MINUTE_MS,
    (endMs - NOON_MS) / MINUTE_MS,
  ]);
const pointsOf = (ranges: readonly Range[]) =>
  ranges.flatMap(({ startMs, endMs, stepMs }) =>
    Array.from({ length: (endMs - startMs) / stepMs + 1 }, (_, at) => startMs + at * stepMs),
  );

describe("the ranges of a window", () => {
  test("without an incident: one, the look back and the window", () => {
    expect(minutesOf(rangesOf(WINDOW, OPTIONS, []))).toEqual([[-60, 5]]);
    const longer = { ...OPTIONS, lookbackMs: 90_000 };
    expect(minutesOf(rangesOf(WINDOW, longer, []))).toEqual([[-2, 5]]);
  });

  test("an incident that goes on is left out, and the past reaches back for as long as before", () => {
    const ranges = rangesOf(WINDOW, OPTIONS, [between(-30, 0)]);
    expect(minutesOf(ranges)).toEqual([
      [-91, -31],
      [1, 5],
    ]);
  });

  test("one that is over still shows for the span of a rate", () => {
    const ranges = rangesOf(WINDOW, OPTIONS, [between(-30, -10)]);
    expect(minutesOf(ranges)).toEqual([
      [-82, -31],
      [-8, 5],
    ]);
  });

  test("what has gone on for a week has become usual", () => {
    expect(minutesOf(rangesOf(WINDOW, OPTIONS, [between(-12_000, 0)]))).toEqual([[-60, 5]]);
  });

  test("many incidents: a few queries, and less of the past", () => {
    const many = Array.from({ length: 20 }, (_, at) => between(-5 * at - 3, -5 * at - 2));
    expect(rangesOf(WINDOW, OPTIONS, many)).toHaveLength(4);
  });

  // Together they are shorter than a week.
  test("whatever the incidents: the whole window, each time once and in order, none of theirs before", () => {
    const minute = fc.integer({ min: -1_500, max: 10 });
    const spans = fc.array(fc.tuple(minute, fc.integer({ min: 1, max: 200 })), { maxLength: 5 });
    const property = fc.property(
      spans,
      fc.integer({ min: 10_000, max: 90_000 }),
      (some, stepMs) => {
        const incidents = some.map(([from, length]) => between(from, from + length));
        const points = pointsOf(rangesOf(WINDOW, { ...OPTIONS, stepMs }, incidents));
        const apart = points.every((at, index) => index === 0 || at > (points[index - 1] ?? at));
        expect(apart).toBe(true);
        expect(points.at(-1)).toBe(WINDOW.endMs);
        const past = points.filter((at) => at <= WINDOW.startMs);
        const inWindow = points.length - past.length;
        expect(inWindow).toBe(Math.ceil((WINDOW.endMs - WINDOW.startMs) / stepMs));
        const shows = (at: number) =>
          incidents.some(({ startMs, endMs }) => at >= startMs && at < endMs + OPTIONS.rangeMs);
        expect(past.some(shows)).toBe(false);
      },
    );
    fc.assert(property, { seed });
  });
});

describe("series of several ranges", () => {
  const series = (service: string, timesMs: number[], instance?: string): Series => ({
    service,
    ...(instance === undefined ? {} : { instance }),
    metric: "cpu",
    unit: "%",
    timesMs,
    values: timesMs.map((time) => time / 10),
  });

  test("are one each, and those that came or went stay as they are", () => {
    const whole = joined([
      [series("a", [10, 20], "p1"), series("gone", [10])],
      [series("a", [50], "p1"), series("a", [50], "p2")],
    ]);
    expect(whole).toEqual([
      series("a", [10, 20, 50], "p1"),
      series("gone", [10]),
      series("a", [50], "p2"),
    ]);
  });

  test("two of one name are never mixed", () => {
    const whole = joined([
      [series("a", [10]), series("a", [11])],
      [series("a", [50]), series("a", [51])],
    ]);
    expect(whole.map(({ timesMs }) => timesMs)).toEqual([
      [10, 50],
      [11, 51],
    ]);
  });
});
