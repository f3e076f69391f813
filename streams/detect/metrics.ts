/**
 * Compares each series in the window with its own past, and with the thresholds.
 *
 * The score is that of BARO's RobustScorer (Pham et al., FSE 2024): distance from the median of the
 * past in interquartile ranges. Two changes: the largest of k samples is compared with the largest of
 * every k samples of the past (a maximum of many is larger than a sample), and what moves all services
 * alike is taken out. It reads no clock: samples up to window.startMs are the past.
 */
import { limits, type Window } from "../../core/mod.ts";
import type { Finding } from "../findings.ts";
import type { Series } from "../model.ts";
import { type RuleSet, rulesFor } from "../rules.ts";
import { commonScore, median, normalOf, scaledMad } from "../stats.ts";
import { type MetricTraits, traitsOf } from "./catalogue.ts";
import { append, clip, type Draft, NOTABLE, numbered, short } from "./draft.ts";
import { breachWords } from "./words.ts";

/** Fewer samples than this say nothing about what is normal. */
export const BASELINE_SAMPLES_MIN = 10;
/** Services needed to tell a movement of all from one of their own. */
const PEERS_MIN = 8;
/** Interquartile ranges from normal that make a window anomalous by themselves. */
const ANOMALOUS_MIN = 10;
const SUPPORT_MIN = 2;
/** Metrics full of accidents never say more than this. */
const SUPPORT_MAX = 3;
/** A past of so many samples is trusted half: right after a start everything is unusual. */
const PRIOR_SAMPLES = 30;

export interface MetricReading {
  readonly findings: Finding[];
  readonly notes: string[];
}

interface Deviation {
  readonly series: Series;
  readonly traits: MetricTraits;
  /** In spreads; positive up. */
  readonly size: number;
  readonly value: number;
  readonly centre: number;
}

/** Findings of all series, heaviest first, `metrics-1`, … At most `findingsMax`. */
export function detectMetrics(
  series: readonly Series[],
  window: Window,
  rules: RuleSet = {},
  findingsMax: number = limits.FINDINGS_MAX,
): MetricReading {
  const drafts: Draft[] = [];
  const byMetric = new Map<string, Deviation[]>();
  const missing = { short: 0, empty: 0 };
  for (const one of series) {
    const { past, now } = split(one, window);
    if (now.length === 0) {
      missing.empty += 1;
      continue;
    }
    const breach = breachOf(one, now, rules, window);
    if (breach !== undefined) drafts.push(breach);
    if (past.length < Math.max(BASELINE_SAMPLES_MIN, 2 * now.length)) {
      missing.short += 1;
      continue;
    }
    const deviation = deviationOf(one, past, now);
    append(byMetric, one.metric, deviation);
  }
  for (const deviations of byMetric.values()) drafts.push(...draftsOf(deviations));
  return { findings: numbered(strongest(drafts), "metrics", findingsMax), notes: notesOf(missing) };
}

function notesOf(missing: { short: number; empty: number }): string[] {
  const notes: string[] = [];
  if (missing.short > 0) {
    notes.push(`${missing.short} series have too short a past to compare with: thresholds only.`);
  }
  if (missing.empty > 0) notes.push(`${missing.empty} series have no sample in the window.`);
  return notes;
}

/** Samples that are numbers: those up to the start of the window, and those in it. */
function split(series: Series, window: Window): { past: number[]; now: number[] } {
  const past: number[] = [];
  const now: number[] = [];
  series.timesMs.forEach((timeMs, index) => {
    const value = series.values[index];
    if (value === undefined || !Number.isFinite(value) || timeMs > window.endMs) return;
    if (timeMs <= window.startMs) past.push(value);
    else now.push(value);
  });
  return { past, now };
}

/** The largest of each `length` samples in a row. */
function runMaxima(values: readonly number[], length: number): number[] {
  const runs = Math.max(1, values.length - length + 1);
  return Array.from({ length: runs }, (_, at) => Math.max(...values.slice(at, at + length)));
}

