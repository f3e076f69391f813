/**
 * Thresholds held against series. One that a user set holds whatever the past looks like; a default of
 * ours does not for a service that has always been beyond it.
 */
import type { Window } from "../../core/mod.ts";
import { type RuleName, type RuleSet, rulesFor } from "../rules.ts";
import { commonScore, median } from "../stats.ts";
import { clip, type Draft, NOTABLE } from "./draft.ts";
import { areEnough } from "./exposure.ts";
import { type Samples, scattered } from "./samples.ts";
import type { Tested } from "./tested.ts";
import { breachWords } from "./words.ts";

/** Scattered breaches in more of the past than this are how the service is. */
const ACCUSTOMED_SHARE = 0.01;

/** The breach of the threshold that holds for the series, if any. */
export function breachOf(
  { series, traits, past, now }: Tested,
  rules: RuleSet,
  window: Window,
): Draft | undefined {
  const { rule, ruleSample = "max", resource } = traits;
  if (rule === undefined) return undefined;
  const threshold = rulesFor(series.service, rules)[rule];
  const value = sampleOf(now.values, ruleSample);
  if (!(value > threshold)) return undefined;
  if (ruleSample === "mean" && !areEnough(now.requests)) return undefined;
  if (!isSet(rule, series.service, rules) && isAccustomed(past, threshold)) return undefined;
  return {
    kind: "rule",
    service: series.service,
    resource,
    summary: breachWords(rule, { value, threshold, peak: ruleSample === "max" }, window),
    score: breachScore(value, threshold),
    anomalous: true,
    direction: "up",
    value,
    baseline: threshold,
    unit: clip(series.unit, 40),
    metric: clip(series.metric, 200),
    rule,
  };
}

function isSet(rule: RuleName, service: string, { defaults, services }: RuleSet): boolean {
  const own = Object.hasOwn(services ?? {}, service) ? services?.[service] : undefined;
  return own?.[rule] !== undefined || defaults?.[rule] !== undefined;
}

/** Beyond the threshold for most of the past, or again and again. An earlier incident is neither. */
function isAccustomed(past: Samples, threshold: number): boolean {
  if (past.values.length === 0) return false;
  if (median(past.values) > threshold) return true;
  const again = scattered(past, (value) => value > threshold).length;
  return again > ACCUSTOMED_SHARE * past.values.length;
}

function sampleOf(values: readonly number[], which: "max" | "mean" | "last"): number {
  if (which === "last") return values.at(-1) ?? Number.NaN;
  if (which === "max") return Math.max(...values);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A breach is notable by decree; twice the threshold is beyond doubt. */
export function breachScore(value: number, threshold: number): number {
  const excess = threshold > 0 ? value / threshold - 1 : value;
  return commonScore(NOTABLE + (10 - NOTABLE) * Math.max(0, excess));
}
