import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { parseGraph, parseMetrics } from "../../eval/petshop/csv.ts";
import { levelsIn } from "../../eval/petshop/layout.ts";
import { movedBefore, seriesOf, windowFrom } from "../../eval/petshop/series.ts";
import { petshop } from "../../eval/petshop/suite.ts";
import { parseTarget } from "../../eval/petshop/target.ts";
import { LeftOut } from "../../eval/report.ts";
import { GRAPH, metricsCsv, normalAt, targetJson, writeDataset } from "./petshop-fixtures.ts";

const signal = new AbortController().signal;
const usageOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof PetrelError && error.code === "USAGE") return error.message;
    throw error;
  }
  return "";
};

describe("petshop", () => {
  test("names the database of a slow chain and the service that fails, and nothing on normal data", async () => {
    const dir = writeDataset();
    const seen: string[] = [];
    const result = await petshop({
      dir,
      signal,
      onProgress: (_done, _total, what) => seen.push(what),
    });
    expect(result.cases).toBe(2);
    expect(result.outcomes.map((one) => one.right)).toEqual([true, true]);
    expect(result.metrics).toEqual({
      top1_latency: 1,
      top3_latency: 1,
      top1_availability: 1,
      top3_availability: 1,
      specificity_latency: 1,
      specificity_availability: 1,
      false_alarms_per_day_per_50_services: 0,
    });
    expect(Object.keys(result.byGroup)).toContain("low_traffic");
    expect(seen).toHaveLength(3);
  });

  test("takes the data set, the levels, one level, or the folder above", () => {
    const dir = writeDataset();
    const names = (place: string) =>
      levelsIn(place, new LeftOut()).map((level) => `${level.name} ${level.issues.length}`);
    for (const place of [dir, join(dir, "dataset"), join(dir, "dataset", "low_traffic")]) {
      expect(names(place)).toEqual(["low_traffic 2"]);
    }
    rmSync(join(dir, "dataset", "low_traffic", "train"), { recursive: true });
    expect(names(dir)).toEqual(["low_traffic 1"]);
    expect(usageOf(() => names(join(dir, "nowhere")))).toContain("no PetShop data");
  });

  test("without normal data the issue's own past is too short, and the error says so", async () => {
    const dir = writeDataset();
    rmSync(join(dir, "dataset", "low_traffic", "noissue"), { recursive: true });
    const failed = await petshop({ dir, signal }).then(
      () => "",
      (error: unknown) => (error instanceof PetrelError ? error.message : "another error"),
    );
    expect(failed).toContain("no normal data");
  });

  test("normal data alone gives figures too", async () => {
    const dir = writeDataset();
    const level = join(dir, "dataset", "low_traffic");
    for (const split of ["train", "test"]) rmSync(join(level, split), { recursive: true });
    const { cases, metrics } = await petshop({ dir, signal });
    expect(cases).toBe(0);
    expect(metrics).toEqual({
      specificity_latency: 1,
      specificity_availability: 1,
      false_alarms_per_day_per_50_services: 0,
    });
  });

  test("stops when the signal fires", async () => {
    const stopped = AbortSignal.abort(new PetrelError("CANCELLED", "enough"));
    const failed = petshop({ dir: writeDataset(), signal: stopped });
    expect(failed).rejects.toThrow("enough");
  });
});

