/**
 * What each sort of finding says about a cause. A table: the ranking multiplies and compares, it knows
 * no metric and no log line.
 */
import type { Finding, Resource } from "../findings.ts";

export interface Family {
  readonly name: string;
  /** Evidence of this family counts so much; 1 for what points at the culprit itself. */
  readonly weight: number;
  /**
   * Whether callers of a broken service show it too, so that a callee may explain it: never; only when
   * the callee's fault names itself; always.
   */
  readonly symptom: "never" | "of named" | "always";
  /** True when it names a fault of the service itself: a scarce resource. */
  readonly named: boolean;
  /** The mechanism it suggests; undefined when it only supports others. */
  readonly mechanism?: string;
}

const NAMED_FAMILIES: ReadonlySet<string> = new Set(["pool", "memory", "cpu", "threads", "disk"]);

const family = (
  name: string,
  weight: number,
  symptom: Family["symptom"],
  mechanism?: string,
): Family => ({
  name,
  weight,
  symptom,
  named: NAMED_FAMILIES.has(name),
  ...(mechanism === undefined ? {} : { mechanism }),
});

const BY_RESOURCE: Readonly<Record<Resource, Family>> = {
  connection_pool: family("pool", 1.2, "never", "database connection pool exhausted"),
  jvm_memory: family("memory", 0.9, "never", "memory pressure"),
  gc: family("memory", 0.9, "never", "memory pressure"),
  memory: family("memory", 0.6, "never", "memory pressure"),
  cpu: family("cpu", 1, "never", "cpu contention"),
  threads: family("threads", 1, "never", "threads exhausted"),
  disk: family("disk", 1, "never", "disk full"),
  network: family("network", 0.2, "always"),
  traffic: family("traffic", 0.2, "always"),
  latency: family("latency", 0.6, "always", "slow responses"),
  errors: family("errors", 0.8, "always", "errors"),
};

/** Latencies of single metrics are full of accidents, and they rise in every caller. */
const LATENCY_METRIC = family("latency", 0.4, "always", "slow responses");

const EXCEPTION = family("path", 1, "always", "throws exceptions");
const WRONG_DATA = family("path", 1, "always", "returns wrong data");
const OTHER_PATH = family("path", 1, "of named", "code path changed");
/** The caller of a slow service waits too: with both ends equally slow the callee is meant. */
const DELAY = family("delay", 1, "always", "network delay");
const SLOW_INSIDE = family("delay", 1, "of named", "slow responses");
const ERROR_TEXT = family("errors", 0.8, "always", "throws exceptions");
const SILENCE = family("silence", 1, "never", "stopped logging");
const OTHER_TEXT = family("text", 0.5, "always");

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
    if (resource === "traffic") return SILENCE;
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
