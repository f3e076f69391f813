/** Finds PetShop's traffic levels and issues in a folder, whole or in part. It reads no table. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { PetrelError } from "../../core/mod.ts";

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
const LEVELS_MAX = 50;
const ISSUES_MAX = 1_000;

/** The levels in `dir`, by name. Throws USAGE when there is none, or when a file that is needed is missing. */
export function levelsIn(dir: string): Level[] {
  for (const inside of INSIDE) {
    const root = resolve(dir, inside);
    const folders = isLevel(root) ? [root] : foldersIn(root).filter(isLevel);
    if (folders.length > 0) return folders.slice(0, LEVELS_MAX).map(levelOf);
  }
  throw new PetrelError(
    "USAGE",
    `--data ${dir}: no PetShop data there: a folder with ${NORMAL}, train or test was expected`,
  );
}

function isLevel(folder: string): boolean {
  if (existsSync(join(folder, NORMAL, "metrics.csv"))) return true;
  return SPLITS.some((split) =>
    foldersIn(join(folder, split)).some((issue) => existsSync(join(issue, "target.json"))),
  );
}

function levelOf(folder: string): Level {
  const name = basename(folder);
  const graphFile = [folder, resolve(folder, "..")]
    .map((place) => join(place, "graph.csv"))
    .find((file) => existsSync(file));
  if (graphFile === undefined) {
    throw new PetrelError("USAGE", `${join(folder, "graph.csv")}: missing; it says who calls whom`);
  }
  const issues = SPLITS.flatMap((split) =>
    foldersIn(join(folder, split)).map((issue) => issueIn(issue, `${name}/${split}`)),
  ).filter((issue) => issue !== undefined);
  const normal = join(folder, NORMAL);
  const normalFiles = [normal, ...foldersIn(normal)]
    .map((place) => join(place, "metrics.csv"))
    .filter((file) => existsSync(file));
  return { name, graphFile, normalFiles, issues: issues.slice(0, ISSUES_MAX) };
}

function issueIn(folder: string, place: string): IssueFolder | undefined {
  const [metricsFile, targetFile] = [join(folder, "metrics.csv"), join(folder, "target.json")];
  const [measured, labelled] = [existsSync(metricsFile), existsSync(targetFile)];
  if (!measured && !labelled) return undefined;
  if (!measured || !labelled) {
    throw new PetrelError("USAGE", `${measured ? targetFile : metricsFile}: missing`);
  }
  return { name: `${place}/${basename(folder)}`, metricsFile, targetFile };
}

/** Folders in it by name, numbers in order of size; none when it does not exist. */
function foldersIn(folder: string): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((name) => join(folder, name));
}