function deviationOf(series: Series, past: readonly number[], now: readonly number[]): Deviation {
  const traits = traitsOf(series.metric);
  const side = (sign: 1 | -1) => {
    const flipped = past.map((value) => sign * value);
    const normal = normalOf(runMaxima(flipped, now.length), traits.floor);
    // A run of maxima varies less than the series; never take less than the series' own spread.
    const own = normalOf(flipped, traits.floor);
    const value = Math.max(...now.map((sample) => sign * sample));
    const spread = Math.max(normal.spread, own.spread);
    const trust = past.length / (past.length + PRIOR_SAMPLES);
    const size = (trust * (value - normal.centre)) / spread;
    return { size: sign * size, value: sign * value, centre: sign * normal.centre };
  };
  const sides = traits.bad === "both" ? [side(1), side(-1)] : [side(traits.bad === "up" ? 1 : -1)];
  const [first, second] = sides;
  const largest =
    second !== undefined && first !== undefined && -second.size > first.size ? second : first;
  return { series, traits, ...(largest ?? { size: 0, value: 0, centre: 0 }) };
}

function draftsOf(deviations: readonly Deviation[]): Draft[] {
  const sizes = deviations.map((deviation) => deviation.size);
  const peers = new Set(deviations.map(({ series }) => series.service)).size >= PEERS_MIN;
  const drift = peers ? median(sizes) : 0;
  const noise = peers ? Math.max(1, scaledMad(sizes)) : 1;
  return deviations.flatMap((deviation) => {
    const { series, traits, value, centre } = deviation;
    const size = (deviation.size - drift) / noise;
    const up = size > 0;
    const isBad = traits.bad === "both" || (traits.bad === "up") === up;
    // The series itself must have moved that way, not only the others the other way.
    const most = traits.supportOnly === true ? SUPPORT_MAX : Number.POSITIVE_INFINITY;
    const moved = isBad && up === deviation.size > 0;
    const score = moved ? Math.min(most, commonScore(Math.abs(size))) : 0;
    if (score < SUPPORT_MIN) return [];
    const draft: Draft = {
      kind: "metric_deviation",
      service: series.service,
      resource: traits.resource,
      summary: clip(wordsOf(deviation), 1_000),
      score,
      anomalous: traits.supportOnly !== true && score >= ANOMALOUS_MIN,
      direction: up ? "up" : "down",
      value,
      baseline: centre,
      unit: clip(series.unit, 40),
      metric: clip(series.metric, 200),
    };
    return [draft];
  });
}

/** `CPU at 100 % of its limit, normally 1 %.` or `25 threads waiting for a connection, normally 0.` */
function wordsOf({ series, traits, value, centre }: Deviation): string {
  if (traits.counts === true) return `${short(value)} ${traits.title}, normally ${short(centre)}.`;
  const title = traits.title === "" ? series.metric : traits.title;
  const share = traits.share !== undefined && series.unit === "%" ? ` ${traits.share}` : "";
  return `${title} at ${short(value)} ${series.unit}${share}, normally ${short(centre)} ${series.unit}.`;
}

function breachOf(
  series: Series,
  now: readonly number[],
  rules: RuleSet,
  window: Window,
): Draft | undefined {
  const { rule, ruleSample = "max", resource } = traitsOf(series.metric);
  if (rule === undefined) return undefined;
  const threshold = rulesFor(series.service, rules)[rule];
  const value = sampleOf(now, ruleSample);
  if (!(value > threshold)) return undefined;
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

/** Per service, metric and kind the strongest instance speaks. */
function strongest(drafts: readonly Draft[]): Draft[] {
  const best = new Map<string, Draft>();
  for (const draft of drafts) {
    const key = `${draft.kind} ${draft.service} ${draft.metric ?? ""}`;
    if (draft.score > (best.get(key)?.score ?? -1)) best.set(key, draft);
  }
  return [...best.values()];
}
