/**
 * Finds PetShop's traffic levels and issues in a folder, whole or in part. It reads no table. What is not
 * whole is left out, and said.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { LeftOut } from "../report.ts";

/** One traffic level: a folder with a graph, normal data and issues, as far as they are there. */
export interface Level {
  readonly name: string;
  readonly graphFile: string;
  /** Tables of normal data; empty when there are none. */
  readonly normalFiles: readonly string[];
  readonly issues: readonly IssueFolder[];
}

export interface IssueFolder {
  /** Such as `low_traffic/test/issue_3`. */
  readonly name: string;
  readonly metricsFile: string;
  readonly targetFile: string;
}

const INSIDE = ["", "dataset", "petshop", "petshop/dataset"];
const SPLITS = ["train", "test"];
const NORMAL = "noissue";
const METRICS = "metrics.csv";
const TARGET = "target.json";
const GRAPH = "graph.csv";
const LEVELS_MAX = 50;
const ISSUES_MAX = 1_000;

/**
 * The levels in `dir`, by name: `dir` itself may be one, or an issue. Throws USAGE when there is no sign
 * of any; the list is empty when none has what it needs.
 */
export function levelsIn(dir: string, left: LeftOut): Level[] {
  for (const inside of INSIDE) {
    const root = resolve(dir, inside);
    const folders = isLevel(root) ? [root] : foldersIn(root, left).filter(isLevel);
    if (folders.length === 0) continue;
    return firstOf(folders, LEVELS_MAX, root, left)
      .map((folder) => levelOf(folder, left))
      .filter((level) => level !== undefined);
  }
  throw left.nothing(
    `--data ${dir}: no PetShop data there: a folder with ${NORMAL}, train or test was expected`,
  );
}

function isLevel(folder: string): boolean {
  if (isFolder(join(folder, NORMAL)) || existsSync(join(folder, TARGET))) return true;
  const splits = SPLITS.map((split) => join(folder, split)).filter(isFolder);
  if (splits.length > 0 && existsSync(join(folder, GRAPH))) return true;
  if (splits.flatMap((split) => foldersIn(split)).some(isIssue)) return true;
  return foldersIn(folder).some((issue) => existsSync(join(issue, TARGET)));
}

function isIssue(folder: string): boolean {
  return [METRICS, TARGET].some((name) => existsSync(join(folder, name)));
}

/** Undefined without a graph, and without anything to evaluate. */
function levelOf(folder: string, left: LeftOut): Level | undefined {
  const name = basename(folder);
  // One graph may serve all levels; an issue alone has it two folders above, beside `test`.
  const above = existsSync(join(folder, TARGET)) ? ["..", "../.."] : [".."];
  const graphFile = ["", ...above]
    .map((place) => join(resolve(folder, place), GRAPH))
    .find((file) => existsSync(file));
  if (graphFile === undefined) {
    left.add(missing(join(folder, GRAPH), "it says who calls whom"));
    return undefined;
  }
  const issues = firstOf(issueFoldersIn(folder, left), ISSUES_MAX, folder, left)
    .map((issue) => issueIn(issue, join(name, issue.slice(folder.length)), left))
    .filter((issue) => issue !== undefined);
  const normal = join(folder, NORMAL);
  const subfolders = isFolder(normal) ? foldersIn(normal, left) : [];
  const normalFiles = [normal, ...subfolders]
    .map((place) => join(place, METRICS))
    .filter((file) => existsSync(file));
  if (normalFiles.length === 0) left.note(`${join(normal, METRICS)}: missing; no normal data`);
  if (normalFiles.length + issues.length === 0) return undefined;
  return { name, graphFile, normalFiles, issues };
}

/** Those of both splits, those beside the splits, and the folder when it is an issue itself. */
function issueFoldersIn(folder: string, left: LeftOut): string[] {
  const known = new Set([NORMAL, ...SPLITS]);
  const beside = [folder, ...foldersIn(folder, left)].filter(
    (issue) => !known.has(basename(issue)) && isIssue(issue),
  );
  const split = SPLITS.map((name) => join(folder, name)).filter(isFolder);
  return [...split.flatMap((place) => foldersIn(place, left)), ...beside];
}

function issueIn(folder: string, name: string, left: LeftOut): IssueFolder | undefined {
  const [metricsFile, targetFile] = [join(folder, METRICS), join(folder, TARGET)];
  for (const file of [metricsFile, targetFile]) {
    if (existsSync(file)) continue;
    left.add(missing(file));
    return undefined;
  }
  return { name, metricsFile, targetFile };
}

function firstOf<T>(items: readonly T[], max: number, place: string, left: LeftOut): readonly T[] {
  if (items.length > max)
    left.note(`${place}: ${items.length - max} folders after the ${max} first`);
  return items.slice(0, max);
}

/** Folders in it by name, numbers in order of size; none when it is no folder, or cannot be listed. */
function foldersIn(folder: string, left?: LeftOut): string[] {
  if (!isFolder(folder)) return [];
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    const why = `${folder}: cannot be listed: ${messageOf(error)}`;
    left?.add(new PetrelError("USAGE", why, { file: folder }, error));
    return [];
  }
  return names
    .filter((name) => !name.startsWith("."))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((name) => join(folder, name))
    .filter(isFolder);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function missing(file: string, why = ""): PetrelError {
  const message = `${file}: missing${why === "" ? "" : `; ${why}`}`;
  return new PetrelError("USAGE", message, { file });
}
