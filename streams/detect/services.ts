/**
 * What the counts of a whole service say: error bursts, HTTP 5xx, latency told by its lines, and the
 * fixed thresholds, which hold without a baseline too.
 */
import type { Window } from "../../core/mod.ts";
import type { LogSummary, ServiceCounts } from "../model.ts";
import { type RuleSet, rulesFor } from "../rules.ts";
import { commonScore, poissonP, zOfP } from "../stats.ts";
import { noCounts } from "../summarise.ts";
import { breachScore } from "./breaches.ts";
import { clip, type Draft, short } from "./draft.ts";
import { breachWords } from "./words.ts";

const SUPPORT_MIN = 1.3;
/** Errors come in clumps; the bar is that of single templates. */
const ANOMALOUS_MIN = 5;
/** Many lines make a small rise sure, but not important. */
const GROWTH_MIN = 2;
/** Requests needed in both windows before means are compared. */
const LATENCIES_MIN = 20;

const EMPTY = noCounts();

/** Breaches of the thresholds that log lines can show. */
export function detectBreaches(current: LogSummary, rules: RuleSet): Draft[] {
  const minutes = Math.max(1, (current.window.endMs - current.window.startMs) / 60_000);
  return [...current.services].flatMap(([service, counts]) => {
    const mean = counts.latencyCount === 0 ? 0 : counts.latencySumMs / counts.latencyCount;
    const values = {
      http500CountMax: counts.http500,
      http500PerMinuteMax: counts.http500 / minutes,
      latencyMeanMsMax: mean,
    };
    const limit = rulesFor(service, rules);
    return RULES_ON_LOGS.map((rule) =>
      breach(service, rule, { value: values[rule], threshold: limit[rule] }, current.window),
    ).filter((draft) => draft !== undefined);
  });
}

const RULES_ON_LOGS = ["http500CountMax", "http500PerMinuteMax", "latencyMeanMsMax"] as const;
const RULE_UNITS = {
  http500CountMax: undefined,
  http500PerMinuteMax: "/min",
  latencyMeanMsMax: "ms",
};

function breach(
  service: string,
  rule: keyof typeof RULE_UNITS,
  measured: { readonly value: number; readonly threshold: number },
  window: Window,
): Draft | undefined {
  const { value, threshold } = measured;
  if (!(value > threshold)) return undefined;
  const unit = RULE_UNITS[rule];
  return {
    kind: "rule",
    service,
    resource: rule === "latencyMeanMsMax" ? "latency" : "errors",
    summary: breachWords(rule, measured, window),
    score: breachScore(value, threshold),
    anomalous: true,
    direction: "up",
    value,
    baseline: threshold,
    ...(unit === undefined ? {} : { unit }),
    rule,
  };
}

/** Changes of errors, warnings, 5xx and latency per service; `factor` is the ratio of traffic to expect. */
export function detectServices(
  current: LogSummary,
  baseline: LogSummary,
  factor: (service: string) => number,
): Draft[] {
  return [...current.services].flatMap(([service, now]) => {
    const before = baseline.services.get(service) ?? EMPTY;
    const rate = factor(service);
    return [
      burst(
        service,
        "error_burst",
        "ERROR lines",
        [now.errors, before.errors * rate, before.errors],
        rate,
      ),
      warned(service, [now.warnings, before.warnings * rate, before.warnings], rate),
      burst(
        service,
        "http_5xx",
        "HTTP 5xx responses",
        [now.http5xx, before.http5xx * rate, before.http5xx],
        rate,
      ),
      slower(service, now, before),
    ].filter((draft) => draft !== undefined);
  });
}

/** Warnings count less than errors, and come in clumps as they do. */
const WARNING_WEIGHT = 0.6;

function warned(
  service: string,
  [now, expected, before]: readonly [number, number, number],
  rate: number,
): Draft | undefined {
  if (now <= expected) return undefined;
  const score = commonScore(WARNING_WEIGHT * zOfP(poissonP(now, rate, before, 1)));
  if (score < SUPPORT_MIN) return undefined;
  return {
    kind: "error_burst",
    service,
    summary: clip(`${short(now)} WARN lines where ${short(expected)} were expected.`, 1_000),
    score,
    anomalous: false,
    direction: before === 0 ? "new" : "up",
    value: now,
    baseline: expected,
    unit: "lines",
  };
}

function burst(
  service: string,
  kind: "error_burst" | "http_5xx",
  title: string,
  [now, expected, before]: readonly [number, number, number],
  rate: number,
): Draft | undefined {
  if (now <= expected) return undefined;
  const score = commonScore(zOfP(poissonP(now, rate, before, 1)));
  if (score < SUPPORT_MIN) return undefined;
  return {
    kind,
    service,
    resource: "errors",
    summary: clip(`${short(now)} ${title} where ${short(expected)} were expected.`, 1_000),
    score,
    anomalous: score >= ANOMALOUS_MIN && now >= GROWTH_MIN * expected,
    direction: before === 0 ? "new" : "up",
    value: now,
    baseline: expected,
    unit: "lines",
  };
}

/**
 * Means of latencies, which are close to exponential: the log of their ratio has a standard error of
 * sqrt(1/n + 1/m).
 */
function slower(service: string, now: ServiceCounts, before: ServiceCounts): Draft | undefined {
  if (Math.min(now.latencyCount, before.latencyCount) < LATENCIES_MIN) return undefined;
  const value = now.latencySumMs / now.latencyCount;
  const normal = before.latencySumMs / before.latencyCount;
  if (!(value > normal)) return undefined;
  const error = Math.sqrt(1 / now.latencyCount + 1 / before.latencyCount);
  const growth = Math.log((value + 1) / (normal + 1));
  const score = commonScore(growth / error);
  if (score < SUPPORT_MIN) return undefined;
  return {
    kind: "latency",
    service,
    resource: "latency",
    summary: clip(`Mean latency ${short(value)} ms, normally ${short(normal)} ms.`, 1_000),
    score,
    anomalous: score >= ANOMALOUS_MIN && growth >= Math.LN2,
    direction: "up",
    value,
    baseline: normal,
    unit: "ms",
  };
}
