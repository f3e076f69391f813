/** The payment incident and the quiet before it, from real summaries and real series. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { paymentScenario } from "../../sim/mod.ts";
import {
  detectLogs,
  detectMetrics,
  explainVerdict,
  type Finding,
  isAnomalous,
  type LogSummary,
  type Ranking,
  type Row,
  rankCauses,
  type SourceReport,
  TemplateMiner,
} from "../../streams/mod.ts";
import { type PrometheusServer, startPrometheus } from "../support/prometheus.ts";
import { reportOf } from "./detect-fixtures.ts";
import { rowsOf, seriesOf, summaryOf } from "./payment-fixtures.ts";

const at = (time: string) => Date.parse(`2026-03-13T${time}:00Z`);
const between = (start: string, end: string) => ({ startMs: at(start), endMs: at(end) });

const recording = paymentScenario();
const miner = new TemplateMiner();
const BEFORE = between("14:00", "14:20");
const INCIDENT = between("14:20", "14:25");

let prometheus: PrometheusServer;
let logs: SourceReport;
let metrics: SourceReport;

const read = async (window: typeof INCIDENT): Promise<LogSummary> =>
  summaryOf(await rowsOf(recording, window), window, miner);

beforeAll(async () => {
  const openmetrics = (await Array.fromAsync(recording.openMetrics())).join("");
  prometheus = await startPrometheus({ openmetrics });
  const current = await read(INCIDENT);
  const { findings } = detectLogs(current, await read(BEFORE));
  logs = reportOf("logs", findings, [...(current.paths?.calls.values() ?? [])]);
  metrics = reportOf(
    "metrics",
    detectMetrics(await seriesOf(prometheus.url, INCIDENT), INCIDENT).findings,
  );
});
afterAll(async () => {
  await prometheus[Symbol.asyncDispose]();
});

function told({ causes, evidence }: Ranking): { source: string; finding: Finding }[] {
  return (causes[0]?.evidence ?? []).flatMap((id) => evidence.find((one) => one.id === id) ?? []);
}

describe("the payment incident", () => {
  test.each([
    ["both sources", () => [logs, metrics], 0.9],
    ["logs alone", () => [logs], 0.7],
    ["metrics alone", () => [metrics], 0.7],
  ])("%s name payment-service and its pool", (_sources, reports, confidenceMin) => {
    const [cause, second] = rankCauses(reports()).causes;
    expect(cause?.service).toBe("payment-service");
    expect(cause?.mechanism).toBe("database connection pool exhausted");
    expect(cause?.confidence).toBeGreaterThan(confidenceMin);
    expect(second?.confidence ?? 0).toBeLessThan(0.2);
  });

  test("its callers are affected, not rivals, and the text says so", () => {
    const { causes, evidence } = rankCauses([logs, metrics]);
    expect(causes[0]?.affected).toContain("order-service");
    expect(causes[0]?.affected).toContain("api-gateway");
    const window = {
      start: new Date(INCIDENT.startMs).toISOString(),
      end: new Date(INCIDENT.endMs).toISOString(),
    };
    const { text } = explainVerdict({ window, outcome: "incident", causes, evidence });
    expect(text).toContain("payment-service is the most likely cause");
    expect(text).not.toContain("cannot be ruled out");
  });

  test("error texts turn the calls round that the order of lines had backwards", () => {
    const calls = rankCauses([logs]).dependencies.map(
      ({ caller, callee }) => `${caller}>${callee}`,
    );
    expect(calls).toContain("order-service>payment-service");
    expect(calls).not.toContain("payment-service>order-service");
    expect(calls).not.toContain("payment-service>api-gateway");
  });

  test("the most telling evidence is first, from both sources, and no fact twice", () => {
    const ranking = rankCauses([logs, metrics]);
    const evidence = told(ranking);
    const summaries = evidence.map(({ finding }) => finding.summary);
    expect(ranking.causes[0]?.evidence.slice(0, 4)).toEqual(["e1", "e2", "e3", "e4"]);
    expect(summaries.slice(0, 6)).toEqual([
      '150 times ERROR "HikariPool-<NUM> - Connection is not available, request timed out after <NUM>ms." where 0 were expected.',
      expect.stringMatching(/^\d+ connection timeouts, normally 0\.$/),
      "150 HTTP 500 in 5 minutes (rule: at most 100).",
      "Mean latency 1,200 ms (rule: at most 1,000 ms).",
      "JVM memory at 95 % of its maximum (rule: at most 90 %).",
      expect.stringMatching(/^\d+ threads waiting for a connection, normally 0\.$/),
    ]);
    expect(new Set(evidence.slice(0, 4).map(({ source }) => source)).size).toBe(2);
    expect(new Set(summaries).size).toBe(summaries.length);
  });

  test("without a baseline the pool's own words are enough", async () => {
    const { findings, notes } = detectLogs(await read(INCIDENT), undefined);
    expect(notes).toHaveLength(1);
    const [cause] = rankCauses([reportOf("logs", findings)]).causes;
    expect(cause?.service).toBe("payment-service");
    expect(cause?.resource).toBe("connection_pool");
  });
});

describe("the quiet before it", () => {
  test.each([
    ["14:05", "14:10"],
    ["14:10", "14:15"],
    ["14:15", "14:20"],
  ])("%s to %s, both sources", async (start, end) => {
    const window = between(start, end);
    const before = await read(between("14:00", start));
    const found = detectLogs(await read(window), before).findings;
    const series = await seriesOf(prometheus.url, window);
    expect(isAnomalous([...found, ...detectMetrics(series, window).findings])).toBe(false);
  });

  const WINDOW = between("14:15", "14:20");
  const traceOf = ({ raw }: Row) => /([0-9a-f]{32})-[0-9a-f]{16}/.exec(raw)?.[1] ?? "";
  const thin = (share: number) => (row: Row) =>
    Bun.hash.xxHash32(traceOf(row)) % 1_000 < share * 1_000;
  const isOrder = ({ raw }: Row) => raw.includes("POST");
  const fromPayment = ({ raw }: Row) => raw.includes("[payment-service]");
  const reworded = (row: Row) =>
    fromPayment(row) ? { ...row, raw: row.raw.replace("duration=", "took ") } : row;
  const chattier = (row: Row) =>
    fromPayment(row)
      ? [{ ...row, raw: row.raw.replace(/ : .*/s, " : Looked in the cache") }, row]
      : [row];

  test.each<[string, (rows: Row[]) => Row[]]>([
    ["half the traffic", (rows) => rows.filter(thin(0.5))],
    ["a hundredth of the traffic", (rows) => rows.filter(thin(0.01))],
    ["another mix: few orders", (rows) => rows.filter((row) => !isOrder(row) || thin(0.2)(row))],
    ["a release that words a line anew", (rows) => rows.map(reworded)],
    ["a release with one more line", (rows) => rows.flatMap(chattier)],
  ])("%s is no alarm", async (_what, change) => {
    const rows = (await rowsOf(recording, WINDOW)).map((batch) => change(batch));
    const before = await read(between("14:00", "14:15"));
    const { findings } = detectLogs(await summaryOf(rows, WINDOW, miner), before);
    expect(findings.filter(({ anomalous }) => anomalous)).toEqual([]);
  });

  test("a service that falls silent is an alarm, and named", async () => {
    const rows = (await rowsOf(recording, WINDOW)).map((batch) =>
      batch.filter(({ raw }) => !raw.includes("[auth-service]")),
    );
    const before = await read(between("14:00", "14:15"));
    const { findings } = detectLogs(await summaryOf(rows, WINDOW, miner), before);
    const [cause] = rankCauses([reportOf("logs", findings)]).causes;
    expect(cause?.service).toBe("auth-service");
    expect(cause?.mechanism).toBe("stopped logging");
  });
});
