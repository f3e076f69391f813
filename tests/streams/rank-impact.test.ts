/** Ranking by what a change cost: time waited and requests failed, along the call graph. */
import { describe, expect, test } from "bun:test";
import type { Finding, ServiceSummary, SourceReport } from "../../streams/findings.ts";
import { rankCauses } from "../../streams/rank/causes.ts";
import { impactOf } from "../../streams/rank/impact.ts";
import { reportOf } from "./detect-fixtures.ts";

const slow = (service: string, value: number, baseline: number, score = 15): Finding => ({
  id: `metrics-${service.length}${Math.round(value)}`,
  kind: "metric_deviation",
  service,
  resource: "latency",
  summary: `Mean latency at ${value} ms.`,
  score,
  anomalous: score >= 10,
  direction: "up",
  value,
  baseline,
  unit: "ms",
  metric: "http_latency_mean",
});

const failing = (service: string, value: number, score = 15): Finding => ({
  ...slow(service, value, 100, score),
  resource: "errors",
  direction: "down",
  unit: "%",
  metric: "availability",
});

function reportWith(
  findings: readonly Finding[],
  requests: Readonly<Record<string, number>>,
  calls: readonly (readonly [caller: string, callee: string])[],
): SourceReport {
  const services: ServiceSummary[] = Object.entries(requests).map(([service, count]) => ({
    service,
    requests: count,
  }));
  const dependencies = calls.map(([caller, callee]) => ({ caller, callee, count: 1 }));
  return { ...reportOf("metrics", findings, dependencies), services };
}

const CHAIN = [
  ["front", "search"],
  ["search", "table"],
] as const;

describe("ranking by amounts", () => {
  const order = (report: SourceReport) => rankCauses([report]).causes.map((cause) => cause.service);

  test("the last of a slow chain is the cause, its callers are affected", () => {
    const requests = { front: 500, search: 800, table: 900 };
    const all = [slow("front", 500, 100), slow("search", 260, 10), slow("table", 220, 4)];
    const { causes } = rankCauses([reportWith(all, requests, CHAIN)]);
    expect(causes[0]?.service).toBe("table");
    expect(causes[0]?.affected).toEqual(expect.arrayContaining(["front", "search"]));
    expect(causes[0]?.confidence).toBeGreaterThan(0.6);
  });

  test("a callee that is surely slower, but by too little, does not excuse its caller", () => {
    const requests = { search: 800, table: 900 };
    const all = [slow("search", 260, 10, 12), slow("table", 6, 4, 30)];
    expect(order(reportWith(all, requests, CHAIN))[0]).toBe("search");
  });

  test("of two that no callee explains, the one that cost more", () => {
    const all = [slow("quiet", 900, 10, 30), slow("busy", 110, 10, 12)];
    expect(order(reportWith(all, { quiet: 20, busy: 900 }, []))[0]).toBe("busy");
  });

  test("failures are explained by failures, and waiting by waiting", () => {
    const requests = { front: 500, search: 800, table: 900 };
    const fails = [failing("front", 97), failing("search", 97), slow("table", 6, 4)];
    expect(order(reportWith(fails, requests, CHAIN))[0]).toBe("search");
  });

  test("a callee without metrics cannot be named: its caller is", () => {
    const calls = [...CHAIN, ["table", "disk"]] as const;
    const report = reportWith([slow("table", 220, 4)], { table: 900 }, calls);
    expect(order(report)).toEqual(["table"]);
    expect(rankCauses([report]).causes[0]?.next.join(" ")).toContain("Look at disk too");
  });

  test("what was as slow before the window explains less than what began with it", () => {
    const before = { ...slow("front", 300, 100), recent: 295 };
    const since = { ...slow("search", 60, 10), recent: 11 };
    const report = reportWith([before, since], { front: 500, search: 800 }, []);
    expect(order(report)[0]).toBe("search");
  });

  test("an incident that goes on keeps its cause", () => {
    const requests = { front: 500, search: 800, table: 900 };
    const all = [slow("front", 500, 100), slow("search", 260, 10), slow("table", 220, 4)];
    const on = all.map((one) => ({ ...one, recent: one.value ?? 0 }));
    expect(order(reportWith(on, requests, CHAIN))[0]).toBe("table");
  });

  test("calls by configuration count as those of a source", () => {
    const requests = { front: 500, search: 800 };
    const report = reportWith([failing("front", 95), failing("search", 97)], requests, []);
    const dependencies = [{ caller: "front", callee: "search" }];
    const [first] = rankCauses([report], { dependencies }).causes;
    expect(first?.service).toBe("search");
    expect(first?.affected).toEqual(["front"]);
  });

  test("a second lost in a gap is not explained by a callee's milliseconds, nor beside it", () => {
    const delay = (service: string, value: number, score: number): Finding => ({
      id: `logs-${value}`,
      kind: "edge_delay",
      service,
      resource: "network",
      peer: "client",
      summary: `Requests wait ${value} ms.`,
      score,
      anomalous: true,
      direction: "up",
      value,
      baseline: 1,
      unit: "ms",
    });
    const calls = [{ caller: "front", callee: "search", count: 9 }];
    const slowest = [delay("front", 1_000, 6), delay("search", 4, 8), delay("other", 300, 5)];
    const named = (findings: readonly Finding[]) =>
      rankCauses([reportOf("logs", findings, calls)]).causes.map((cause) => cause.service);
    expect(named(slowest)).toEqual(["front", "other"]);
    expect(named([delay("front", 1_000, 6), delay("search", 900, 6)])[0]).toBe("search");
  });

  test("cycles of calls end", () => {
    const calls = [...CHAIN, ["table", "front"]] as const;
    const requests = { front: 500, search: 800, table: 900 };
    const all = [slow("front", 500, 100), slow("search", 260, 10), slow("table", 220, 4)];
    expect(order(reportWith(all, requests, calls)).length).toBeGreaterThan(0);
  });
});

describe("impactOf", () => {
  test("is milliseconds or requests over the window, and nothing without requests", () => {
    const requests = new Map([["a", 200]]);
    expect(impactOf(slow("a", 30, 10), requests)).toEqual({ kind: "waiting", amount: 4_000 });
    expect(impactOf(failing("a", 95), requests)).toEqual({ kind: "failing", amount: 10 });
    const known = { ...slow("a", 30, 10), recent: 20 };
    expect(impactOf(known, requests)).toEqual({ kind: "waiting", amount: 2_500 });
    expect(impactOf(slow("b", 30, 10), requests)).toBeUndefined();
    expect(impactOf(slow("a", 10, 30), requests)).toBeUndefined();
    expect(impactOf({ ...slow("a", 30, 10), metric: "cpu" }, requests)).toBeUndefined();
  });
});
