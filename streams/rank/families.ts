/**
 * What each sort of finding says about a cause. A table: the ranking multiplies and compares, it knows
 * no metric and no log line.
 */
import type { Finding, Resource } from "../findings.ts";

export interface Family {
  readonly name: string;
  /** Evidence of this family counts so much; 1 for what points at the culprit itself. */
  readonly weight: number;
  /** True when callers of a broken service show it too, so that it may be explained by a callee. */
  readonly symptom: boolean;
  /** The mechanism it suggests; undefined when it only supports others. */
  readonly mechanism?: string;
}

const family = (name: string, weight: number, symptom: boolean, mechanism?: string): Family =>
  mechanism === undefined ? { name, weight, symptom } : { name, weight, symptom, mechanism };

const BY_RESOURCE: Readonly<Record<Resource, Family>> = {
  connection_pool: family("pool", 1.2, false, "database connection pool exhausted"),
  jvm_memory: family("memory", 0.9, false, "memory pressure"),
  gc: family("memory", 0.9, false, "memory pressure"),
  memory: family("memory", 0.6, false, "memory pressure"),
  cpu: family("cpu", 1, false, "cpu contention"),
  threads: family("threads", 1, false, "threads exhausted"),
  disk: family("disk", 1, false, "disk full"),
  network: family("network", 0.2, true),
  traffic: family("traffic", 0.2, true),
  latency: family("latency", 0.6, true, "slow responses"),
  errors: family("errors", 0.8, true, "errors"),
};

/** Latencies of single metrics are full of accidents, and they rise in every caller. */
const LATENCY_METRIC = family("latency", 0.4, true, "slow responses");

const EXCEPTION = family("path", 1, true, "throws exceptions");
const WRONG_DATA = family("path", 1, true, "returns wrong data");
const OTHER_PATH = family("path", 1, false, "code path changed");
/** The caller of a slow service waits too: with both ends equally slow the callee is meant. */
const DELAY = family("delay", 1, true, "network delay");
const SLOW_INSIDE = family("delay", 1, false, "slow responses");
const ERROR_TEXT = family("errors", 0.8, true, "throws exceptions");
const OTHER_TEXT = family("text", 0.5, true);

/** Scarce resources name themselves, whichever kind of finding tells of them. */
const NAMED: ReadonlySet<Resource> = new Set([
  "connection_pool",
  "jvm_memory",
  "gc",
  "threads",
  "disk",
]);

/** The family of one finding. */
export function familyOf(finding: Finding): Family {
  const { kind, resource } = finding;
  if (resource !== undefined && NAMED.has(resource)) return BY_RESOURCE[resource];
  if (kind === "path_change") return pathFamily(finding);
  if (kind === "edge_delay") return finding.peer === undefined ? SLOW_INSIDE : DELAY;
  if (kind === "template_new" || kind === "template_gone" || kind === "template_rate") {
    return resource === undefined ? OTHER_TEXT : ERROR_TEXT;
  }
  if (kind === "metric_deviation" && resource === "latency") return LATENCY_METRIC;
  return resource === undefined ? OTHER_TEXT : BY_RESOURCE[resource];
}

function pathFamily(finding: Finding): Family {
  if (finding.resource === undefined) return OTHER_PATH;
  // An error that a line of its own code reports follows wrong data; a way cut short, or a framework's
  // report of an exception, is a throw.
  const foreseen = finding.template !== undefined && finding.templateId === undefined;
  return foreseen && finding.exception === undefined ? WRONG_DATA : EXCEPTION;
}
