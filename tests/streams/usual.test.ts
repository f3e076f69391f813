import { describe, expect, test } from "bun:test";
import { detectMetrics, judgeByMemory, type Series, SeriesBook } from "../../streams/mod.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A load that rises from 20 to 80 within minutes every morning at nine, and falls at five. */
const daily = (timeMs: number) => {
  const hour = (timeMs % DAY_MS) / HOUR_MS;
  const noise = ((timeMs / MINUTE_MS) * 7_919) % 3;
  return (hour >= 9 && hour < 17 ? 80 : 20) + noise;
};

function series(fromMs: number, toMs: number, valueAt: (timeMs: number) => number): Series {
  const timesMs: number[] = [];
  for (let at = fromMs; at <= toMs; at += MINUTE_MS) timesMs.push(at);
  return { service: "pay", metric: "cpu", unit: "%", timesMs, values: timesMs.map(valueAt) };
}

/** The window of five minutes from `startMs`, as an agent sees it after `days` days of `before`. */
function judged(
  startMs: number,
  now: (timeMs: number) => number,
  before: (timeMs: number) => number = daily,
) {
  const book = new SeriesBook();
  const pastMs = startMs - 30 * MINUTE_MS;
  book.read([series(0, pastMs, before)], { startMs: pastMs, endMs: pastMs });
  const window = { startMs, endMs: startMs + 5 * MINUTE_MS };
  const one = series(pastMs + MINUTE_MS, window.endMs, (at) =>
    at > startMs ? now(at) : before(at),
  );
  const remembered = book.read([one], window);
  const { findings } = detectMetrics([one], window);
  const options = { series: [one], window, remembered, falseAlarmsPerDay: 1 };
  return { short: findings, long: judgeByMemory(findings, options).findings };
}

