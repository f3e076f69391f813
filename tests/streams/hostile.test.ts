/** Telemetry that nobody would send on purpose, or somebody would: bounded, counted, and told. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { limits } from "../../core/mod.ts";
import {
  detectLogs,
  detectMetrics,
  type LogSummary,
  type Row,
  reportOfLogs,
  type Series,
  summariseLogs,
  TemplateMiner,
} from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20_260_101);
const WINDOW = { startMs: 1_000_000, endMs: 1_300_000 };

async function* batches(rows: readonly Row[]) {
  for (let at = 0; at < rows.length; at += 1_000) {
    yield { rows: rows.slice(at, at + 1_000), bytes: 1_000 };
  }
}

const summaryOf = (rows: readonly Row[]) =>
  summariseLogs(batches(rows), { window: WINDOW, miner: new TemplateMiner() });

/** Every row is in one place, and the notes say what was not counted. */
function told(summary: LogSummary): string[] {
  const counted = [...summary.templates.values()].reduce((sum, { count }) => sum + count, 0);
  const { rows, unparsed, outsideWindow, overflow } = summary;
  expect(counted + unparsed + outsideWindow + overflow).toBe(rows);
  const window = { start: new Date(0).toISOString(), end: new Date(1).toISOString() };
  const parts = { current: summary, findings: [], notes: [], seconds: 1 };
  return reportOfLogs({ ...parts, window, baseline: [] }).notes;
}

const row = (raw: string, at = 0, service = "s"): Row => ({
  raw,
  timeMs: WINDOW.startMs + (at % 300_000),
  service,
});

/** Words without a digit, other ones for every number. */
const words = (at: number) =>
  at.toString(2).replaceAll("0", "na ").replaceAll("1", "ke ").padEnd(40, "x");

describe("logs", () => {
  test("a hundred thousand lines of which no two are alike", async () => {
    const rows = Array.from({ length: 100_000 }, (_, at) => row(`INFO a.b.C ${words(at)}`, at));
    const summary = await summaryOf(rows);
    told(summary);
    expect(summary.templates.size).toBeLessThanOrEqual(limits.TEMPLATES_MAX);
  });

  test("as many services as lines", async () => {
    const rows = Array.from({ length: 5_000 }, (_, at) => row("INFO hello", at, `s${at}`));
    const summary = await summaryOf(rows);
    expect(summary.services.size).toBeLessThanOrEqual(limits.SERVICES_MAX);
    expect(told(summary).join(" ")).toContain("exceeded the template table");
  });

  test("binary, mixed encodings, bombs for patterns, brackets without end", async () => {
    const hostile = [
      "\u0000\u0001\u0002".repeat(5_000),
      "\ud800\udfff ".repeat(5_000),
      "Ã¼Ã¤ÃŸ ünïcödé 漢字 ‮RTL‬".repeat(500),
      `${"(".repeat(30_000)}${")".repeat(30_000)}`,
      "[{(".repeat(20_000),
      `${"a".repeat(60_000)}!`,
      "=".repeat(60_000),
      "k=v,".repeat(15_000),
      `{"a":${'{"b":'.repeat(9_000)}1${"}".repeat(9_000)}}`,
      `${"/x".repeat(30_000)} ${"1.".repeat(30_000)}`,
      `${"\tat ".repeat(10_000)}\nCaused by: ${"Caused by: ".repeat(5_000)}`,
      "status=".repeat(8_000),
    ];
    const summary = await summaryOf(hostile.flatMap((raw) => [row(raw), row(`INFO a.B ${raw}`)]));
    told(summary);
    for (const { template, exemplars } of summary.templates.values()) {
      expect(template.length).toBeLessThanOrEqual(2_000);
      for (const line of exemplars) expect(line.length).toBeLessThanOrEqual(400);
    }
    detectLogs(summary, summary);
  });

  test("clocks that jump are outside, counted, and told", async () => {
    const rows = [row("INFO a"), { raw: "INFO a", timeMs: 0 }, { raw: "INFO a", timeMs: 9e15 }];
    const notes = told(await summaryOf(rows));
    expect(notes.join(" ")).toContain("2 rows had a time outside the window: check the clocks");
  });

  test("any text at all", async () => {
    const texts = fc.array(fc.string({ unit: "binary", maxLength: 200 }), { maxLength: 40 });
    const property = fc.asyncProperty(texts, async (all) => {
      told(await summaryOf(all.map((raw, at) => row(raw, at))));
    });
    await fc.assert(property, { seed, numRuns: 200 });
  });
});

describe("metrics", () => {
  const MINUTE_MS = 60_000;
  const series = (service: string, values: readonly number[], metric = "cpu"): Series => ({
    service,
    metric,
    unit: "%",
    timesMs: values.map((_, at) => WINDOW.endMs - (values.length - 1 - at) * MINUTE_MS),
    values,
  });
  const steady = (count: number, value = 10) => Array.from({ length: count }, () => value);

  test("ten thousand series, a third of which jump: as many findings as fit", () => {
    const all = Array.from({ length: 10_000 }, (_, at) =>
      series(`s${at}`, [...steady(40), ...steady(5, at % 3 === 0 ? 90 + (at % 9) : 10)]),
    );
    const { findings } = detectMetrics(all, WINDOW);
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.length).toBeLessThanOrEqual(limits.FINDINGS_MAX);
  });

  test("what cannot be judged is told", () => {
    const { findings, notes } = detectMetrics(
      [
        series("one-point", [50]),
        series("no-number", steady(45, Number.NaN)),
        series("infinite", steady(45, Number.POSITIVE_INFINITY)),
        series("nothing", []),
      ],
      WINDOW,
    );
    expect(findings).toEqual([]);
    expect(notes.join(" ")).toContain("1 series have too short a past");
    expect(notes.join(" ")).toContain("3 series have no sample in the window");
  });

  test("a flat line stays quiet, and a flat line that moves a little too", () => {
    const all = [
      series("flat", steady(45)),
      series("zero", steady(45, 0)),
      series("a little", [...steady(40), ...steady(5, 10.01)]),
    ];
    expect(detectMetrics(all, WINDOW).findings.filter(({ anomalous }) => anomalous)).toEqual([]);
  });

  test("any values at all", () => {
    const value = fc.oneof(fc.double(), fc.constantFrom(0, -1, 1e308, -1e308, 5e-324));
    const values = fc.array(value, { maxLength: 60 });
    const metric = fc.constantFrom("cpu", "http_latency_mean", "http_500_count", "own", "requests");
    const property = fc.property(
      fc.array(fc.record({ service: fc.constantFrom("a", "b"), values, metric })),
      (all) => {
        const { findings } = detectMetrics(
          all.map((one) => series(one.service, one.values, one.metric)),
          WINDOW,
        );
        for (const { score } of findings) expect(Number.isFinite(score)).toBe(true);
      },
    );
    fc.assert(property, { seed, numRuns: 200 });
  });
});
