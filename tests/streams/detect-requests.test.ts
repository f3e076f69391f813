/** Metrics whose samples are about requests: mean latencies that must last, and shares of requests. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { alarmP, surprise } from "../../streams/detect/chance.ts";
import { servicesOf } from "../../streams/detect/exposure.ts";
import { detectMetrics } from "../../streams/detect/metrics.ts";
import { calibratedP, lastingSurprise, overRuns } from "../../streams/detect/persistence.ts";
import { isAnomalous } from "../../streams/detect/verdict.ts";
import type { Series } from "../../streams/model.ts";
import { SEED, series, WINDOW } from "./detect-fixtures.ts";

/** Normal numbers with the same seed each time; Box and Muller. */
function noise(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return (state + 0.5) / 2_147_483_648;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

function levels(mean: number, spread: number, length = 500, seed = 7): number[] {
  const next = noise(seed);
  return Array.from({ length }, () => mean + spread * next());
}

const detect = (all: Series[], options = {}) => detectMetrics(all, WINDOW, {}, 200, options);
const latency = (past: readonly number[], now: readonly number[]) =>
  series("search", "http_latency_mean", past, now, "ms");
const available = (past: readonly number[], now: readonly number[]) =>
  series("search", "availability", past, now, "%");
const requests = (count: number, now: number) =>
  series("search", "requests", Array(500).fill(count), Array(now).fill(count), "requests");

describe("a mean latency", () => {
  const past = levels(20, 1);

  test("that lasts is found; one slow sample of three is not", () => {
    const lasting = detect([latency(past, [21, 45, 44])]).findings[0];
    expect(lasting).toMatchObject({
      anomalous: true,
      direction: "up",
      resource: "latency",
      value: 44,
    });
    expect(lasting?.score).toBeGreaterThan(10);
    expect(isAnomalous(detect([latency(past, [21, 900, 20])]).findings)).toBe(false);
  });

  test("that fell, or rose by a twentieth, is none, however steady the past", () => {
    expect(detect([latency(past, [2, 2, 2])]).findings).toEqual([]);
    expect(detect([latency(Array(500).fill(20), [21, 21, 21])]).findings).toEqual([]);
  });

  test("with two modes may stay in the upper one for a while", () => {
    const modes = past.map((value, at) => (at % 7 === 0 ? 10 * value : value));
    expect(isAnomalous(detect([latency(modes, [200, 195, 205])]).findings)).toBe(false);
  });

  test("over a few requests is no mean", () => {
    const slow = latency(past, [60, 60, 60]);
    expect(isAnomalous(detect([slow, requests(100, 3)]).findings)).toBe(true);
    expect(isAnomalous(detect([slow, requests(2, 3)]).findings)).toBe(false);
    const broken = latency(levels(20, 1), [4_000, 4_000, 4_000]);
    const rule = (count: number) =>
      detect([broken, requests(count, 3)]).findings.filter((one) => one.kind === "rule").length;
    expect([rule(100), rule(2)]).toEqual([1, 0]);
  });

  test("after an incident in the past is held against normal, not against the incident", () => {
    const incident = past.map((value, at) => (at > 200 && at < 220 ? 60 : value));
    expect(isAnomalous(detect([latency(incident, [40, 41, 40])]).findings)).toBe(true);
  });

  test("that rose everywhere alike accuses none", () => {
    const all = Array.from({ length: 10 }, (_, at) => ({
      ...latency(levels(20, 1, 500, at + 1), [30, 30, 30]),
      service: `svc-${at}`,
    }));
    expect(isAnomalous(detect(all).findings)).toBe(false);
    const worse = { ...latency(past, [90, 90, 90]), service: "bad" };
    expect(detect([...all, worse]).findings[0]?.service).toBe("bad");
  });
});

describe("a default threshold", () => {
  const breaches = (past: number[], rules = {}) =>
    detectMetrics([latency(past, [3_100, 3_050, 3_000])], WINDOW, rules).findings.filter(
      ({ kind }) => kind === "rule",
    ).length;

  test("yields to a service that was always beyond it, or again and again; a set one holds", () => {
    expect(breaches(levels(3_000, 50))).toBe(0);
    expect(breaches(levels(20, 1).map((value, at) => (at % 20 === 0 ? 2_000 : value)))).toBe(0);
    expect(breaches(levels(3_000, 50), { defaults: { latencyMeanMsMax: 1_000 } })).toBe(1);
    expect(breaches(levels(3_000, 50), { services: { search: { latencyMeanMsMax: 1_000 } } })).toBe(
      1,
    );
  });

  test("holds after a first breach, and during an incident that goes on", () => {
    expect(breaches(levels(20, 1))).toBe(1);
    expect(breaches(levels(20, 1).map((value, at) => (at > 460 ? 2_500 : value)))).toBe(1);
  });
});

describe("availability", () => {
  const flat = Array(500).fill(100);

  test("that was 100 for ever: a few failures in most samples are found, one is not", () => {
    const found = (now: number[]) =>
      isAnomalous(detect([available(flat, now), requests(130, 3)]).findings);
    expect(found([97.7, 99.23, 100])).toBe(true);
    expect(found([99.23, 100, 100])).toBe(false);
    expect(found([40, 100, 100])).toBe(false);
    expect(found([100, 100, 100])).toBe(false);
  });

  test("says what failed, and what is normal", () => {
    const { findings } = detect([available(flat, [90, 90, 90]), requests(200, 3)]);
    expect(findings[0]).toMatchObject({ direction: "down", resource: "errors", baseline: 100 });
    expect(findings[0]?.value).toBeCloseTo(90, 6);
    expect(findings[0]?.summary).toBe("Availability at 90 %, normally 100 %.");
  });

  test("that always falls for some is judged by its own scatter, and by its requests", () => {
    const often = Array.from({ length: 500 }, (_, at) => (at % 5 === 0 ? 60 : 95));
    expect(isAnomalous(detect([available(often, [60, 60, 90]), requests(10, 3)]).findings)).toBe(
      false,
    );
    const half = (count: number) =>
      isAnomalous(detect([available(flat, [50, 50, 50]), requests(count, 3)]).findings);
    expect([half(100), half(0)]).toEqual([true, false]);
  });

  test("that never was is not worse", () => {
    const dead = Array(500).fill(0);
    expect(detect([available(dead, [0, 0, 0]), requests(5, 3)]).findings).toEqual([]);
  });

  test("without requests is a level like any other, and rates are turned into counts", () => {
    expect(detect([available(flat, [99.9, 99.9, 99.9])]).findings).toEqual([]);
    expect(isAnomalous(detect([available(flat, [10, 10, 10])]).findings)).toBe(true);
    const rate = series("search", "http_requests_rate", Array(500).fill(2), [2, 2, 2], "req/s");
    expect(isAnomalous(detect([available(flat, [90, 90, 90]), rate]).findings)).toBe(true);
  });
});

describe("the false-alarm rate", () => {
  test("is kept on noise, for a user who asks for few and for one who asks for many", () => {
    const alarmed = (falseAlarmsPerDay: number) => {
      let count = 0;
      for (let round = 0; round < 60; round++) {
        const all = Array.from({ length: 25 }, (_, at) => {
          const values = levels(50, 5, 203, 1 + at + 25 * round);
          return { ...latency(values.slice(0, 200), values.slice(200)), service: `svc-${at}` };
        });
        if (isAnomalous(detect(all, { falseAlarmsPerDay }).findings)) count += 1;
      }
      return count;
    };
    // 60 windows of five minutes are a fifth of a day, and 25 services half of the unit.
    expect(alarmed(1)).toBeLessThanOrEqual(1);
    expect(alarmed(500)).toBeLessThanOrEqual(60);
    expect(alarmed(500)).toBeGreaterThanOrEqual(alarmed(1));
  });

  test("more series of a service and shorter windows ask for more", () => {
    const long = { startMs: 0, endMs: 900_000 };
    expect(alarmP(WINDOW, 1)).toBeGreaterThan(alarmP(WINDOW, 4));
    expect(alarmP(long, 1)).toBeCloseTo(3 * alarmP(WINDOW, 1), 9);
    expect(alarmP(WINDOW, 1, 2)).toBeCloseTo(2 * alarmP(WINDOW, 1, 1), 9);
  });

  test("a score of ten is the alarm, whatever was asked", () => {
    const rate = fc.double({ min: 1e-3, max: 10, noNaN: true });
    const property = fc.property(rate, (perDay) => {
      const alarm = alarmP(WINDOW, 2, perDay);
      expect(surprise(alarm, alarm)).toBeCloseTo(10, 6);
      expect(surprise(1, alarm)).toBe(0);
      expect(surprise(alarm * alarm, alarm)).toBeGreaterThan(10);
    });
    fc.assert(property, { seed: SEED });
  });
});

describe("what lasts", () => {
  test("needs more than half of the samples", () => {
    expect(lastingSurprise(10, 1)).toBe(10);
    expect(lastingSurprise(10, 3)).toBeCloseTo(10 - Math.log(3), 9);
    expect(overRuns([1, 2, 3, 4], 2, (run) => Math.max(...run))).toEqual([2, 3, 4]);
    expect(overRuns([1], 3, (run) => run.length)).toEqual([1]);
  });

  test("a past that moves in waves takes off what they add", () => {
    const calm = Array.from({ length: 100 }, (_, at) => -Math.log((at + 0.5) / 100));
    const waves = calm.map((one) => 3 * one);
    expect(calibratedP(20, calm)).toBeLessThan(1e-7);
    expect(calibratedP(20, waves)).toBeGreaterThan(1e-4);
    expect(calibratedP(0, waves)).toBe(1);
    expect(calibratedP(5, [])).toBeCloseTo(Math.exp(-5), 9);
  });
});

describe("servicesOf", () => {
  test("gives requests and the latency over them in the window alone", () => {
    const all = [
      series("a", "requests", [5, 5], [10, 30], "requests"),
      series("a", "http_latency_mean", [1, 1], [10, 50], "ms"),
      series("b", "cpu", [1], [2]),
    ];
    expect(servicesOf(all, WINDOW)).toEqual([
      { service: "a", requests: 40, latencyMeanMs: 40 },
      { service: "b" },
    ]);
  });
});

test("whatever samples come, requests and failures give findings within bounds", () => {
  const wild = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, -1, 0, 100, 1e308, -1e308));
  const list = fc.array(wild, { maxLength: 60 });
  const property = fc.property(list, list, list, list, (past, now, counts, more) => {
    const { findings } = detect([
      latency(past, now.slice(0, 5)),
      available(past, now.slice(0, 5)),
      series("search", "requests", counts, more.slice(0, 5), "requests"),
    ]);
    for (const one of findings) {
      expect(one.score).toBeGreaterThanOrEqual(0);
      expect(one.score).toBeLessThanOrEqual(1_000);
    }
  });
  fc.assert(property, { seed: SEED });
});
