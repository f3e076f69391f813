/**
 * Reads the benchmark's folder: series, labelled windows and cost profiles. Whatever is wrong there is a
 * USAGE error that names file, row and column; a value that is missing is none, for sources have gaps.
 * It decides nothing about what is left out.
 */
import { existsSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { type LeftOut, readPart } from "../report.ts";
import type { Profile, RowWindow } from "./score.ts";

const NAMES = ["", "nab"];
const LABELS = "labels/combined_windows.json";
const PROFILES = "config/profiles.json";
const FILES_MAX = 10_000;

/** The benchmark's own profiles, for a folder without `config/profiles.json`. */
export const PROFILE_NAMES = ["standard", "reward_low_FP_rate", "reward_low_FN_rate"] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];
export type Profiles = Readonly<Record<ProfileName, Profile>>;
const DEFAULT_PROFILES: Profiles = {
  standard: { tpWeight: 1, fpWeight: 0.11, fnWeight: 1 },
  reward_low_FP_rate: { tpWeight: 1, fpWeight: 0.22, fnWeight: 1 },
  reward_low_FN_rate: { tpWeight: 1, fpWeight: 0.11, fnWeight: 2 },
};

/** One file of `data/<category>/`. */
export interface SeriesFile {
  readonly category: string;
  /** Such as `art_flatline.csv`. */
  readonly file: string;
  readonly path: string;
}

export interface NabSeries {
  /** As written in the file, for the table of scores. */
  readonly stamps: readonly string[];
  readonly texts: readonly string[];
  /** Milliseconds; the benchmark names no zone, so UTC. */
  readonly timesMs: readonly number[];
  /** NaN where the file has none. */
  readonly values: readonly number[];
}

/** Start and end, milliseconds. */
export type LabelledWindow = readonly [number, number];

/** As read; what it says of one series is looked at when that series is. */
export interface Labels {
  readonly path: string;
  readonly bySeries: Readonly<Record<string, unknown>>;
}

/** The folder itself, or `nab` inside it. Throws USAGE when neither has `data`. */
export function folderIn(dir: string): string {
  const found = NAMES.map((name) => join(dir, name)).find((path) => existsSync(join(path, "data")));
  if (found !== undefined) return found;
  throw usage(dir, "holds no folder data with the series of NAB");
}

