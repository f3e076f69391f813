/**
 * How many requests each sample of a service is about. A mean over three requests says less than one
 * over three thousand, and one failure of two is not half an outage. It decides nothing.
 */
import type { Window } from "../../core/mod.ts";
import type { ServiceSummary } from "../findings.ts";
import type { Series } from "../model.ts";
import { median } from "../stats.ts";

/** Requests per sample time, milliseconds UTC. */
export type Requests = ReadonlyMap<number, number>;

/** A mean over fewer requests in a window is no mean. */
const REQUESTS_MIN = 20;

const REQUESTS = /^(?:http_)?requests?(?:_|$)/;

/** Requests of each service's instances; see {@link exposureKey}. Rates are turned into counts. */
export function exposuresOf(series: readonly Series[]): Map<string, Requests> {
  const found = new Map<string, Requests>();
  for (const one of series) {
    const key = exposureKey(one);
    if (!REQUESTS.test(one.metric) || found.has(key)) continue;
    found.set(key, countsOf(one));
  }
  return found;
}

export function exposureKey({ service, instance }: Pick<Series, "service" | "instance">): string {
  return JSON.stringify([service, instance ?? ""]);
}

function countsOf({ timesMs, values, unit }: Series): Requests {
  const factor = perSample(unit, timesMs);
  const counts = new Map<number, number>();
  timesMs.forEach((timeMs, at) => {
    const value = values[at];
    if (value !== undefined && Number.isFinite(value) && value >= 0) {
      counts.set(timeMs, value * factor);
    }
  });
  return counts;
}

/** What turns the unit into requests per sample: a rate is multiplied by the step. */
function perSample(unit: string, timesMs: readonly number[]): number {
  const per = /\/\s*(s|sec|min|m|h)$/.exec(unit)?.[1];
  if (per === undefined) return 1;
  const steps = timesMs.slice(1).map((timeMs, at) => timeMs - (timesMs[at] ?? timeMs));
  const stepMs = median(steps);
  const unitMs = per === "h" ? 3_600_000 : per.startsWith("m") ? 60_000 : 1_000;
  return stepMs > 0 ? stepMs / unitMs : 1;
}

/** True when a mean over them says something, and when they are not known. */
export function areEnough(requests: readonly number[]): boolean {
  const known = requests.filter((count) => Number.isFinite(count));
  return known.length === 0 || known.reduce((sum, count) => sum + count, 0) >= REQUESTS_MIN;
}

interface Totals {
  requests?: number;
  timeMs: number;
  timed: number;
}

/**
 * What the metrics say of each service in the window: requests, and the mean latency over them in
 * milliseconds, where there are such series. Sorted by name.
 */
export function servicesOf(series: readonly Series[], window: Window): ServiceSummary[] {
  const exposures = exposuresOf(series);
  const totals = new Map<string, Totals>();
  const of = (service: string) => {
    const known = totals.get(service) ?? { timeMs: 0, timed: 0 };
    totals.set(service, known);
    return known;
  };
  const counted = new Set<string>();
  for (const one of series) {
    const key = exposureKey(one);
    const own = of(one.service);
    const requests = exposures.get(key);
    if (requests !== undefined && !counted.has(key)) {
      counted.add(key);
      own.requests = (own.requests ?? 0) + within(requests, window);
    }
    if (one.metric === "http_latency_mean") addLatency(own, one, requests, window);
  }
  return [...totals]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([service, { requests, timeMs, timed }]) => ({
      service,
      ...(requests === undefined ? {} : { requests }),
      ...(timed > 0 ? { latencyMeanMs: timeMs / timed } : {}),
    }));
}

function addLatency(
  own: Totals,
  { timesMs, values, unit }: Series,
  requests: Requests | undefined,
  window: Window,
): void {
  const factor = unit === "s" ? 1_000 : 1;
  timesMs.forEach((timeMs, at) => {
    const value = values[at];
    if (timeMs <= window.startMs || timeMs > window.endMs) return;
    if (value === undefined || !Number.isFinite(value) || value < 0) return;
    const weight = requests?.get(timeMs) ?? (requests === undefined ? 1 : 0);
    own.timeMs += value * factor * weight;
    own.timed += weight;
  });
}

function within(requests: Requests, { startMs, endMs }: Window): number {
  let sum = 0;
  for (const [timeMs, count] of requests) if (timeMs > startMs && timeMs <= endMs) sum += count;
  return sum;
}
