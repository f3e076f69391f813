/**
 * Who calls whom, as metrics know it: service graphs made from traces, a service mesh, and the clients of
 * Spring's own HTTP metrics. A query without an answer is no fault: most systems have one of these.
 */
import type { Window } from "../../core/mod.ts";
import type { Dependency } from "../../streams/mod.ts";
import type { MetricSeries, MetricSource } from "./agent.ts";
import { fillQuery } from "./catalogue.ts";

export interface DependencyQuery {
  /** Calls of the window, by the two labels; `$service` and `$window` are filled in. */
  readonly promql: string;
  /** The label that names the caller; `$service` for the first of the service labels that is there. */
  readonly caller: string;
  readonly callee: string;
}

export const DEPENDENCY_QUERIES: readonly DependencyQuery[] = [
  {
    promql: "sum by (client, server) (increase(traces_service_graph_request_total[$window]))",
    caller: "client",
    callee: "server",
  },
  {
    promql:
      'sum by (source_workload, destination_workload) (increase(istio_requests_total{reporter="source"}[$window]))',
    caller: "source_workload",
    callee: "destination_workload",
  },
  {
    promql:
      "sum by ($service, client_name) (increase(http_client_requests_seconds_count[$window]))",
    caller: "$service",
    callee: "client_name",
  },
];

const DEPENDENCIES_MAX = 2_000;
const NAME_CHARS_MAX = 200;
/** What metric systems write where they do not know. */
const NOBODY = new Set(["", "unknown", "none", "localhost", "user"]);

/** A service of Kubernetes by its name in the cluster's DNS. */
const CLUSTER_HOST = /^[\w-]{1,63}\.[\w-]{1,63}\.svc(?:\.|$)/;

export interface DependencyReading {
  readonly source: MetricSource;
  readonly queries: readonly DependencyQuery[];
  readonly serviceLabels: readonly string[];
  readonly rangeMs: number;
}

/** The calls of a window, most first, at most 2,000. Throws as {@link MetricSource.range} does. */
export async function readDependencies(
  reading: DependencyReading,
  window: Window,
  signal: AbortSignal,
): Promise<Dependency[]> {
  const windowMs = window.endMs - window.startMs;
  const at = { startMs: window.endMs, endMs: window.endMs, stepMs: windowMs };
  const counts = new Map<string, Dependency>();
  for (const query of reading.queries) {
    const promql = fillQuery(query.promql, { ...reading, windowMs });
    const { series } = await reading.source.range(promql, at, signal);
    for (const one of series) add(counts, dependencyOf(reading, query, one));
  }
  return [...counts.values()].sort((a, b) => b.count - a.count).slice(0, DEPENDENCIES_MAX);
}

function add(counts: Map<string, Dependency>, one: Dependency | undefined): void {
  if (one === undefined) return;
  const key = `${one.caller}>${one.callee}`;
  counts.set(key, { ...one, count: one.count + (counts.get(key)?.count ?? 0) });
}

function dependencyOf(
  { serviceLabels }: DependencyReading,
  query: DependencyQuery,
  { labels, samples }: MetricSeries,
): Dependency | undefined {
  const named = query.caller === "$service" ? serviceLabels : [query.caller];
  const caller = nameOf(named.map((label) => labels[label]).find(Boolean));
  const callee = nameOf(labels[query.callee]);
  const count = samples.at(-1)?.value ?? Number.NaN;
  if (caller === undefined || callee === undefined || caller === callee || !(count > 0)) {
    return undefined;
  }
  return { caller, callee, count };
}

/** A workload's or host's name: `orders.shop.svc.cluster.local:8080` is `orders`, `com.acme.pay` itself. */
function nameOf(label: string | undefined): string | undefined {
  const host = (label ?? "").replace(/:\d{1,5}$/, "");
  const name = CLUSTER_HOST.test(host) ? host.slice(0, host.indexOf(".")) : host;
  return NOBODY.has(name) || name.length > NAME_CHARS_MAX ? undefined : name;
}
