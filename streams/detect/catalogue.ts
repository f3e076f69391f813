/**
 * What the detectors know of each metric: which way is bad, what it says about the service, and from
 * how small a change on it is noise. Plain data. Names are those the metric sources use.
 */
import type { Resource } from "../findings.ts";
import type { ServiceRules } from "../rules.ts";
import type { SpreadFloor } from "../stats.ts";

export interface MetricTraits {
  readonly name: RegExp;
  /** Which deviation is a symptom. */
  readonly bad: "up" | "down" | "both";
  readonly resource: Resource;
  /** Least spread that is taken for normal; `absolute` in `unit`. */
  readonly floor: SpreadFloor;
  /** Its name in summaries, in front of a level or behind a count; the metric's own when empty. */
  readonly title: string;
  /** What a level is a share of, such as `of its limit`. */
  readonly share?: string;
  /** True for counts: `25 threads waiting`, not `threads at 25`. */
  readonly counts?: boolean;
  /** The threshold that holds for it, if any. */
  readonly rule?: keyof ServiceRules;
  /**
   * Which of the window's samples is held against the threshold. `last` is for a sample that covers
   * the whole window, `mean` for a mean; the default is `max`.
   */
  readonly ruleSample?: "max" | "mean" | "last";
  /**
   * True for a level that is full of accidents (bytes, requests): it supports a cause, but never makes
   * a window anomalous by itself.
   */
  readonly supportOnly?: boolean;
  /**
   * How the window's samples are held against the past. `peak`, the default: the largest of them.
   * `lasting`: the level half of them reach. `share`: percent of requests that did well, counted.
   */
  readonly test?: "peak" | "lasting" | "share";
}

const traits = (
  name: RegExp,
  bad: MetricTraits["bad"],
  resource: Resource,
  floor: readonly [relative: number, absolute: number],
  title: string,
  more: Pick<
    MetricTraits,
    "rule" | "ruleSample" | "supportOnly" | "share" | "counts" | "test"
  > = {},
): MetricTraits => ({
  name,
  bad,
  resource,
  floor: { relative: floor[0], absolute: floor[1] },
  title,
  ...more,
});

const SUPPORT = { supportOnly: true } as const;
const COUNT = { counts: true } as const;
const OF_LIMIT = { share: "of its limit" } as const;

/** First match wins; {@link OTHER_METRIC} is for names not listed. */
export const METRICS: readonly MetricTraits[] = [
  traits(/^cpu$/, "up", "cpu", [0.1, 2], "CPU", OF_LIMIT),
  traits(/^(?:process_)?cpu(?:_usage)?$/, "up", "cpu", [0.1, 2], "CPU"),
  traits(/^jvm_memory/, "up", "jvm_memory", [0.05, 3], "JVM memory", {
    rule: "jvmMemoryPercentMax",
    share: "of its maximum",
  }),
  traits(/^memory/, "up", "memory", [0.05, 2], "Memory", OF_LIMIT),
  traits(/^gc_/, "up", "gc", [0.2, 0.05], "Garbage collection"),
  traits(
    /^hikari_pending/,
    "up",
    "connection_pool",
    [0.1, 1],
    "threads waiting for a connection",
    COUNT,
  ),
  traits(/^hikari_timeout/, "up", "connection_pool", [0.1, 1], "connection timeouts", COUNT),
  traits(/^hikari_/, "up", "connection_pool", [0.1, 10], "Connections in use", {
    share: "of the pool",
  }),
  traits(/^http_500_count/, "up", "errors", [0.1, 3], "HTTP 500 responses", {
    ...COUNT,
    rule: "http500CountMax",
    ruleSample: "last",
  }),
  traits(/^http_500_rate/, "up", "errors", [0.1, 1], "HTTP 500 responses a minute", {
    ...COUNT,
    rule: "http500PerMinuteMax",
  }),
  traits(/^http_5xx/, "up", "errors", [0.1, 1], "HTTP 5xx responses"),
  traits(/^errors?/, "up", "errors", [0.1, 1], "Logged errors"),
  traits(/^availability/, "down", "errors", [0.01, 1], "Availability", { test: "share" }),
  // The floor is the resolution: how many milliseconds matter is for the ranking to say.
  traits(/^http_latency_mean/, "up", "latency", [0.1, 1], "Mean latency", {
    rule: "latencyMeanMsMax",
    ruleSample: "mean",
    test: "lasting",
  }),
  traits(/latency.*(?:_ms)$/, "up", "latency", [0.1, 20], "Latency", SUPPORT),
  traits(/latency/, "up", "latency", [0.1, 0.02], "Latency", SUPPORT),
  traits(/^network/, "both", "network", [0.1, 1_000], "Network traffic", SUPPORT),
  traits(/request/, "both", "traffic", [0.1, 0.5], "Request rate", SUPPORT),
];

export const OTHER_METRIC: MetricTraits = traits(/$/, "both", "traffic", [0.1, 1e-9], "", SUPPORT);

export function traitsOf(metric: string): MetricTraits {
  return METRICS.find((row) => row.name.test(metric)) ?? OTHER_METRIC;
}
