/**
 * The Numenta Anomaly Benchmark (Lavin and Ahmad 2015) over the detector that runs in production, with its
 * default settings. Every series is fed to a new detector point by point; it is told neither the file's
 * name, nor its range, nor its length.
 *
 * As in the benchmark, the threshold is one for all series, found by a sweep per profile; a category's
 * figures are at that threshold. A series that cannot be read, or has no labels, is left out, and said.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { SeriesDetector } from "../../streams/mod.ts";
import {
  type CaseOutcome,
  checkSignal,
  type EvalOptions,
  type Figures,
  LeftOut,
  type Suite,
  type SuiteResult,
} from "../report.ts";
import {
  folderIn,
  type LabelledWindow,
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
  windowsOf,
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
 * our default threshold. Writes scores to `scoresDir`, which it makes, when asked to. Throws USAGE when no
 * series, the labels or the profiles cannot be read, or scores cannot be written; CANCELLED when the
 * signal fires.
 */
export const nab: Suite = async (options) => {
  const left = new LeftOut();
  const folder = folderIn(options.dir);
  const files = await seriesIn(folder, left);
  const labels = await readLabels(folder);
  const profiles = await readProfiles(folder);
  // Before the work: nobody waits for minutes to hear that scores cannot be written.
  if (options.scoresDir !== undefined) await makeFolder(options.scoresDir);
  const set: Scored[] = [];
  for (const [at, file] of files.entries()) {
    checkSignal(options.signal, "nab");
    const read = await left.unless(async () => ({
      windows: windowsOf(labels, file),
      series: await readSeries(file),
    }));
    if (read === undefined) continue;
    const scored = evaluate(file, read.series, read.windows);
    set.push(scored);
    await writeScores(options, file, read.series, scored.scores);
    options.onProgress?.(at + 1, files.length, scored.name);
  }
  if (set.length === 0) throw left.nothing(`${folder}: no series to evaluate`);
  return resultOf(set, profiles, left.reasons());
};

function evaluate(
  { category, file }: SeriesFile,
  { timesMs, values }: NabSeries,
  labelled: readonly LabelledWindow[],
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

function resultOf(
  set: readonly Scored[],
  profiles: Profiles,
  left: readonly string[],
): SuiteResult {
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
    left,
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
  const text = `${["timestamp,value,anomaly_score", ...rows].join("\n")}\n`;
  const folder = join(scoresDir, category);
  await makeFolder(folder);
  await written(join(folder, file), (path) => writeFile(path, text));
}

async function makeFolder(folder: string): Promise<void> {
  await written(folder, (path) => mkdir(path, { recursive: true }));
}

async function written(path: string, write: (path: string) => Promise<unknown>): Promise<void> {
  try {
    await write(path);
  } catch (error) {
    const why = `--scores: ${path}: cannot be written: ${messageOf(error)}`;
    throw new PetrelError("USAGE", why, { path }, error);
  }
}
