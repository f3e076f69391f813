/** The case `alarm` at a small size, with its real parts: every window's fault reaches the sink. */
import { describe, expect, test } from "bun:test";
import { benchAlarm } from "../../bench/alarm/case.ts";
import { brokenAt, rowsOf, windowBefore, windowOf } from "../../bench/alarm/scene.ts";
import { openMetricsOf, SERIES_PER_SERVICE } from "../../bench/alarm/series.ts";
import { STEPS } from "../../bench/alarm/steps.ts";
import type { BenchContext } from "../../bench/run.ts";
import { programForTests } from "../support/runtime.ts";

const TIMEOUT_MS = 120_000;
const SCENE = { windows: 4, lines: 5_000, services: 12 };

const context: BenchContext = {
  rounds: 1,
  signal: new AbortController().signal,
  onProgress: () => undefined,
};

test(
  "each window opens one incident that names its service, and every step is timed",
  async () => {
    await Promise.all([programForTests("nats-server"), programForTests("prometheus")]);
    const figures = await benchAlarm(context, SCENE);
    expect(figures.map(({ metric }) => metric)).toEqual(["p50", "p99", ...STEPS]);
    for (const { ours } of figures) expect(ours).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

describe("the scene", () => {
  test("has as many rows and series as it says, the fault's in its own window only", async () => {
    const faultsIn = async (earliestMs: number, latestMs: number) => {
      const query = { index: "main", search: "", earliestMs, latestMs };
      const rows = (await Array.fromAsync(rowsOf(SCENE)(query))).flat();
      expect(rows).toHaveLength(SCENE.lines);
      return rows.filter(({ container, _raw }) =>
        /^service-\d+ .* ERROR /.test(`${String(container)} ${String(_raw)}`),
      );
    };
    const second = windowOf(1);
    const faults = await faultsIn(second.startMs, second.endMs);
    expect(faults).toHaveLength(25);
    expect(new Set(faults.map(({ container }) => container))).toEqual(new Set(["service-1"]));
    const before = windowBefore(1);
    expect(await faultsIn(before.startMs, before.endMs)).toHaveLength(0);
    expect([brokenAt(second.startMs), brokenAt(second.endMs), brokenAt(0)]).toEqual([
      1,
      undefined,
      undefined,
    ]);
    const text = (await Array.fromAsync(openMetricsOf(SCENE))).join("");
    const names = text
      .split("\n")
      .filter((line) => line.includes("{"))
      .map((line) => line.slice(0, line.indexOf("}")));
    expect(new Set(names).size).toBe(SCENE.services * SERIES_PER_SERVICE);
  });
});