describe("what the window's tests found, held against days", () => {
  test("the rise of every morning is usual: told, and no alarm", () => {
    const { short, long } = judged(8 * DAY_MS + 9 * HOUR_MS, daily);
    expect(short[0]).toMatchObject({ anomalous: true });
    expect(long[0]).toMatchObject({ anomalous: false });
    expect(long[0]?.summary).toContain("Usual at this time of day.");
    expect(long[0]?.score).toBeLessThan(short[0]?.score ?? 0);
  });

  test("the same rise at night is not", () => {
    const { short, long } = judged(8 * DAY_MS + 3 * HOUR_MS, () => 80);
    expect(short[0]).toMatchObject({ anomalous: true });
    expect(long[0]).toMatchObject({ anomalous: true, summary: short[0]?.summary });
  });

  test("a memory of an hour excuses nothing and finds nothing", () => {
    const { short, long } = judged(
      HOUR_MS,
      () => 80,
      () => 20,
    );
    expect(long).toEqual(short);
  });

  test("a healthy day brings nothing new", () => {
    for (let hour = 0; hour < 24; hour += 3) {
      const { long } = judged(8 * DAY_MS + hour * HOUR_MS, daily);
      expect(long.filter(({ anomalous }) => anomalous)).toEqual([]);
    }
  });

  /** Each window of `[fromMs, toMs)` in turn, by one book that saw the days before. */
  function* windowsOf(fromMs: number, toMs: number, valueAt: (timeMs: number) => number) {
    const book = new SeriesBook();
    const pastMs = fromMs - 30 * MINUTE_MS;
    book.read([series(0, pastMs, valueAt)], { startMs: pastMs, endMs: pastMs });
    for (let startMs = fromMs; startMs < toMs; startMs += 5 * MINUTE_MS) {
      const window = { startMs, endMs: startMs + 5 * MINUTE_MS };
      const one = series(startMs - 30 * MINUTE_MS, window.endMs, valueAt);
      const remembered = book.read([one], window);
      const { findings } = detectMetrics([one], window);
      const options = { series: [one], window, remembered, falseAlarmsPerDay: 1 };
      yield { short: findings, long: judgeByMemory(findings, options).findings, remembered };
    }
  }

  const flat = (timeMs: number) => 20 + (((timeMs / MINUTE_MS) * 7_919) % 3);
  const excuses = (findings: readonly { summary: string }[]) =>
    findings.filter(({ summary }) => summary.includes("Usual"));

  test("a job of three minutes every hour is usual for its series, whatever the hour", () => {
    const job = (timeMs: number) =>
      flat(timeMs) + ((timeMs - MINUTE_MS) % HOUR_MS < 3 * MINUTE_MS ? 50 : 0);
    const at = 6 * DAY_MS;
    const windows = [...windowsOf(at, at + 6 * HOUR_MS, job)];
    expect(windows.some(({ short }) => short.some(({ anomalous }) => anomalous))).toBe(true);
    expect(windows.flatMap(({ long }) => long).filter(({ anomalous }) => anomalous)).toEqual([]);
  });

  test.each<[string, (timeMs: number) => number]>([
    ["a flat line", flat],
    [
      "a load that changes by the hour of day",
      (at) => flat(at) + 10 * Math.sin((at / DAY_MS) * 2 * Math.PI),
    ],
  ])("%s: a level that stays for three hours is not its own excuse", (_what, before) => {
    const at = 9 * DAY_MS + 10 * HOUR_MS;
    const now = (timeMs: number) => before(timeMs) + (timeMs > at ? 60 : 0);
    const windows = [...windowsOf(at, at + 3 * HOUR_MS, now)];
    expect(windows[0]?.long[0]).toMatchObject({ anomalous: true });
    expect(windows.flatMap(({ long }) => excuses(long))).toEqual([]);
    for (const { remembered } of windows) {
      for (const { usualPerDay } of remembered.readings.values()) expect(usualPerDay).toBe(0);
    }
  });

  test("a second incident after a first one is not excused", () => {
    const at = 9 * DAY_MS;
    const spike = (timeMs: number) => (timeMs > at && timeMs <= at + 5 * MINUTE_MS ? 40 : 0);
    const second = (timeMs: number) => (timeMs > at + 3 * HOUR_MS ? 45 : 0);
    const now = (timeMs: number) => flat(timeMs) + spike(timeMs) + second(timeMs);
    const windows = [...windowsOf(at, at + 4 * HOUR_MS, now)];
    expect(windows.flatMap(({ long }) => excuses(long))).toEqual([]);
    expect(windows[36]?.long).toEqual(windows[36]?.short ?? []);
  });

  test("of two series with one key none is excused by the other's memory", () => {
    const startMs = 8 * DAY_MS + 9 * HOUR_MS;
    const book = new SeriesBook();
    const pastMs = startMs - 30 * MINUTE_MS;
    book.read([series(0, pastMs, daily)], { startMs: pastMs, endMs: pastMs });
    const window = { startMs, endMs: startMs + 5 * MINUTE_MS };
    const one = series(pastMs + MINUTE_MS, window.endMs, daily);
    const two = series(pastMs + MINUTE_MS, window.endMs, daily);
    const remembered = book.read([one, two], window);
    const { findings } = detectMetrics([one, two], window);
    const options = { series: [one, two], window, remembered, falseAlarmsPerDay: 1 };
    expect(remembered.left).toBe(1);
    expect(excuses(judgeByMemory(findings, options).findings)).toEqual([]);
  });

  test("a broken threshold stays, and series without a place are told", () => {
    const window = { startMs: DAY_MS, endMs: DAY_MS + 5 * MINUTE_MS };
    const rule = {
      id: "metrics-1",
      kind: "rule" as const,
      service: "pay",
      metric: "cpu",
      summary: "Too much.",
      direction: "up" as const,
      score: 9,
      anomalous: true,
    };
    const { findings, notes } = judgeByMemory([rule], {
      series: [],
      window,
      remembered: { readings: new Map(), left: 7 },
      falseAlarmsPerDay: 1,
    });
    expect(findings).toEqual([rule]);
    expect(notes).toEqual(["7 series are more than are remembered for days."]);
  });
});
