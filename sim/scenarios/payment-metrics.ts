/**
 * The metrics of the payment scenario as Micrometer's Prometheus registry exposes them, scraped
 * every 15 s from 14:00:00 to 14:25:00. Request, connection and log counts are counted from the
 * scenario's own requests and events; heap, processor and collector figures are curves. Pure.
 */
import {
  END_OF_METRICS,
  familyHead,
  type Labels,
  type MetricType,
  sample,
  seriesName,
} from "../replay/openmetrics.ts";
import type { LogEvent } from "./payment-logs.ts";
import { endMs, PAYMENT_WINDOW, START_MS } from "./payment-plan.ts";
import {
  type Call,
  type PaymentServiceName,
  REPLICAS,
  SERVICE_NAMES,
  type Traffic,
} from "./payment-traffic.ts";

const SCRAPE_MS = 15_000;
const SCRAPES_MS: readonly number[] = Array.from(
  { length: (PAYMENT_WINDOW.endMs - START_MS) / SCRAPE_MS + 1 },
  (_, index) => START_MS + index * SCRAPE_MS,
);
const MIB = 1024 * 1024;
const HEAP_MAX_BYTES = 512 * MIB;
const POOL_SIZE = 10;
const HEAP_SHARE_HEALTHY = 0.55;
export const HEAP_SHARE_FAULTY = 0.95;

interface Replica {
  readonly service: PaymentServiceName;
  readonly replica: number;
  readonly labels: Labels;
  readonly isFaulty: boolean;
}

/** Labels and the value at each scrape. */
type Series = readonly [name: string, labels: Labels, valueAt: (timeMs: number) => number];

interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly series: readonly Series[];
}

export function* paymentMetrics(traffic: Traffic, events: readonly LogEvent[]): Generator<string> {
  const replicas = allReplicas();
  const families = [
    serverRequests(traffic.calls),
    clientRequests(traffic.calls),
    ...poolFamilies(replicas, traffic),
    logEvents(events),
    ...processFamilies(replicas),
  ];
  for (const family of families) {
    yield familyHead(family.name, family.type, family.help);
    for (const [name, labels, valueAt] of family.series) {
      const series = seriesName(name, labels);
      yield SCRAPES_MS.map((timeMs) => sample(series, valueAt(timeMs), timeMs)).join("");
    }
  }
  yield END_OF_METRICS;
}

/** `instance` as a scrape sets it: one address for each replica. */
function labelsOf(service: PaymentServiceName, replica: number): Labels {
  const host = 10 + SERVICE_NAMES.indexOf(service) * 10 + replica;
  return { application: service, instance: `10.42.0.${host}:8080` };
}

function allReplicas(): Replica[] {
  return SERVICE_NAMES.flatMap((service) =>
    Array.from({ length: REPLICAS[service] }, (_, replica) => ({
      service,
      replica,
      labels: labelsOf(service, replica),
      isFaulty: service === "payment-service",
    })),
  );
}

/** `_count` and `_sum` of calls grouped by their labels; a call counts once it has ended. */
function timerSeries(
  name: string,
  calls: readonly Call[],
  labelsOfCall: (call: Call) => Labels,
): Series[] {
  const groups = Map.groupBy(calls, (call) => JSON.stringify(labelsOfCall(call)));
  return [...groups.values()].flatMap((group): Series[] => {
    const [first] = group;
    if (first === undefined) return [];
    const labels = labelsOfCall(first);
    const total = cumulative(group.map((call) => [endMs(call), call.latencyMs]));
    return [
      [`${name}_count`, labels, (timeMs) => total(timeMs).count],
      [`${name}_sum`, labels, (timeMs) => total(timeMs).sum / 1_000],
    ];
  });
}

/** Count and sum of the entries before an instant. Entries are in order of time. */
function cumulative(
  entries: readonly (readonly [timeMs: number, value: number])[],
): (timeMs: number) => { count: number; sum: number } {
  const sums = [0];
  for (const [, value] of entries) sums.push((sums.at(-1) ?? 0) + value);
  return (timeMs) => {
    const found = entries.findIndex(([atMs]) => atMs >= timeMs);
    const count = found === -1 ? entries.length : found;
    return { count, sum: sums[count] ?? 0 };
  };
}

function serverRequests(calls: readonly Call[]): Family {
  const name = "http_server_requests_seconds";
  const series = timerSeries(name, calls, (call) => ({
    ...labelsOf(call.service, call.replica),
    uri: call.uri,
    method: call.method,
    status: String(call.status),
    outcome: outcomeOf(call),
    exception: call.ending === "pool_timeout" ? "CannotCreateTransactionException" : "none",
  }));
  return { name, type: "summary", help: "Duration of HTTP server request handling", series };
}

/** What order-service sees of payment-service: the symptom beside the cause. */
function clientRequests(calls: readonly Call[]): Family {
  const name = "http_client_requests_seconds";
  const charges = calls.filter(
    (call) => call.service === "payment-service" && call.uri === "/api/v1/payments",
  );
  const series = timerSeries(name, charges, (call) => ({
    ...labelsOf("order-service", call.replica),
    client_name: "payment-service",
    uri: call.uri,
    method: call.method,
    status: String(call.status),
    outcome: outcomeOf(call),
  }));
  return { name, type: "summary", help: "Duration of HTTP client requests", series };
}

function outcomeOf(call: Call): string {
  return call.status >= 500 ? "SERVER_ERROR" : "SUCCESS";
}

