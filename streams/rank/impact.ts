/**
 * What a finding cost requests: milliseconds waited, or requests failed, in the window. Deviations say how
 * sure a change is; only amounts say whether a callee's change is large enough to be its caller's.
 */
import type { Finding, SourceReport } from "../findings.ts";

/** An amount can only be compared with one of its kind. */
export interface Impact {
  readonly kind: "waiting" | "failing" | "delay";
  /**
   * Of `waiting`, milliseconds of all requests together; of `failing`, requests; of `delay`, milliseconds
   * of one request in a gap between its lines. Greater than 0.
   */
  readonly amount: number;
}

/** Impacts by finding; see {@link impactsOf}. */
export type Impacts = ReadonlyMap<Finding, Impact>;

/**
 * Weight of a change against what is normal, the rest being the change against the time just before. A
 * service that was as slow then is not why others are slow since, and a normal learnt long ago is off by
 * as much for all of a chain. Not nothing: of an incident that goes on, only the first tells all.
 */
const OLD_SHARE = 0.25;

/** The impact of each delay, and of each finding of the metrics whose requests are known. */
export function impactsOf(reports: readonly SourceReport[]): Impacts {
  const requests = requestsIn(reports);
  const found = new Map<Finding, Impact>();
  for (const finding of reports.flatMap((report) => report.findings)) {
    const impact = impactOf(finding, requests);
    if (impact !== undefined) found.set(finding, impact);
  }
  return found;
}

/** Requests of each service in the window, as the metrics count them. */
function requestsIn(reports: readonly SourceReport[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { source, services } of reports) {
    if (source !== "metrics") continue;
    for (const { service, requests } of services) {
      if (requests !== undefined) found.set(service, requests);
    }
  }
  return found;
}

/** Undefined where the requests are not known, or the finding is about neither. */
export function impactOf(
  finding: Finding,
  requests: ReadonlyMap<string, number>,
): Impact | undefined {
  if (finding.kind === "edge_delay") return impactIf("delay", riseOf(finding));
  const count = requests.get(finding.service) ?? 0;
  if (finding.kind !== "metric_deviation") return undefined;
  const rise = riseOf(finding) * count;
  if (finding.metric === "http_latency_mean") return impactIf("waiting", rise);
  return finding.metric === "availability" ? impactIf("failing", -rise / 100) : undefined;
}

/** Against what is normal, and against the time just before where it is known; in the finding's unit. */
function riseOf({ value = 0, baseline = value, recent }: Finding): number {
  const old = value - baseline;
  return recent === undefined
    ? old
    : OLD_SHARE * old + (1 - OLD_SHARE) * Math.max(0, value - recent);
}

function impactIf(kind: Impact["kind"], amount: number): Impact | undefined {
  return amount > 0 && Number.isFinite(amount) ? { kind, amount } : undefined;
}
