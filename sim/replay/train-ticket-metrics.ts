/**
 * Train-Ticket's recorded pod metrics under the names a cluster with cAdvisor, kube-state-metrics
 * and a service mesh has. Pure: columns in, OpenMetrics text out.
 *
 * The source gives rates over the minute that ends at the sample. A counter is the sum of rate times
 * the seconds since the sample before, so `rate()` over two neighbouring samples returns the
 * recorded figure. Samples are a minute apart: a PromQL range needs at least `[2m]`.
 */
import type { Column, MetricColumn, PodMetrics } from "./format.ts";
import {
  END_OF_METRICS,
  familyHead,
  type Labels,
  type MetricType,
  sample,
  seriesName,
} from "./openmetrics.ts";

const NAMESPACE = "train-ticket";
const MIB = 1024 * 1024;
/** A hole longer than this in a pod's samples adds nothing to its counters: nobody measured it. */
const HOLE_S = 180;

interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly series: (pod: PodMetrics) => Series[];
}

interface Series {
  readonly name: string;
  readonly values: readonly number[];
}

/** One family after another; within it pod by pod, each in time order. */
export function* trainTicketMetrics(pods: readonly PodMetrics[]): Generator<string> {
  for (const family of FAMILIES) {
    yield familyHead(family.name, family.type, family.help);
    for (const pod of pods) {
      for (const series of family.series(pod)) yield seriesText(series, pod.timesS);
    }
  }
  yield END_OF_METRICS;
}

function seriesText(series: Series, timesS: readonly number[]): string {
  return timesS
    .map((timeS, index) => sample(series.name, series.values[index] ?? NaN, timeS * 1_000))
    .join("");
}

const FAMILIES: readonly Family[] = [
  {
    name: "container_cpu_usage_seconds",
    type: "counter",
    help: "Cumulative cpu time consumed",
    series: (pod) =>
      isMeasured(pod.columns.cpuMillicores)
        ? [counter(pod, "container_cpu_usage_seconds_total", "cpuMillicores", 1e-3)]
        : [],
  },
  {
    name: "container_memory_working_set_bytes",
    type: "gauge",
    help: "Current working set",
    series: (pod) =>
      isMeasured(pod.columns.memoryMiB)
        ? [gauge("container_memory_working_set_bytes", container(pod), pod.columns.memoryMiB, MIB)]
        : [],
  },
  {
    name: "kube_pod_container_resource_limits",
    type: "gauge",
    help: "The number of requested limit resource by a container",
    series: limits,
  },
  {
    name: "container_network_receive_bytes",
    type: "counter",
    help: "Cumulative count of bytes received",
    series: (pod) => [counter(pod, "container_network_receive_bytes_total", "receiveBytesPerS", 1)],
  },
  {
    name: "container_network_transmit_bytes",
    type: "counter",
    help: "Cumulative count of bytes transmitted",
    series: (pod) => [
      counter(pod, "container_network_transmit_bytes_total", "transmitBytesPerS", 1),
    ],
  },
  {
    name: "pod_request_latency_seconds",
    type: "summary",
    help: "Latency of the requests a pod answered (server) or made (client) in the last minute",
    series: (pod) => [latency(pod, "server"), latency(pod, "client")],
  },
  {
    name: "pod_requests_per_second",
    type: "gauge",
    help: "Requests a pod answered, averaged over the last minute",
    series: (pod) => [gauge("pod_requests_per_second", podOnly(pod), pod.columns.requestsPerS, 1)],
  },
];

/** No container runs without memory or processor time: a column of zeros was not measured. */
function isMeasured(column: Column): boolean {
  return column.some((value) => value !== null && value > 0);
}

function podOnly(pod: PodMetrics): Labels {
  return { namespace: NAMESPACE, pod: pod.pod };
}

function container(pod: PodMetrics): Labels {
  return { ...podOnly(pod), container: pod.container };
}

function gauge(name: string, labels: Labels, column: Column, factor: number): Series {
  return {
    name: seriesName(name, labels),
    values: column.map((value) => (value === null ? NaN : value * factor)),
  };
}

function latency(pod: PodMetrics, side: "server" | "client"): Series {
  const labels = { ...podOnly(pod), side, quantile: "0.9" };
  const column = side === "server" ? "serverLatencyP90S" : "clientLatencyP90S";
  return gauge("pod_request_latency_seconds", labels, pod.columns[column], 1);
}

/** cAdvisor counts the network for a pod and interface, everything else for a container. */
function counter(pod: PodMetrics, name: string, column: MetricColumn, factor: number): Series {
  const isNetwork = name.startsWith("container_network");
  const labels = isNetwork ? { ...podOnly(pod), interface: "eth0" } : container(pod);
  let total = 0;
  const values = pod.timesS.map((timeS, index) => {
    const elapsedS = timeS - (pod.timesS[index - 1] ?? timeS);
    if (elapsedS < HOLE_S) total += (pod.columns[column][index] ?? 0) * factor * elapsedS;
    return Number(total.toFixed(6));
  });
  return { name: seriesName(name, labels), values };
}

/** The limit is usage over its percentage; a pod whose percentages are all zero has none. */
function limits(pod: PodMetrics): Series[] {
  const { cpuMillicores, cpuPercent, memoryMiB, memoryPercent } = pod.columns;
  const cpuCores = limitOf(cpuMillicores, cpuPercent) / 1_000;
  const memoryBytes = limitOf(memoryMiB, memoryPercent) * MIB;
  const series = (resource: string, unit: string, limit: number) => ({
    name: seriesName("kube_pod_container_resource_limits", { ...container(pod), resource, unit }),
    values: pod.timesS.map(() => limit),
  });
  return [
    ...(cpuCores > 0 ? [series("cpu", "core", cpuCores)] : []),
    ...(memoryBytes > 0 ? [series("memory", "byte", memoryBytes)] : []),
  ];
}

/** Median over the samples, in whole units of the usage; 0 when there is none. */
function limitOf(usage: Column, percent: Column): number {
  const ratios = usage.flatMap((used, index) => {
    const share = percent[index] ?? 0;
    return used !== null && share > 0 ? [(100 * used) / share] : [];
  });
  ratios.sort((a, b) => a - b);
  return Math.round(ratios[Math.floor(ratios.length / 2)] ?? 0);
}