function poolFamilies(replicas: readonly Replica[], traffic: Traffic): Family[] {
  const pooled = replicas.filter(({ service }) =>
    ["payment-service", "order-service", "ledger-service"].includes(service),
  );
  const pending = (at: Replica) => (timeMs: number) =>
    at.isFaulty ? traffic.waitingAt(at.replica, timeMs) : 0;
  const active = (at: Replica) => (timeMs: number) =>
    at.isFaulty && isBroken(timeMs) ? POOL_SIZE : 1 + wave(timeMs, at.replica, 2);
  const gauge = (
    name: string,
    help: string,
    valueOf: (at: Replica) => (timeMs: number) => number,
  ): Family => ({
    name,
    type: "gauge",
    help,
    series: pooled.map((at): Series => [name, { ...at.labels, pool: "HikariPool-1" }, valueOf(at)]),
  });
  return [
    gauge("hikaricp_connections", "Total connections", () => () => POOL_SIZE),
    gauge("hikaricp_connections_max", "Max connections", () => () => POOL_SIZE),
    gauge("hikaricp_connections_min", "Min connections", () => () => POOL_SIZE),
    gauge("hikaricp_connections_active", "Active connections", active),
    gauge("hikaricp_connections_idle", "Idle connections", (at) => {
      const activeAt = active(at);
      return (timeMs) => POOL_SIZE - activeAt(timeMs);
    }),
    gauge("hikaricp_connections_pending", "Pending threads", pending),
    timeoutFamily(pooled, traffic.calls),
  ];
}

function timeoutFamily(pooled: readonly Replica[], calls: readonly Call[]): Family {
  return {
    name: "hikaricp_connections_timeout",
    type: "counter",
    help: "Connection timeout total count",
    series: pooled.map(({ service, replica, labels }): Series => {
      const mine = calls.filter(
        (call) =>
          call.ending === "pool_timeout" && call.service === service && call.replica === replica,
      );
      const total = cumulative(mine.map((call) => [endMs(call), 1]));
      return [
        "hikaricp_connections_timeout_total",
        { ...labels, pool: "HikariPool-1" },
        (timeMs) => total(timeMs).count,
      ];
    }),
  };
}

function logEvents(events: readonly LogEvent[]): Family {
  const groups = Map.groupBy(events, (e) => `${e.service} ${e.replica} ${e.level}`);
  const series = [...groups.values()].flatMap((group): Series[] => {
    const [first] = group;
    if (first === undefined) return [];
    const total = cumulative(group.map((e) => [e.timeMs, 1]));
    const labels = { ...labelsOf(first.service, first.replica), level: first.level.toLowerCase() };
    return [["logback_events_total", labels, (timeMs) => total(timeMs).count]];
  });
  return { name: "logback_events", type: "counter", help: "Log events that were enabled", series };
}

function processFamilies(replicas: readonly Replica[]): Family[] {
  const heapUsed = (at: Replica) => (timeMs: number) =>
    Math.round(HEAP_MAX_BYTES * heapShare(at, timeMs));
  const perReplica = (
    name: string,
    type: MetricType,
    help: string,
    series: (at: Replica) => readonly Series[],
  ): Family => ({ name, type, help, series: replicas.flatMap(series) });
  const oldGen = (at: Replica) => ({ ...at.labels, area: "heap", id: "Tenured Gen" });
  const gc = (at: Replica) => ({
    ...at.labels,
    action: "end of major GC",
    cause: "Allocation Failure",
    gc: "MarkSweepCompact",
  });
  return [
    perReplica("jvm_memory_used_bytes", "gauge", "The amount of used memory", (at) => [
      ["jvm_memory_used_bytes", oldGen(at), heapUsed(at)],
    ]),
    perReplica("jvm_memory_max_bytes", "gauge", "The maximum amount of memory", (at) => [
      ["jvm_memory_max_bytes", oldGen(at), () => HEAP_MAX_BYTES],
    ]),
    perReplica("process_cpu_usage", "gauge", "Recent cpu usage of the process", (at) => [
      ["process_cpu_usage", at.labels, (timeMs) => cpuUsage(at, timeMs)],
    ]),
    perReplica("jvm_gc_pause_seconds", "summary", "Time spent in GC pause", (at) => [
      ["jvm_gc_pause_seconds_count", gc(at), (timeMs) => gcPauses(at, timeMs)],
      ["jvm_gc_pause_seconds_sum", gc(at), (timeMs) => gcPauses(at, timeMs) * 0.12],
    ]),
  ];
}

/** Rises for two minutes from the start of the fault, then stays: the waiting requests hold it. */
function heapShare(at: Replica, timeMs: number): number {
  const healthy = HEAP_SHARE_HEALTHY + 0.01 * wave(timeMs, at.replica, 4);
  if (!at.isFaulty) return healthy;
  const risen = Math.min(1, Math.max(0, (timeMs - PAYMENT_WINDOW.startMs) / 120_000));
  return healthy + (HEAP_SHARE_FAULTY - healthy) * risen;
}

function cpuUsage(at: Replica, timeMs: number): number {
  const idle = 0.08 + 0.01 * wave(timeMs, at.replica, 3);
  return Number((at.isFaulty && isBroken(timeMs) ? idle + 0.22 : idle).toFixed(4));
}

/** One a minute while healthy, one every five seconds once the heap is nearly full. */
function gcPauses(at: Replica, timeMs: number): number {
  const fullMs = at.isFaulty ? Math.max(0, timeMs - (PAYMENT_WINDOW.startMs + 60_000)) : 0;
  return Math.floor((timeMs - START_MS) / 60_000) + Math.floor(fullMs / 5_000);
}

function isBroken(timeMs: number): boolean {
  return timeMs > PAYMENT_WINDOW.startMs;
}

/** A small whole number from 0 to `max` that wanders with time, different in each replica. */
function wave(timeMs: number, replica: number, max: number): number {
  const step = Math.floor(timeMs / SCRAPE_MS) + replica * 7;
  return (Math.imul(step, 0x9e3779b1) >>> 16) % (max + 1);
}
