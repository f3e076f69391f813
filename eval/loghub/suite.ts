/**
 * Loghub: the miner on the labelled sets of 2,000 lines, as many as are there. It is given what a line
 * says and nothing else: no header, no component, no name of the set, one configuration. Each set has a
 * miner of its own, as each service has its own templates.
 */
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { TemplateMiner } from "../../streams/mod.ts";
import type { CaseOutcome, EvalOptions, Figures, Suite, SuiteResult } from "../report.ts";
import { type LabelledLine, parseStructured } from "./csv.ts";
import { compareGroups, type Grouping } from "./grouping.ts";

const SUFFIX = "_2k.log_structured.csv";
const INSIDE = ["", "loghub"];
const SETS_MAX = 100;
/** What the field calls good; an outcome is right from here on. */
const GOOD = 0.9;

/** One service for all lines of a set: nothing but the text tells them apart. */
const SERVICE = "loghub";

interface SetFile {
  readonly name: string;
  readonly file: string;
}

/**
 * Metrics: `grouping_accuracy` and `fga`, means over the sets; `online_accuracy` is the grouping accuracy
 * of the ids lines were given when they came, before what came later joined templates. Throws USAGE for
 * data that is missing or malformed, CANCELLED when the signal fires.
 */
export const loghub: Suite = async (options) => {
  const sets = setsIn(options.dir);
  const results: {
    readonly name: string;
    readonly lines: number;
    readonly last: Grouping;
    readonly first: Grouping;
  }[] = [];
  for (const { name, file } of sets) {
    checkSignal(options);
    const lines = parseStructured(file, await textOf(file));
    const { first, last } = mine(lines);
    const truth = lines.map(({ event }) => event);
    results.push({
      name,
      lines: lines.length,
      last: compareGroups(last, truth),
      first: compareGroups(first, truth),
    });
    options.onProgress?.(results.length, sets.length, name);
  }
  return resultOf(results);
};

function resultOf(
  results: readonly { name: string; lines: number; last: Grouping; first: Grouping }[],
): SuiteResult {
  const byGroup: Record<string, Figures> = {};
  const outcomes: CaseOutcome[] = [];
  for (const { name, lines, last, first } of results) {
    byGroup[name] = {
      grouping_accuracy: last.accuracy,
      fga: last.fga,
      online_accuracy: first.accuracy,
      templates: last.groups,
      true_templates: last.trueGroups,
      lines,
    };
    outcomes.push({
      name,
      right: last.accuracy >= GOOD,
      expected: `${last.trueGroups} groups`,
      answered: `${last.groups} groups, ${last.rightGroups} of them right; accuracy ${last.accuracy.toFixed(3)}`,
    });
  }
  return {
    cases: results.length,
    metrics: {
      grouping_accuracy: mean(results.map(({ last }) => last.accuracy)),
      fga: mean(results.map(({ last }) => last.fga)),
      online_accuracy: mean(results.map(({ first }) => first.accuracy)),
    },
    byGroup,
    outcomes,
  };
}

/** The ids of the lines, as they came and as they are when all have come. */
function mine(lines: readonly LabelledLine[]): { first: string[]; last: string[] } {
  const miner = new TemplateMiner();
  const first = lines.map(({ content }, at) => {
    const template = miner.match({ service: SERVICE, message: content });
    // A line that finds no template is alone, as it would be in an alarm.
    return template?.id ?? `none-${at}`;
  });
  return { first, last: first.map((id) => miner.resolve(id)?.id ?? id) };
}

/** The sets below `dir`, by name. */
function setsIn(dir: string): SetFile[] {
  for (const inside of INSIDE) {
    const root = resolve(dir, inside);
    const sets = foldersIn(root)
      .map((name) => ({ name, file: join(root, name, `${name}${SUFFIX}`) }))
      .filter(({ file }) => existsSync(file));
    if (sets.length > 0) return sets.slice(0, SETS_MAX);
  }
  throw new PetrelError(
    "USAGE",
    `--data ${dir}: no Loghub data there: <Set>/<Set>${SUFFIX} was expected, or a folder loghub with it`,
  );
}

function foldersIn(root: string): string[] {
  if (!existsSync(root)) return [];
  try {
    const entries = readdirSync(root, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isFile())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    throw new PetrelError("USAGE", `${root}: cannot be listed: ${messageOf(error)}`, {}, error);
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new PetrelError("USAGE", `${file}: cannot be read: ${messageOf(error)}`, { file }, error);
  }
}

function checkSignal({ signal }: EvalOptions): void {
  if (!signal.aborted) return;
  throw new PetrelError("CANCELLED", "evaluating loghub: cancelled", {}, signal.reason);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
