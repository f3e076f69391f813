/**
 * Loghub: the miner on the labelled sets of 2,000 lines, as many as are there. It is given what a line
 * says and nothing else: no header, no component, no name of the set, one configuration. Each set has a
 * miner of its own, as each service has its own templates. A set that cannot be read is left out, and said.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { TemplateMiner } from "../../streams/mod.ts";
import {
  type CaseOutcome,
  checkSignal,
  type Figures,
  LeftOut,
  readPart,
  type Suite,
  type SuiteResult,
} from "../report.ts";
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

interface SetResult {
  readonly name: string;
  readonly lines: number;
  readonly last: Grouping;
  readonly first: Grouping;
}

/**
 * Metrics: `grouping_accuracy` and `fga`, means over the sets; `online_accuracy` is the grouping accuracy
 * of the ids lines were given when they came, before what came later joined templates. Throws USAGE with
 * the first reason when no set can be read, CANCELLED when the signal fires.
 */
export const loghub: Suite = async (options) => {
  const left = new LeftOut();
  const sets = setsIn(options.dir, left);
  const results: SetResult[] = [];
  for (const [at, { name, file }] of sets.entries()) {
    checkSignal(options.signal, "loghub");
    const lines = await left.unless(async () => parseStructured(file, await readPart(file)));
    if (lines === undefined) continue;
    const { first, last } = mine(lines);
    const truth = lines.map(({ event }) => event);
    results.push({
      name,
      lines: lines.length,
      last: compareGroups(last, truth),
      first: compareGroups(first, truth),
    });
    options.onProgress?.(at + 1, sets.length, name);
  }
  if (results.length === 0) throw left.nothing(`--data ${options.dir}: no set to evaluate there`);
  return resultOf(results, left.reasons());
};

function resultOf(results: readonly SetResult[], left: readonly string[]): SuiteResult {
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
    left,
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

/** The sets in `dir`, by name: `dir` itself may be one. Throws USAGE when there is no sign of any. */
function setsIn(dir: string, left: LeftOut): SetFile[] {
  for (const inside of INSIDE) {
    const root = resolve(dir, inside);
    if (!isFolder(root)) continue;
    const names = namesIn(root, left);
    const own = names
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => ({ name: name.slice(0, -SUFFIX.length), file: join(root, name) }));
    const below = names
      .filter((name) => !name.endsWith(SUFFIX) && isFolder(join(root, name)))
      .map((name) => ({ name, file: join(root, name, `${name}${SUFFIX}`) }));
    const isThere = ({ file }: SetFile) => existsSync(file);
    const sets = [...own, ...below.filter(isThere)];
    if (sets.length === 0) continue;
    // Beside a set of its own, a folder is no set that lacks its table.
    const bare = own.length > 0 ? [] : below.filter((set) => !isThere(set));
    for (const { file } of bare) left.note(`${file}: missing`);
    if (sets.length > SETS_MAX) left.note(`${root}: the sets after the ${SETS_MAX} first`);
    return sets.slice(0, SETS_MAX);
  }
  throw left.nothing(
    `--data ${dir}: no Loghub data there: <Set>/<Set>${SUFFIX} was expected, or a folder loghub with it`,
  );
}

/** What is in a folder, by name, without what is hidden. */
function namesIn(folder: string, left: LeftOut): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .sort();
  } catch (error) {
    const why = `${folder}: cannot be listed: ${messageOf(error)}`;
    left.add(new PetrelError("USAGE", why, { file: folder }, error));
    return [];
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
