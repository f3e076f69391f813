/**
 * The Numenta Anomaly Benchmark (Lavin and Ahmad 2015) over the detector that runs in production, with its
 * default settings. Every series is fed to a new detector point by point; it is told neither the file's
 * name, nor its range, nor its length.
 *
 * As in the benchmark, the threshold is one for all series, found by a sweep per profile; a category's
 * figures are at that threshold.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { SeriesDetector } from "../../streams/mod.ts";
import type { CaseOutcome, EvalOptions, Figures, Suite } from "../report.ts";
import {
  folderIn,
  type NabSeries,
  PROFILE_NAMES,
  type ProfileName,
  type Profiles,
  readLabels,
  readProfiles,
  readSeries,
  rowsOf,
  type SeriesFile,
  seriesIn,
} from "./files.ts";
import { bestThreshold, probationRows, rank, type ScoredSeries, scoreAt } from "./score.ts";

/** At our own default, which the sweep does not see: a false alarm a week and series. */
const FALSE_ALARMS_PER_DAY = 1 / 7;

interface Scored extends ScoredSeries {
  readonly name: string;
  readonly category: string;
  readonly scores: Float64Array;
  /** Alarms outside the windows at our default threshold, and days that count. */
  readonly falseAlarms: number;
  readonly days: number;
}

/**
 * Metrics: `standard`, `reward_low_FP_rate` and `reward_low_FN_rate`, 0 to 100; the same per category, where
 * one without any window has 100 less what its false alarms cost. `false_alarms_per_day` is per series at
 * our default threshold. Writes scores to `scoresDir` when asked to. Throws USAGE for data it cannot read,
 * CANCELLED when the signal fires.
 */
export const nab: Suite = async (options) => {
  const folder = folderIn(options.dir);
  const files = await seriesIn(folder);
  const labels = await readLabels(folder);
  const profiles = await readProfiles(folder);
  const set: Scored[] = [];
  for (const file of files) {
    if (options.signal.aborted) throw new PetrelError("CANCELLED", "nab: cancelled");
    const name = `${file.category}/${file.file}`;
    const windows = labels[name];
    if (windows === undefined) {
      throw new PetrelError("USAGE", `${file.path}: the labels do not name ${name}.`, {
        path: file.path,
      });
    }
    const series = await readSeries(file);
    set.push(evaluate(file, series, windows));
    await writeScores(options, file, series, set.at(-1)?.scores ?? new Float64Array());
    options.onProgress?.(set.length, files.length, name);
  }
  return resultOf(set, profiles);
};

function evaluate(
  { category, file }: SeriesFile,
  { timesMs, values }: NabSeries,
  labelled: readonly (readonly [number, number])[],
): Scored {
  const detector = new SeriesDetector();
  const scores = Float64Array.from(
    values,
    (value, row) => detector.update(timesMs[row] ?? Number.NaN, value).score,
  );
  const windows = labelled
    .map((window) => rowsOf(timesMs, window))
    .filter((window) => window !== undefined);
  const threshold = detector.thresholdFor(FALSE_ALARMS_PER_DAY);
  const first = probationRows(scores.length);
  const falseAlarms = scores.filter(
    (score, row) =>
      row >= first &&
      score >= threshold &&
      !windows.some((window) => row >= window.first && row <= window.last),
  ).length;
  const lastMs = timesMs.at(-1) ?? 0;
  const days = Math.max(0, lastMs - (timesMs[first] ?? lastMs)) / 86_400_000;
  return { name: `${category}/${file}`, category, scores, windows, falseAlarms, days };
}

function resultOf(set: readonly Scored[], profiles: Profiles): Awaited<ReturnType<Suite>> {
  const ranking = rank(set);
  const thresholds = new Map<ProfileName, number>(
    PROFILE_NAMES.map((name) => [name, bestThreshold(ranking, profiles[name])]),
  );
  const figuresOf = (part: readonly Scored[]): Figures => {
    const own = rank(part);
    const scoreOf = (name: ProfileName) =>
      scoreAt(own, profiles[name], thresholds.get(name) ?? Number.POSITIVE_INFINITY);
    const { windows, found, falseAlarms } = scoreOf("standard");
    const days = part.reduce((sum, series) => sum + series.days, 0);
    const alarms = part.reduce((sum, series) => sum + series.falseAlarms, 0);
    return {
      ...Object.fromEntries(PROFILE_NAMES.map((name) => [name, scoreOf(name).normalised])),
      windows,
      found,
      false_alarms: falseAlarms,
      false_alarms_per_day: days > 0 ? alarms / days : 0,
    };
  };
  const outcomes = set.map((series): CaseOutcome => {
    const { windows, found, false_alarms } = figuresOf([series]);
    return {
      name: series.name,
      right: found === windows,
      expected: `${windows} windows`,
      answered: `${found} found, ${false_alarms} false alarms`,
    };
  });
  const categories = Map.groupBy(set, ({ category }) => category);
  return {
    cases: set.length,
    metrics: figuresOf(set),
    byGroup: Object.fromEntries([...categories].map(([name, part]) => [name, figuresOf(part)])),
    outcomes,
  };
}

async function writeScores(
  { scoresDir }: EvalOptions,
  { category, file }: SeriesFile,
  { stamps, texts }: NabSeries,
  scores: Float64Array,
): Promise<void> {
  if (scoresDir === undefined) return;
  const rows = stamps.map((stamp, row) => `${stamp},${texts[row]},${scores[row]}`);
  await mkdir(join(scoresDir, category), { recursive: true });
  await writeFile(
    join(scoresDir, category, file),
    `${["timestamp,value,anomaly_score", ...rows].join("\n")}\n`,
  );
}
