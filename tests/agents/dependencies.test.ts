import { expect, test } from "bun:test";
import type { MetricSeries, MetricSource } from "../../agents/metrics/agent.ts";
import { DEPENDENCY_QUERIES, readDependencies } from "../../agents/metrics/dependencies.ts";

const WINDOW = { startMs: 1_000_000, endMs: 1_300_000 };

/** Answers each query with the series of the first word it holds; any other with none. */
function sourceOf(series: Readonly<Record<string, readonly MetricSeries[]>>) {
  const asked: string[] = [];
  const source: MetricSource = {
    name: "fixture",
    range: async (promql) => {
      asked.push(promql);
      const word = Object.keys(series).find((one) => promql.includes(one));
      return { series: word === undefined ? [] : (series[word] ?? []), cut: false };
    },
  };
  return { source, asked };
}

const calls = (labels: Record<string, string>, value: number): MetricSeries => ({
  labels,
  samples: [{ timeMs: WINDOW.endMs, value }],
});

function read(series: Readonly<Record<string, readonly MetricSeries[]>>) {
  const { source, asked } = sourceOf(series);
  const reading = { source, queries: DEPENDENCY_QUERIES, serviceLabels: ["service", "app"] };
  const answer = readDependencies(
    { ...reading, rangeMs: 120_000 },
    WINDOW,
    new AbortController().signal,
  );
  return { answer, asked };
}

test("service graphs, meshes and HTTP clients tell who calls whom; the same call is one", async () => {
  const { answer, asked } = read({
    traces_service_graph: [calls({ client: "shop", server: "payment" }, 40)],
    istio_requests: [calls({ source_workload: "shop", destination_workload: "stock" }, 9)],
    http_client_requests: [
      calls({ app: "shop", client_name: "payment.shop.svc.cluster.local:8080" }, 2),
      calls({ app: "shop", client_name: "10.0.0.7:443" }, 1),
    ],
  });
  expect(await answer).toEqual([
    { caller: "shop", callee: "payment", count: 42 },
    { caller: "shop", callee: "stock", count: 9 },
    { caller: "shop", callee: "10.0.0.7", count: 1 },
  ]);
  expect(asked.every((promql) => !promql.includes("$") && promql.length < 200)).toBe(true);
  expect(asked[2]).toContain("sum by (service, app, client_name)");
});

test.each<[string, Record<string, string>, number]>([
  ["nobody by name", { client: "unknown", server: "payment" }, 3],
  ["no label", { client: "shop" }, 3],
  ["itself", { client: "shop", server: "shop:80" }, 3],
  ["no call", { client: "shop", server: "payment" }, 0],
  ["no number", { client: "shop", server: "payment" }, Number.NaN],
  ["a name without end", { client: "shop", server: "x".repeat(10_000) }, 3],
])("%s is no dependency", async (_what, labels, value) => {
  expect(await read({ traces_service_graph: [calls(labels, value)] }).answer).toEqual([]);
});