/** The series that are there, by category and name. Throws USAGE when there is none. */
export async function seriesIn(folder: string, left: LeftOut): Promise<SeriesFile[]> {
  const files: SeriesFile[] = [];
  for (const category of await namesIn(join(folder, "data"))) {
    const place = join(folder, "data", category);
    if (!isFolder(place)) continue;
    const names = (await left.unless(() => namesIn(place))) ?? [];
    for (const file of names.filter((name) => name.endsWith(".csv"))) {
      files.push({ category, file, path: join(place, file) });
    }
  }
  if (files.length === 0) throw left.nothing(`${join(folder, "data")}: holds no series.`);
  if (files.length > FILES_MAX) throw usage(join(folder, "data"), `holds over ${FILES_MAX} series`);
  return files;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw usage(folder, `cannot be listed: ${messageOf(error)}`);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The labels of all series. Throws USAGE for a file that is missing or no JSON. */
export async function readLabels(folder: string): Promise<Labels> {
  const path = join(folder, LABELS);
  return { path, bySeries: await readJson(path) };
}

/** Windows of one series in time order. Throws USAGE when the labels do not name it, or not well. */
export function windowsOf({ path, bySeries }: Labels, series: SeriesFile): LabelledWindow[] {
  const name = `${series.category}/${series.file}`;
  if (!Object.hasOwn(bySeries, name)) throw usage(series.path, `the labels do not name ${name}`);
  const windows = bySeries[name];
  if (!Array.isArray(windows)) throw usage(path, `${name} has no list of windows`);
  return windows
    .map((window: unknown) => readWindow(path, name, window))
    .sort((a, b) => a[0] - b[0]);
}

function readWindow(path: string, name: string, window: unknown): LabelledWindow {
  const [from, to]: unknown[] = Array.isArray(window) ? window : [];
  const start = typeof from === "string" ? parseStamp(from) : Number.NaN;
  const end = typeof to === "string" ? parseStamp(to) : Number.NaN;
  if (start <= end) return [start, end];
  throw usage(path, `${name} has a window that is not a pair of times`);
}

/** The cost profiles, or NAB's own where the folder has none. Throws USAGE for a malformed file. */
export async function readProfiles(folder: string): Promise<Profiles> {
  const path = join(folder, PROFILES);
  if (!existsSync(path)) return DEFAULT_PROFILES;
  const root = await readJson(path);
  const profileOf = (name: ProfileName): Profile => {
    const costs = objectIn(objectIn(root[name])["CostMatrix"]);
    const weight = (field: keyof Profile): number => {
      const value = costs[field];
      if (typeof value === "number" && value >= 0 && Number.isFinite(value)) return value;
      throw usage(path, `${name}.CostMatrix.${field} is not a number from 0 on`);
    };
    return {
      tpWeight: weight("tpWeight"),
      fpWeight: weight("fpWeight"),
      fnWeight: weight("fnWeight"),
    };
  };
  return {
    standard: profileOf("standard"),
    reward_low_FP_rate: profileOf("reward_low_FP_rate"),
    reward_low_FN_rate: profileOf("reward_low_FN_rate"),
  };
}

/** One series. Throws USAGE naming file, row and column. */
export async function readSeries({ path }: SeriesFile): Promise<NabSeries> {
  const lines = (await readPart(path)).replace(/^\uFEFF/, "").split(/\r?\n/);
  while (lines.at(-1)?.trim() === "") lines.pop();
  const header = (lines[0] ?? "").split(",").map((name) => name.trim());
  const [timeAt, valueAt] = [header.indexOf("timestamp"), header.indexOf("value")];
  if (timeAt < 0 || valueAt < 0) throw usage(path, "row 1 does not name timestamp and value");
  if (lines.length < 2) throw usage(path, "row 2 is missing: the series has no value");
  const series = { stamps: [], texts: [], timesMs: [], values: [] } satisfies NabSeries as {
    stamps: string[];
    texts: string[];
    timesMs: number[];
    values: number[];
  };
  lines.slice(1).forEach((line, index) => {
    const cells = line.split(",").map((cell) => cell.trim());
    const [stamp, text] = [cells[timeAt] ?? "", cells[valueAt]];
    const timeMs = parseStamp(stamp);
    if (Number.isNaN(timeMs)) throw badCell(path, index + 2, "timestamp", stamp);
    if (text === undefined || !isValue(text)) throw badCell(path, index + 2, "value", text ?? "");
    series.stamps.push(stamp);
    series.texts.push(text);
    series.timesMs.push(timeMs);
    series.values.push(text === "" ? Number.NaN : Number(text));
  });
  return series;
}

/** The rows from a window's start to its end; undefined when the series has none of them. */
export function rowsOf(
  timesMs: readonly number[],
  [startMs, endMs]: readonly [number, number],
): RowWindow | undefined {
  const first = timesMs.findIndex((timeMs) => timeMs >= startMs);
  const last = timesMs.findLastIndex((timeMs) => timeMs <= endMs);
  return first >= 0 && last >= first ? { first, last } : undefined;
}

/** A number, or one of the words that mean there is none. */
function isValue(text: string): boolean {
  return !Number.isNaN(Number(text)) || /^(nan|null|none|na|[+-]?inf(inity)?)$/i.test(text);
}

const STAMP = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?$/;

/**
 * `2014-04-01 00:05:00`, with or without seconds, `T` and zone, in milliseconds; UTC without a zone. NaN
 * for anything else.
 */
function parseStamp(text: string): number {
  const [, day, clock, zone = "Z"] = STAMP.exec(text) ?? [];
  return day === undefined ? Number.NaN : Date.parse(`${day}T${clock}${zone}`);
}

async function readJson(path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readPart(path);
  try {
    const root: unknown = JSON.parse(text);
    return objectIn(root);
  } catch (error) {
    throw usage(path, `is not JSON: ${messageOf(error)}`);
  }
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function badCell(path: string, row: number, column: string, text: string): PetrelError {
  return usage(path, `row ${row}, column ${column}: "${text.slice(0, 100)}" cannot be read`);
}

function usage(path: string, what: string): PetrelError {
  return new PetrelError("USAGE", `${path}: ${what}.`, { path });
}
