import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { SeriesDetector } from "../../streams/mod.ts";
import {
  alarmsIn,
  DAY_POINTS,
  dailyLoad,
  feed,
  noise,
  START_MS,
  STEP_MS,
  whiteNoise,
} from "./series-fixtures.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);

/** Feeds ten days and returns the alarms from the third day on. */
function alarmsOf(values: readonly number[]): number[] {
  const detector = new SeriesDetector();
  return alarmsIn(detector, feed(detector, values)).filter((at) => at >= 2 * DAY_POINTS);
}

describe("faults", () => {
  const at = 8 * DAY_POINTS;

  test("a spike is found at its first point", () => {
    const values = dailyLoad(10 * DAY_POINTS);
    values[at + 100] = 300;
    expect(alarmsOf(values)).toEqual([at + 100]);
  });

  test("a value usual by day is an alarm by night", () => {
    const values = dailyLoad(10 * DAY_POINTS);
    const night = at + 216;
    values.fill(85, night, night + 12);
    const found = alarmsOf(values);
    expect(found[0]).toBeOneOf([night, night + 1, night + 2]);
  });

  test("a peak that does not come is found within two hours of its onset", () => {
    const values = dailyLoad(10 * DAY_POINTS);
    values.fill(14, at + 24, at + 120);
    const found = alarmsOf(values);
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]).toBeLessThan(at + 48);
  });

  test("a level that shifts is one alarm, and then the new level is known", () => {
    const values = whiteNoise(10 * DAY_POINTS).map((value, i) => (i < at ? value : value + 60));
    const found = alarmsOf(values);
    expect(found.length).toBeGreaterThan(0);
    expect(found.every((point) => point >= at && point < at + 12)).toBe(true);
  });

  test("noise that grows is found, though its mean stays", () => {
    const values = whiteNoise(10 * DAY_POINTS).map((value, i) =>
      i < at ? value : value * 3 - 200,
    );
    const detector = new SeriesDetector();
    const readings = feed(detector, values);
    expect(alarmsIn(detector, readings).some((point) => point >= at && point < at + 24)).toBe(true);
  });
});

describe("quiet", () => {
  test("a flat line is quiet, whatever its level, and so is a flicker on it", () => {
    for (const level of [0, 1, 100, -3, 1e9, 1e-9, 1e30]) {
      const values = Array.from({ length: 2000 }, (_, i) =>
        i % 500 === 499 ? level * 1.0005 : level,
      );
      expect(alarmsOf(values)).toEqual([]);
    }
  });

  test("a change on a flat line is news, unless it is below the smallest that matters", () => {
    const values = Array.from({ length: 2000 }, (_, i) => (i === 1800 ? 3 : 0));
    expect(alarmsOf(values)).toEqual([1800]);
    const coarse = new SeriesDetector({ changeMin: 10 });
    expect(alarmsIn(coarse, feed(coarse, values))).toEqual([]);
  });

  test("noise and a daily load have no more false alarms than was asked for", () => {
    const days = 40;
    let found = 0;
    for (let series = 1; series <= 4; series++) {
      found += alarmsOf(whiteNoise(days * DAY_POINTS, series)).length;
      found += alarmsOf(dailyLoad(days * DAY_POINTS, series)).length;
    }
    // 320 days at one a week are 46.
    expect(found).toBeLessThan(46);
  });

  test("a series that begins late is an alarm or two, not one a point", () => {
    const values = Array.from({ length: 6 * DAY_POINTS }, (_, i) => (i < 4 * DAY_POINTS ? 0 : 50));
    expect(alarmsOf(values).length).toBeLessThanOrEqual(2);
  });

  test("an outage of three days is no alarm when the series comes back as it was", () => {
    const detector = new SeriesDetector();
    const values = dailyLoad(14 * DAY_POINTS);
    const readings = values.map((value, i) =>
      i >= 9 * DAY_POINTS && i < 12 * DAY_POINTS
        ? undefined
        : detector.update(START_MS + i * STEP_MS, value),
    );
    const after = readings.slice(12 * DAY_POINTS).filter((reading) => reading !== undefined);
    expect(alarmsIn(detector, after)).toEqual([]);
  });
});

describe("season", () => {
  test("a daily season is found, and none where there is none", () => {
    const daily = feed(new SeriesDetector(), dailyLoad(10 * DAY_POINTS)).at(-1);
    const none = feed(new SeriesDetector(), whiteNoise(10 * DAY_POINTS)).at(-1);
    expect(daily?.seasonality).toBeGreaterThan(0.9);
    expect(none?.seasonality).toBeLessThan(0.4);
  });

  test("a weekend that differs is known from its second time on", () => {
    const values = dailyLoad(28 * DAY_POINTS).map((value, i) => {
      const weekday = Math.floor(i / DAY_POINTS) % 7;
      return weekday < 5 ? value : 0.3 * value;
    });
    const late = alarmsOf(values).filter((at) => at >= 14 * DAY_POINTS);
    expect(late.length).toBeLessThanOrEqual(2);
  });

  test("irregular steps and missing points do not hide a spike", () => {
    const random = noise(5);
    const detector = new SeriesDetector();
    const values = dailyLoad(10 * DAY_POINTS);
    values[8 * DAY_POINTS + 50] = 300;
    const readings = values.flatMap((value, i) => {
      if (random() < 0.2 && value < 200) return [];
      const timeMs = START_MS + (i + 0.8 * random()) * STEP_MS;
      return [{ value, ...detector.update(timeMs, value) }];
    });
    const threshold = detector.thresholdFor(1 / 7);
    const late = readings.slice(-2 * DAY_POINTS).filter(({ score }) => score >= threshold);
    expect(late.map(({ value }) => value)).toEqual([300]);
  });
});

