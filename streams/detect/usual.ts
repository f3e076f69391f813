/**
 * Holds what a window's tests found of metrics against the long memory (series-book.ts). A short past does
 * not know that the load rises every morning, and not that a level which crept up was never seen before.
 * It never touches a broken threshold, and a memory that is not sure changes nothing.
 */
import type { Window } from "../../core/mod.ts";
import type { Finding } from "../findings.ts";
import type { Series } from "../model.ts";
import { type BookReading, type BookReadings, seriesKey } from "../series-book.ts";
import { median } from "../stats.ts";
import { traitsOf } from "./catalogue.ts";
import { ALARM_SCORE, alarmP, surprise } from "./chance.ts";
import { type Draft, numbered } from "./draft.ts";
import { split } from "./samples.ts";
import { deviationDraft } from "./tested.ts";

/** From so much trust in the time of day on, it is the time of day that excuses. */
const SEASONALITY_MIN = 0.5;
/** What a healthy series shows more often than this a day is usual. */
const USUAL_PER_DAY = 1;
/** What is usual keeps so much of its score: it may still support a cause. */
const USUAL_SHARE = 0.3;
const WINDOWS_PER_DAY = 288;
/** A memory younger than a day has not seen every hour. */
const REMEMBERED_MIN_MS = 86_400_000;
const FINDINGS_MAX = 200;

export interface MemoryOptions {
  readonly series: readonly Series[];
  readonly window: Window;
  readonly remembered: BookReadings;
  /** Alarmed windows a day for every 50 services that a user accepts. */
  readonly falseAlarmsPerDay: number;
}

/**
 * The findings, of which those that are usual, at this time of day or at any, alarm nobody, and with them the series
 * that no test of the window noticed and the memory has never seen so. Heaviest first, `metrics-1`, …
 */
export function judgeByMemory(
  findings: readonly Finding[],
  options: MemoryOptions,
): { findings: Finding[]; notes: string[] } {
  const known = excuses(options);
  const noticed = new Set(findings.map(nameOf));
  const kept = findings.map((finding) => excused(finding, known.get(nameOf(finding))));
  const drafts = [...kept, ...unseen(options, noticed)];
  const { left } = options.remembered;
  const notes = left > 0 ? [`${left} series are more than are remembered for days.`] : [];
  return { findings: numbered(drafts, "metrics", FINDINGS_MAX), notes };
}

const nameOf = ({ service, metric = "" }: { service: string; metric?: string | undefined }) =>
  `${service}\n${metric}`;

/** Each series with its reading; of two with one key, the memory knows only the first. */
function* withReadings({ series, remembered }: MemoryOptions) {
  const seen = new Set<string>();
  for (const one of series) {
    const key = seriesKey(one);
    yield [one, seen.has(key) ? undefined : remembered.readings.get(key)] as const;
    seen.add(key);
  }
}

/** What the memory says of one metric of one service: of all its instances, the least excuse. */
interface Excuse {
  readonly usualPerDay: number;
  readonly seasonality: number;
}

const NO_EXCUSE: Excuse = { usualPerDay: 0, seasonality: 0 };

/** By service and metric. An instance that nothing is known of may be the one that deviates. */
function excuses(options: MemoryOptions): Map<string, Excuse> {
  const found = new Map<string, Excuse>();
  for (const [one, reading] of withReadings(options)) {
    const { usualPerDay, seasonality } = excuseOf(reading);
    const least = found.get(nameOf(one)) ?? { usualPerDay, seasonality };
    found.set(nameOf(one), {
      usualPerDay: Math.min(least.usualPerDay, usualPerDay),
      seasonality: Math.min(least.seasonality, seasonality),
    });
  }
  return found;
}

function excuseOf(reading: BookReading | undefined): Excuse {
  if (reading === undefined || reading.rememberedMs < REMEMBERED_MIN_MS) return NO_EXCUSE;
  return { usualPerDay: reading.usualPerDay ?? 0, seasonality: reading.seasonality };
}

function excused(finding: Finding, { usualPerDay, seasonality }: Excuse = NO_EXCUSE): Draft {
  const { id: _id, ...draft } = finding;
  if (finding.kind !== "metric_deviation" || usualPerDay <= USUAL_PER_DAY) return draft;
  const when = seasonality >= SEASONALITY_MIN ? "at this time of day" : "for this series";
  return {
    ...draft,
    summary: `${draft.summary} Usual ${when}.`,
    score: USUAL_SHARE * draft.score,
    anomalous: false,
  };
}

/**
 * Series whose window is stranger than all the days before, in the direction that is bad: so strange that
 * it alarms among all that were tested. Anything less is what many series show in many windows.
 */
function unseen(options: MemoryOptions, noticed: ReadonlySet<string>): Draft[] {
  const { window, remembered, falseAlarmsPerDay } = options;
  const alarm = alarmP(window, Math.max(1, remembered.readings.size), falseAlarmsPerDay);
  const best = new Map<string, Draft>();
  for (const [one, reading] of withReadings(options)) {
    if (reading === undefined || noticed.has(nameOf(one))) continue;
    if (reading.rememberedMs < REMEMBERED_MIN_MS) continue;
    const score = surprise(reading.falseAlarmsPerDay / WINDOWS_PER_DAY, alarm);
    if (score < ALARM_SCORE || score <= (best.get(nameOf(one))?.score ?? 0)) continue;
    const draft = unseenDraft(one, window, score);
    if (draft !== undefined) best.set(nameOf(one), draft);
  }
  return [...best.values()];
}

function unseenDraft(series: Series, window: Window, score: number): Draft | undefined {
  const traits = traitsOf(series.metric);
  const { past, now } = split(series, window);
  const [value, centre] = [now.values.at(-1) ?? Number.NaN, median(past.values)];
  const direction = value >= centre ? "up" : "down";
  if (traits.supportOnly === true || Number.isNaN(value)) return undefined;
  if (traits.bad !== "both" && traits.bad !== direction) return undefined;
  const verdict = { score, anomalous: true, direction } as const;
  const draft = deviationDraft({ series, traits, past, now }, { value, centre }, verdict);
  return { ...draft, summary: `${draft.summary} Not seen so in the days before.` };
}