describe("PetShop's tables", () => {
  const csv = metricsCsv(1_000_000, 3, normalAt);

  test("three rows of names, missing samples, and what is no number", () => {
    const table = parseMetrics("m.csv", csv.replace(/\n1000000\.0,[\d.]+/, "\n1000000.0,"));
    expect(table.timesMs).toEqual([1_000_000_000, 1_000_300_000, 1_000_600_000]);
    expect(table.columns[0]).toMatchObject({ node: "Front", metric: "latency" });
    expect(table.columns[0]?.values[0]).toBeNaN();
    const wrong = csv.replace(/\n1000300\.0,[\d.]+/, "\n1000300.0,much");
    expect(usageOf(() => parseMetrics("m.csv", wrong))).toBe(
      'm.csv: row 6, column 2: "much" is no number',
    );
  });

  test("a short row, a time that is none, and another table are errors with their place", () => {
    expect(usageOf(() => parseMetrics("m.csv", `${csv}1000900.0,1\n`))).toContain(
      "row 8, column 3",
    );
    expect(usageOf(() => parseMetrics("m.csv", csv.replace("1000300.0", "soon")))).toBe(
      'm.csv: row 6, column 1: "soon" is no time in seconds',
    );
    expect(usageOf(() => parseMetrics("m.csv", "a,b\n1,2\n"))).toContain("three rows");
    expect(usageOf(() => parseMetrics("m.csv", ""))).toContain("three rows");
    expect(usageOf(() => parseMetrics("m.csv", csv.replace(/[\d.]+\n$/, "Infinity\n")))).toContain(
      '"Infinity" is no number',
    );
  });

  test("in the graph the row calls the column", () => {
    expect(parseGraph("g.csv", GRAPH)).toEqual([
      { caller: "Front", callee: "Search", count: 1 },
      { caller: "Front", callee: "Unmeasured", count: 1 },
      { caller: "Search", callee: "Table", count: 1 },
    ]);
    expect(usageOf(() => parseGraph("g.csv", GRAPH.replace("1.0", "yes")))).toBe(
      'g.csv: row 2, column 3: "yes" is no number',
    );
  });

  test("quoted cells may hold commas", () => {
    const quoted = csv.replaceAll("Front", '"Front, ""new"""');
    expect(parseMetrics("m.csv", quoted).columns[0]?.node).toBe('Front, "new"');
  });

  test("a target without its fields names the field", () => {
    expect(parseTarget("t.json", targetJson("latency", 5, "Table"))).toEqual({
      node: "Front",
      metric: "latency",
      timeMs: 5_000,
      rootCause: "Table",
    });
    expect(usageOf(() => parseTarget("t.json", "{"))).toBe("t.json: no JSON");
    expect(usageOf(() => parseTarget("t.json", targetJson("", 5, "Table")))).toContain(
      "target.metric",
    );
  });
});

describe("PetShop's series", () => {
  const stepMs = 300_000;
  const table = parseMetrics("m.csv", metricsCsv(1_000_000, 4, normalAt));

  test("have the catalogue's names and units, and end where their intervals end", () => {
    const series = seriesOf([table], stepMs);
    expect(new Set(series.map((one) => `${one.metric} ${one.unit}`))).toEqual(
      new Set(["http_latency_mean ms", "availability %", "requests requests"]),
    );
    expect(series[0]?.timesMs[0]).toBe(1_000_300_000);
    const latency = series.find((one) => one.service === "Front" && one.unit === "ms");
    expect(latency?.values[0]).toBeCloseTo(1_000 * normalAt("Front", 0).latency, 6);
  });

  test("normal data moves by whole days to end before the issue, from the future and from the past", () => {
    for (const beforeMs of [500_000_000, 2_000_000_000, 1_001_200_000]) {
      const [earlier, moved] = movedBefore([table, table], beforeMs, stepMs);
      const times = moved?.timesMs ?? [];
      const [first = 0] = times;
      expect(Math.abs(1_000_000_000 - first) % 86_400_000).toBe(0);
      expect((times.at(-1) ?? 0) + stepMs).toBeLessThanOrEqual(beforeMs);
      expect(beforeMs - (times.at(-1) ?? 0) - stepMs).toBeLessThan(86_400_000);
      expect((earlier?.timesMs.at(-1) ?? 0) + stepMs).toBeLessThanOrEqual(first);
    }
  });

  test("a window begins with the first sample that lies mostly after the time, or is the last", () => {
    const at = (fromMs: number) => windowFrom(table.timesMs, fromMs, { stepMs, samples: 2 });
    expect(at(1_000_310_000)?.startMs).toBe(1_000_300_000);
    expect(at(1_000_470_000)).toEqual({ startMs: 1_000_600_000, endMs: 1_001_200_000 });
    expect(at(9_000_000_000)?.startMs).toBe(1_000_600_000);
    expect(windowFrom([], 0, { stepMs, samples: 2 })).toBeUndefined();
  });
});