describe("points that cannot be used", () => {
  test("NaN and infinities are skipped, said so, and leave no trace", () => {
    const clean = new SeriesDetector();
    const dirty = new SeriesDetector();
    const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    dailyLoad(4 * DAY_POINTS).forEach((value, i) => {
      const timeMs = START_MS + i * STEP_MS;
      const skipped = dirty.update(timeMs, bad[i % 3] ?? 0);
      expect(skipped).toMatchObject({ score: 0, skipped: "no number" });
      expect(dirty.update(timeMs, value)).toEqual(clean.update(timeMs, value));
    });
  });

  test("one point from the year 2099 is skipped; a clock that stays there is believed", () => {
    const detector = new SeriesDetector();
    const values = dailyLoad(3 * DAY_POINTS);
    feed(detector, values);
    const far = Date.UTC(2099, 0, 1);
    expect(detector.update(far, 50).skipped).toBe("clock");
    const next = START_MS + values.length * STEP_MS;
    expect(detector.update(next, values[0] ?? 0).skipped).toBeUndefined();
    const moved = feed(detector, values.slice(0, 10), far).map(({ skipped }) => skipped);
    expect(moved.slice(0, 3)).toEqual(["clock", "clock", "clock"]);
    expect(moved.slice(3).every((skipped) => skipped === undefined)).toBe(true);
  });

  test("a late point is skipped", () => {
    const detector = new SeriesDetector();
    feed(detector, dailyLoad(DAY_POINTS));
    expect(detector.update(START_MS, 50)).toMatchObject({ score: 0, skipped: "clock" });
  });

  test("a counter is judged by its rate, and a restart is no alarm", () => {
    const detector = new SeriesDetector({ kind: "counter" });
    const random = noise(9);
    let counter = 1e6;
    const readings = Array.from({ length: 10 * DAY_POINTS }, (_, i) => {
      counter = i % 1000 === 999 ? 0 : counter + 1000 + 100 * random();
      if (i === 9 * DAY_POINTS) counter += 20_000;
      return detector.update(START_MS + i * STEP_MS, counter);
    });
    expect(readings[0]?.skipped).toBe("first of a counter");
    expect(readings[999]?.skipped).toBe("reset");
    const found = alarmsIn(detector, readings).filter((at) => at > 2 * DAY_POINTS);
    expect(found).toEqual([9 * DAY_POINTS]);
  });

  test("one point, or many of one instant, judge nothing and break nothing", () => {
    const detector = new SeriesDetector();
    for (let i = 0; i < 100; i++) {
      expect(detector.update(START_MS, i)).toMatchObject({ score: 0, skipped: "warming up" });
    }
    expect(JSON.stringify(detector.snapshot()).length).toBeLessThan(1000);
  });
});

test("whatever comes, the score is in [0, 1] and nothing throws", () => {
  const anyTime = fc.oneof(
    fc.double(),
    fc.integer({ min: 0, max: 4000 }).map((step) => START_MS + step * STEP_MS),
  );
  const anyValue = fc.oneof(fc.double(), fc.integer({ min: -3, max: 3 }));
  const point = fc.tuple(anyTime, anyValue);
  const kind = fc.constantFrom("gauge" as const, "counter" as const);
  const property = fc.property(kind, fc.array(point, { maxLength: 300 }), (of, points) => {
    const detector = new SeriesDetector({ kind: of });
    feed(detector, dailyLoad(DAY_POINTS));
    for (const [timeMs, value] of points) {
      const { score, falseAlarmsPerDay } = detector.update(timeMs, value);
      expect(score).toBeWithin(0, 1 + Number.EPSILON);
      expect(falseAlarmsPerDay).toBeGreaterThanOrEqual(0);
    }
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("the unit of the values does not matter", () => {
  const values = dailyLoad(6 * DAY_POINTS, 3);
  values[1600] = 130;
  const scores = feed(new SeriesDetector(), values).map(({ score }) => score);
  for (const factor of [1024, 1 / 4096, -2]) {
    const scaled = feed(
      new SeriesDetector(),
      values.map((value) => value * factor),
    );
    expect(scaled.map(({ score }) => score)).toEqual(scores);
  }
});

test("a threshold for fewer false alarms is higher", () => {
  const detector = new SeriesDetector();
  const rates = [10, 1, 1 / 7, 1 / 30, 1 / 365, 0];
  const thresholds = rates.map((rate) => detector.thresholdFor(rate));
  expect(thresholds).toEqual([...thresholds].sort((a, b) => a - b));
  expect(thresholds.at(-1)).toBe(1);
  feed(detector, dailyLoad(2 * DAY_POINTS));
  const reading = feed(detector, [500], START_MS + 2 * DAY_POINTS * STEP_MS)[0];
  expect(detector.thresholdFor(reading?.falseAlarmsPerDay ?? 0)).toBeCloseTo(
    reading?.score ?? 0,
    9,
  );
});

test("options that make no sense are refused by name", () => {
  expect(() => new SeriesDetector({ changeMin: -1 })).toThrow("changeMin");
  expect(() => new SeriesDetector({ changeMin: Number.NaN })).toThrow("changeMin");
});
