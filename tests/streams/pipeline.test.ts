import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { limits } from "../../core/mod.ts";
import {
  type LogProgress,
  type LogSummary,
  type Row,
  type RowBatch,
  summariseLogs,
  TemplateMiner,
} from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const window = { startMs: 1_000, endMs: 2_000 };

async function* batched(rows: readonly Row[], size: number): AsyncGenerator<RowBatch> {
  for (let at = 0; at < rows.length; at += size) {
    yield { rows: rows.slice(at, at + size), bytes: size };
  }
}

function summaryOf(rows: readonly Row[], size = 3, templatesMax = 100): Promise<LogSummary> {
  const miner = new TemplateMiner({ templatesMax });
  return summariseLogs(batched(rows, size), { window, miner });
}

const line = (timeMs: number, service: string, traceId: string): Row => ({
  raw: `12:00:00.000 INFO a.B#1 TraceID: ${traceId} work`,
  timeMs,
  service,
});

function counted(summary: LogSummary): number {
  return [...summary.templates.values()].reduce((sum, template) => sum + template.count, 0);
}

/** Everything that must not depend on order or batches; exemplars are whichever came first. */
function countsOf(summary: LogSummary) {
  const templates = [...summary.templates.values()].map((one) => ({ ...one, exemplars: [] }));
  return {
    ...summary,
    bytes: 0,
    paths: undefined,
    services: Object.fromEntries(summary.services),
    templates: templates.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

test("services, statuses, latencies and exemplars", async () => {
  const raws = [
    "12:00:00.000 ERROR a.B#1 GET /x Completed 500 in 350ms",
    "12:00:00.000 WARN a.B#2 slow, status=503",
    ...Array(5).fill("12:00:00.000 INFO a.B#3 Completed 200 in 10ms"),
  ];
  const summary = await summaryOf(raws.map((raw) => ({ raw, timeMs: 1_500, service: "pay" })));
  expect(summary.services.get("pay")).toEqual({
    lines: 7,
    errors: 1,
    warnings: 1,
    requests: 7,
    http500: 1,
    http5xx: 2,
    latencySumMs: 400,
    latencyCount: 6,
    latencyMaxMs: 350,
  });
  const frequent = [...summary.templates.values()].find((template) => template.count === 5);
  expect(frequent?.exemplars).toHaveLength(limits.EXEMPLARS_MAX);
});

test("the window is half open; what lies outside is counted, not summarised", async () => {
  const rows = [999, 1_000, 1_999, 2_000].map((timeMs) => line(timeMs, "pay", "0123456789"));
  const summary = await summaryOf(rows);
  expect([summary.outsideWindow, counted(summary)]).toEqual([2, 2]);
  expect([summary.firstMs, summary.lastMs]).toEqual([999, 2_000]);
});

test("edges: gaps between services of one trace, newest first and interleaved", async () => {
  const rows: Row[] = [];
  for (let trace = 0; trace < 50; trace++) {
    const [start, id] = [1_100 + trace, `trace-id-${trace}`];
    rows.push(
      line(start, "front", id),
      line(start + 40, "back", id),
      line(start + 60, "front", id),
    );
  }
  const summary = await summaryOf(rows.toSorted((a, b) => (b.timeMs ?? 0) - (a.timeMs ?? 0)));
  const edge = summary.paths?.edges.get("front>back");
  expect(edge?.count).toBe(50);
  expect(Math.abs((edge?.medianMs ?? 0) - 40)).toBeLessThanOrEqual(0.8);
  expect(Math.abs((summary.paths?.edges.get("back>front")?.p90Ms ?? 0) - 20)).toBeLessThanOrEqual(
    0.4,
  );
});

test("a long trace keeps all its gaps", async () => {
  const rows = Array.from({ length: 1_000 }, (_, at) =>
    line(1_000 + at / 2, at % 2 === 0 ? "a" : "b", "one-long-trace"),
  );
  for (const order of [rows, rows.toReversed()]) {
    const { paths } = await summaryOf(order);
    expect(paths?.edges.get("a>b")?.count).toBe(500);
    expect(paths?.edges.get("b>a")?.count).toBe(499);
  }
});

test("rows are counted, unparsed, outside or overflow; order and batches change nothing", async () => {
  const row = fc.record({
    raw: fc.constantFrom("", "INFO a", "ERROR b 7", "x status=500", '{"message":"m"}', "c [1, 2]"),
    timeMs: fc.option(fc.integer({ min: 800, max: 2_200 }), { nil: undefined }),
    service: fc.constantFrom("a", "b", "c"),
    traceId: fc.constantFrom("trace-1", "trace-2"),
  });
  const rows = fc.array(row, { maxLength: 60 }).map((all) =>
    all.map(({ timeMs, traceId, ...rest }) => ({
      ...rest,
      fields: { traceId },
      ...(timeMs !== undefined && { timeMs }),
    })),
  );
  const property = fc.asyncProperty(rows, fc.integer({ min: 1, max: 20 }), async (all, size) => {
    const summary = await summaryOf(all, size);
    const other = await summaryOf(all.toReversed(), 1);
    expect(countsOf(other)).toEqual(countsOf(summary));
    const tight = await summaryOf(all, size, 2);
    for (const one of [summary, tight]) {
      expect(counted(one) + one.unparsed + one.outsideWindow + one.overflow).toBe(all.length);
      expect(one.rows).toBe(all.length);
    }
  });
  await fc.assert(property, { seed, numRuns: 200 });
});

test("progress tells of each batch, with a rate only when there is a clock", async () => {
  const seen: LogProgress[] = [];
  let now = 0;
  const rows = [1, 2, 3].map((at) => line(1_000 + at, "a", "0123456789"));
  await summariseLogs(batched(rows, 2), {
    window,
    miner: new TemplateMiner(),
    nowMs: () => (now += 500),
    onProgress: (progress) => seen.push(progress),
  });
  expect(seen).toEqual([
    { rows: 2, bytes: 2, templates: 1, rowsPerSecond: 4 },
    { rows: 3, bytes: 4, templates: 1, rowsPerSecond: 3 },
  ]);
});

test("an error of the source passes through, and the signal cancels", async () => {
  async function* broken(): AsyncGenerator<RowBatch> {
    yield { rows: [], bytes: 0 };
    throw new Error("lost");
  }
  const options = { window, miner: new TemplateMiner() };
  await expect(summariseLogs(broken(), options)).rejects.toThrow("lost");
  const signal = AbortSignal.abort();
  const rows = batched([line(1_500, "a", "0123456789")], 1);
  await expect(summariseLogs(rows, { ...options, signal })).rejects.toMatchObject({
    code: "CANCELLED",
  });
});
