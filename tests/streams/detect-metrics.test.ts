import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { detectMetrics } from "../../streams/detect/metrics.ts";
import { isAnomalous } from "../../streams/detect/verdict.ts";
import { Finding } from "../../streams/findings.ts";
import type { Series } from "../../streams/model.ts";
import { SEED, series, steady, WINDOW } from "./detect-fixtures.ts";

const detect = (all: Series[]) => detectMetrics(all, WINDOW, {});

describe("detectMetrics", () => {
  test("one sample out of five is an accident, two are not; a count may come at once", () => {
    const alarms = (metric: string, now: number[], level = 10) =>
      isAnomalous(detect([series("pay", metric, steady(level), now)]).findings);
    expect(alarms("cpu", [10, 95, 10, 10, 10])).toBe(false);
    expect(alarms("cpu", [10, 95, 96, 10, 10])).toBe(true);
    expect(alarms("hikari_timeout", [0, 0, 40, 0, 0], 0)).toBe(true);
  });

  test("a CPU at its limit is found, with value, normal and direction", () => {
    const { findings } = detect([series("pay", "cpu", steady(5), [60, 99, 98])]);
    expect(findings[0]).toMatchObject({
      id: "metrics-1",
      kind: "metric_deviation",
      service: "pay",
      resource: "cpu",
      direction: "up",
      value: 99,
      anomalous: true,
    });
    expect(findings[0]?.score).toBeGreaterThan(10);
  });

  test("what is bad only upwards may fall", () => {
    expect(detect([series("pay", "cpu", steady(80), [1, 1, 1])]).findings).toEqual([]);
  });

  test("a flat past does not make a flicker an anomaly", () => {
    const { findings } = detect([series("pay", "cpu", Array(100).fill(0), [1.5, 1, 0])]);
    expect(isAnomalous(findings)).toBe(false);
  });

  test("a spike as high as those of the past is not news", () => {
    const spiky = steady(5).map((value, at) => (at % 4 === 0 ? 90 : value));
    expect(isAnomalous(detect([series("pay", "cpu", spiky, [90, 5, 5])]).findings)).toBe(false);
  });

  test("what moves all services alike accuses none", () => {
    const all = Array.from({ length: 12 }, (_, at) =>
      series(`svc-${at}`, "cpu", steady(5), [30 + at, 29, 31]),
    );
    expect(detect(all).findings.filter((finding) => finding.score > 3)).toEqual([]);
    const one = [...all, series("bad", "cpu", steady(5), [99, 99, 99])];
    expect(detect(one).findings[0]?.service).toBe("bad");
  });

  test("a short past gives a note and thresholds only", () => {
    const { findings, notes } = detect([series("pay", "jvm_memory", [50, 51], [95])]);
    expect(findings.map((finding) => finding.kind)).toEqual(["rule"]);
    expect(notes.join(" ")).toContain("too short a past");
  });

  test("missing samples are left out, and an empty window is noted", () => {
    const gaps = steady(5).map((value, at) => (at % 3 === 0 ? Number.NaN : value));
    expect(detect([series("pay", "cpu", gaps, [Number.NaN, 99])]).findings[0]?.value).toBe(99);
    const { findings, notes } = detect([series("pay", "cpu", steady(5), [Number.NaN])]);
    expect(findings).toEqual([]);
    expect(notes.join(" ")).toContain("no sample in the window");
  });

  test("thresholds: strictly greater, each by its own sample", () => {
    const rules = (metric: string, now: number[]) =>
      detect([series("pay", metric, steady(0), now)]).findings.filter((one) => one.kind === "rule");
    expect(rules("jvm_memory", [90])).toEqual([]);
    expect(rules("jvm_memory", [90.1])[0]).toMatchObject({
      rule: "jvmMemoryPercentMax",
      anomalous: true,
    });
    expect(rules("http_500_rate", [3, 12])[0]?.rule).toBe("http500PerMinuteMax");
    // The count covers a whole window, so only the last sample is this window's.
    expect(rules("http_500_count", [150, 20])).toEqual([]);
    expect(rules("http_500_count", [20, 150])[0]?.rule).toBe("http500CountMax");
    expect(rules("http_latency_mean", [1_500, 100])).toEqual([]);
    expect(rules("http_latency_mean", [1_500, 1_200])[0]?.value).toBe(1_350);
  });

  test("the strongest instance speaks for its service", () => {
    const all = [
      series("pay", "cpu", steady(5), [50]),
      { ...series("pay", "cpu", steady(5), [99]), instance: "pay-2" },
    ];
    expect(detect(all).findings.map((finding) => finding.value)).toEqual([99]);
  });

  test("whatever numbers come, findings keep to the schema and its bounds", () => {
    const wild = fc.oneof(fc.double(), fc.integer(), fc.constant(Number.NaN));
    const anySeries = fc
      .record({
        service: fc.string({ minLength: 1, maxLength: 20 }),
        metric: fc.constantFrom("cpu", "jvm_memory", "requests", "hikari_pending", "what_is_this"),
        past: fc.array(wild, { maxLength: 60 }),
        now: fc.array(wild, { maxLength: 5 }),
      })
      .map(({ service, metric, past, now }) => series(service, metric, past, now));
    const property = fc.property(fc.array(anySeries, { maxLength: 12 }), (all) => {
      const { findings } = detectMetrics(all, WINDOW, {}, 5);
      expect(findings.length).toBeLessThanOrEqual(5);
      for (const finding of findings) Finding.parse(finding);
    });
    fc.assert(property, { seed: SEED });
  });

  test("a higher peak never scores lower, and the unit does not matter beyond the floors", () => {
    const scoreOf = (peak: number, scale: number) =>
      detect([series("pay", "cpu", steady(50 * scale), [peak * scale])]).findings[0]?.score ?? 0;
    const peak = fc.double({ min: 51, max: 1e4, noNaN: true });
    const property = fc.property(peak, peak, (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      expect(scoreOf(low, 1)).toBeLessThanOrEqual(scoreOf(high, 1) + 1e-9);
      expect(scoreOf(a, 1_000)).toBeCloseTo(scoreOf(a, 1), 3);
    });
    fc.assert(property, { seed: SEED });
  });
});
