import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import {
  backfillPrometheus,
  type PrometheusServer,
  paymentScenario,
  type Recording,
  type SimRow,
  startPrometheus,
  startSplunkSim,
} from "../../sim/mod.ts";
import { programForTests } from "../support/runtime.ts";
import { collectRows, instantVector } from "./replay-support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const WINDOW = {
  earliestMs: Date.parse("2026-03-13T14:20:00Z"),
  latestMs: Date.parse("2026-03-13T14:25:00Z"),
};
const BASELINE = { earliestMs: Date.parse("2026-03-13T14:00:00Z"), latestMs: WINDOW.earliestMs };

interface Request {
  readonly service: string;
  readonly status: number;
  readonly latencyMs: number;
}

function requestsIn(rows: readonly SimRow[]): Request[] {
  return rows.flatMap((row) => {
    const match = / : (?:GET|POST) \S+ status=(\d+) duration=(\d+)ms$/.exec(String(row._raw));
    if (match === null) return [];
    const service = String(row.container);
    return [{ service, status: Number(match[1]), latencyMs: Number(match[2]) }];
  });
}

async function truthOf(recording: Recording) {
  const requests = requestsIn(await collectRows(recording, WINDOW));
  const payment = requests.filter((request) => request.service === "payment-service");
  const meanMs = payment.reduce((sum, r) => sum + r.latencyMs, 0) / payment.length;
  const failed = requests.filter((request) => request.status === 500);
  return { meanMs, failed: failed.map((request) => request.service) };
}

describe("payment logs", () => {
  const recording = paymentScenario();

  test("150 responses are 500, all of payment-service, and its mean latency is 1200 ms", async () => {
    const { meanMs, failed } = await truthOf(recording);
    expect(failed.length).toBe(150);
    expect(new Set(failed)).toEqual(new Set(["payment-service"]));
    expect(meanMs).toBe(1200);
  });

  test("so it is with any seed", async () => {
    const { meanMs, failed } = await truthOf(paymentScenario(seed));
    expect([failed.length, meanMs]).toEqual([150, 1200]);
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (any) => {
        const truth = await truthOf(paymentScenario(any));
        expect([truth.failed.length, truth.meanMs]).toEqual([150, 1200]);
      }),
      { seed, numRuns: 5 },
    );
  });

  test("healthy before: no warning, no error, no request above 300 ms", async () => {
    const rows = await collectRows(recording, BASELINE);
    expect(rows.filter((row) => / (WARN|ERROR) 1 --- /.test(String(row._raw)))).toEqual([]);
    expect(Math.max(...requestsIn(rows).map((r) => r.latencyMs))).toBeLessThan(300);
  });

  test("between 10,000 and 20,000 events in the window, newest first", async () => {
    const rows = await collectRows(recording, WINDOW);
    expect(rows.length).toBeGreaterThan(10_000);
    expect(rows.length).toBeLessThan(20_000);
    const times = rows.map((row) => String(row._time));
    expect(times).toEqual([...times].sort().reverse());
    expect(rows.every((row) => String(row._raw).startsWith(String(row._time).slice(0, 23)))).toBe(
      true,
    );
  });

  test("the pool's own lines: 128 wait at the worst, and the stack names the root exception", async () => {
    const raws = (await collectRows(recording, WINDOW)).map((row) => String(row._raw));
    const stats = raws.flatMap((raw) => /stats \(.*waiting=(\d+)\)$/.exec(raw)?.slice(1) ?? []);
    expect(stats.length).toBe(150);
    expect(Math.max(...stats.map(Number))).toBe(128);
    const caused = raws.filter((raw) =>
      /\nCaused by: java\.sql\.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 300\d\dms\.\n/.test(
        raw,
      ),
    );
    expect(caused.length).toBe(150);
  });

  test("the Splunk stand-in serves it whole", async () => {
    const sim = startSplunkSim({ rows: recording.logRows, tokens: ["token-1"] });
    const body = new URLSearchParams({
      search: "search index=main",
      output_mode: "json",
      earliest_time: String(WINDOW.earliestMs / 1_000),
      latest_time: String(WINDOW.latestMs / 1_000),
      preview: "false",
    });
    const response = await fetch(`${sim.url}/services/search/v2/jobs/export`, {
      method: "POST",
      headers: { Authorization: "Bearer token-1" },
      body,
    });
    const lines = (await response.text()).split("\n").filter((line) => line.includes('"result"'));
    await sim.stop();
    expect(lines.length).toBe((await collectRows(recording, WINDOW)).length);
  });

  test("the same seed gives the same rows and metrics, another seed others", async () => {
    const text = async (r: Recording) =>
      JSON.stringify(await collectRows(r, WINDOW)) +
      (await Array.fromAsync(r.openMetrics())).join("");
    const hash = async (r: Recording) => Bun.hash(await text(r));
    expect(await hash(paymentScenario(7))).toBe(await hash(paymentScenario(7)));
    expect(await hash(paymentScenario(8))).not.toBe(await hash(paymentScenario(7)));
  });
});

describe("payment metrics in a real Prometheus", () => {
  let server: PrometheusServer;
  let dataDir: string;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "petrel-prometheus-"));
    const promtool = (await programForTests("promtool")).path;
    const prometheus = (await programForTests("prometheus")).path;
    const openMetrics = paymentScenario().openMetrics();
    await backfillPrometheus({ promtool, openMetrics, dataDir });
    server = await startPrometheus({ prometheus, dataDir });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function payment(expression: string, timeMs = WINDOW.latestMs): Promise<number> {
    const points = await instantVector(server.url, `sum by (application) (${expression})`, timeMs);
    return points.find((p) => p.labels.application === "payment-service")?.value ?? Number.NaN;
  }
  // A counter's value at the two ends of the window, so that no extrapolation is in it.
  async function grownBy(metric: string): Promise<number> {
    return (await payment(metric)) - (await payment(metric, WINDOW.earliestMs));
  }

  test("the counters agree with the logs", async () => {
    expect(await grownBy('http_server_requests_seconds_count{status="500"}')).toBe(150);
    expect(await grownBy("hikaricp_connections_timeout_total")).toBe(150);
    expect(await grownBy('logback_events_total{level="error"}')).toBe(300);
    const meanS =
      (await grownBy("http_server_requests_seconds_sum")) /
      (await grownBy("http_server_requests_seconds_count"));
    expect(meanS).toBeCloseTo(1.2, 6);
  });

  test("at the end 12 failures a minute, though the window's average is 30", async () => {
    const rate = 'rate(http_server_requests_seconds_count{status="500"}[1m]) * 60';
    expect(await payment(rate)).toBeCloseTo(12, 6);
  });

  test("heap at 95 %, pool full, up to 128 waiting; all healthy before", async () => {
    const heap = "jvm_memory_used_bytes{area='heap'} / jvm_memory_max_bytes{area='heap'}";
    expect((await payment(heap)) / 2).toBeCloseTo(0.95, 2);
    expect((await payment(heap, WINDOW.earliestMs)) / 2).toBeLessThan(0.65);
    expect(await payment("hikaricp_connections_active")).toBe(20);
    const points = await instantVector(
      server.url,
      "max(max_over_time(hikaricp_connections_pending[5m]))",
      WINDOW.latestMs,
    );
    expect(points[0]?.value).toBe(128);
    expect(await payment("hikaricp_connections_pending", WINDOW.earliestMs - 1)).toBe(0);
  });
});
