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
  /** Short words for summaries. */
  readonly title: string;
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
}

const traits = (
  name: RegExp,
  bad: MetricTraits["bad"],
  resource: Resource,
  floor: readonly [relative: number, absolute: number],
  title: string,
  more: Pick<MetricTraits, "rule" | "ruleSample" | "supportOnly"> = {},
): MetricTraits => ({
  name,
  bad,
  resource,
  floor: { relative: floor[0], absolute: floor[1] },
  title,
  ...more,
});

const SUPPORT = { supportOnly: true } as const;

/** First match wins; {@link OTHER_METRIC} is for names not listed. */
export const METRICS: readonly MetricTraits[] = [
  traits(/^(?:process_)?cpu(?:_usage)?$/, "up", "cpu", [0.1, 2], "CPU"),
  traits(/^jvm_memory/, "up", "jvm_memory", [0.05, 3], "JVM memory", {
    rule: "jvmMemoryPercentMax",
  }),
  traits(/^memory/, "up", "memory", [0.05, 2], "memory"),
  traits(/^gc_/, "up", "gc", [0.2, 0.05], "garbage collection"),
  traits(/^hikari_pending/, "up", "connection_pool", [0.1, 1], "threads waiting for a connection"),
  traits(/^hikari_timeout/, "up", "connection_pool", [0.1, 1], "connection timeouts"),
  traits(/^hikari_/, "up", "connection_pool", [0.1, 10], "connections in use"),
  traits(/^http_500_count/, "up", "errors", [0.1, 3], "HTTP 500 answers", {
    rule: "http500CountMax",
    ruleSample: "last",
  }),
  traits(/^http_500_rate/, "up", "errors", [0.1, 1], "HTTP 500 answers a minute", {
    rule: "http500PerMinuteMax",
  }),
  traits(/^(?:http_5xx|errors?)/, "up", "errors", [0.1, 1], "server errors"),
  traits(/^http_latency_mean/, "up", "latency", [0.1, 20], "mean latency", {
    rule: "latencyMeanMsMax",
    ruleSample: "mean",
  }),
  traits(/latency.*(?:_ms)$/, "up", "latency", [0.1, 20], "latency", SUPPORT),
  traits(/latency/, "up", "latency", [0.1, 0.02], "latency", SUPPORT),
  traits(/^network/, "both", "network", [0.1, 1_000], "network traffic", SUPPORT),
  traits(/request/, "both", "traffic", [0.1, 0.5], "requests", SUPPORT),
];

export const OTHER_METRIC: MetricTraits = traits(
  /$/,
  "both",
  "traffic",
  [0.1, 1e-9],
  "metric",
  SUPPORT,
);

export function traitsOf(metric: string): MetricTraits {
  return METRICS.find((row) => row.name.test(metric)) ?? OTHER_METRIC;
}
