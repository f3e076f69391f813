/**
 * Compares each series in the window with its own past, and with the thresholds. Which test a series gets
 * stands in the catalogue; how sure a test must be to alarm follows from the false alarms a user accepts.
 * It reads no clock: samples up to window.startMs are the past.
 */
import { limits, type Window } from "../../core/mod.ts";
import type { Finding } from "../findings.ts";
import type { Series } from "../model.ts";
import type { RuleSet } from "../rules.ts";
import { shareDrafts } from "./availability.ts";
import { breachOf } from "./breaches.ts";
import { type MetricTraits, traitsOf } from "./catalogue.ts";
import { alarmP, FALSE_ALARMS_PER_DAY } from "./chance.ts";
import { type Draft, numbered } from "./draft.ts";
import { exposureKey, exposuresOf } from "./exposure.ts";
import { lastingDrafts } from "./lasting.ts";
import { peakDrafts } from "./peaks.ts";
import { split } from "./samples.ts";
import type { Tested } from "./tested.ts";

/** Fewer samples than this say nothing about what is normal. */
export const BASELINE_SAMPLES_MIN = 10;

export interface MetricReading {
  readonly findings: Finding[];
  readonly notes: string[];
}

export interface MetricOptions {
  /** Alarmed windows a day for every 50 services that a user accepts on normal data. Default 1. */
  readonly falseAlarmsPerDay?: number;
}

/** Findings of all series, heaviest first, `metrics-1`, … At most `findingsMax`. */
export function detectMetrics(
  series: readonly Series[],
  window: Window,
  rules: RuleSet = {},
  findingsMax: number = limits.FINDINGS_MAX,
  options: MetricOptions = {},
): MetricReading {
  const drafts: Draft[] = [];
  const tested: Tested[] = [];
  const missing = { short: 0, empty: 0 };
  const ready = readerOf(series, window);
  for (const one of series.map(ready)) {
    const { past, now } = one;
    if (now.values.length === 0) {
      missing.empty += 1;
      continue;
    }
    const breach = breachOf(one, rules, window);
    if (breach !== undefined) drafts.push(breach);
    if (past.values.length < Math.max(BASELINE_SAMPLES_MIN, 2 * now.values.length)) {
      missing.short += 1;
      continue;
    }
    tested.push(one);
  }
  const alarm = alarmLevels(tested, window, options.falseAlarmsPerDay ?? FALSE_ALARMS_PER_DAY);
  drafts.push(...lastingDrafts(tested, alarm), ...shareDrafts(tested, alarm));
  drafts.push(...peakDrafts(tested, alarm));
  return { findings: numbered(strongest(drafts), "metrics", findingsMax), notes: notesOf(missing) };
}

/** Cuts series at the window, with what the catalogue says of them, and their requests where a test asks. */
function readerOf(all: readonly Series[], window: Window): (series: Series) => Tested {
  const known = new Map<string, MetricTraits>();
  const exposures = exposuresOf(all);
  return (series) => {
    const traits = known.get(series.metric) ?? traitsOf(series.metric);
    known.set(series.metric, traits);
    const requests = traits.test === undefined ? undefined : exposures.get(exposureKey(series));
    const parts = split(series, window, requests);
    // A share of nobody knows how many requests is a level like any other.
    const isBlind = traits.test === "share" && !parts.now.requests.some(Number.isFinite);
    return { series, traits: isBlind ? { ...traits, test: "peak" } : traits, ...parts };
  };
}

/** Per service the p at which one of its series alarms: the more series, the less likely it must be. */
function alarmLevels(
  tested: readonly Tested[],
  window: Window,
  falseAlarmsPerDay: number,
): (service: string) => number {
  const tests = new Map<string, number>();
  for (const { series, traits } of tested) {
    if (traits.supportOnly !== true) {
      tests.set(series.service, (tests.get(series.service) ?? 0) + 1);
    }
  }
  return (service) => alarmP(window, tests.get(service) ?? 1, falseAlarmsPerDay);
}

function notesOf(missing: { short: number; empty: number }): string[] {
  const notes: string[] = [];
  if (missing.short > 0) {
    notes.push(`${missing.short} series have too short a past to compare with: thresholds only.`);
  }
  if (missing.empty > 0) notes.push(`${missing.empty} series have no sample in the window.`);
  return notes;
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
