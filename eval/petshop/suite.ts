/**
 * PetShop (Hardt et al., "The PetShop dataset: finding causes of performance issues across
 * microservices", CLeaR 2024): latency and availability issues of an application on AWS, every five
 * minutes one sample per node, and the call graph.
 *
 * Each window goes through what runs in production: `detectMetrics` over all series, and `rankCauses`
 * with the call graph as configured dependencies, both with their default settings. The node and the
 * metric that raised the alarm (`target`) are told to neither.
 *
 * - The window of an issue: three samples, from the first that lies mostly after the target's time.
 *   Its past: the normal data of its traffic level, and what the issue's own table has before it.
 * - `top1_*`, `top3_*`: share of the issues with that target metric whose root cause is named first, or
 *   among the first three. An issue without a named cause counts as wrong.
 * - `specificity_*`: every run of three samples in the later half of the normal data stands as if it were
 *   an issue's window, with all that lies before it as its past. It is specific when no cause is named,
 *   whatever its evidence; as no target is told, the figure is the same for both metrics.
 * - `false_alarms_per_day_per_50_services`: those of these windows with a cause, one window beginning
 *   every five minutes; an event that three windows see counts three times.
 *
 * A level, an issue or a table of normal data that cannot be read is left out, and said.
 */
import { PetrelError, type Window, windowToJson } from "../../core/mod.ts";
import {
  type Cause,
  type Dependency,
  detectMetrics,
  rankCauses,
  reportOfMetrics,
  type Series,
} from "../../streams/mod.ts";
import {
  checkSignal,
  type EvalOptions,
  type Figures,
  LeftOut,
  readPart,
  type Suite,
} from "../report.ts";
import { parseGraph, parseMetrics, type Table } from "./csv.ts";
import { figuresOf, hits, type IssueResult, type NormalResult, outcomeOf } from "./figures.ts";
import { type IssueFolder, type Level, levelsIn } from "./layout.ts";
import { movedBefore, seriesOf, stepOf, windowFrom } from "./series.ts";
import { parseTarget, type Target } from "./target.ts";

const WINDOW_SAMPLES = 3;
/** With less of a past nothing is normal; see the detector. */
const PAST_SAMPLES_MIN = 10;
const DAY_MS = 24 * 3_600_000;

/** Throws USAGE with the first reason when nothing can be evaluated, CANCELLED when the signal fires. */
export const petshop: Suite = async (options) => {
  const left = new LeftOut();
  const levels = levelsIn(options.dir, left);
  const total = levels.reduce((sum, level) => sum + level.issues.length + 1, 0);
  let done = 0;
  const read: LevelResult[] = [];
  for (const level of levels) {
    const onDone = (what: string) => options.onProgress?.(++done, total, what);
    const result = await evaluateLevel(level, { signal: options.signal, left, onDone });
    if (result !== undefined) read.push(result);
  }
  if (read.length === 0) throw left.nothing(`--data ${options.dir}: nothing to evaluate there`);
  const issues = read.flatMap((level) => level.issues);
  const normal = read.flatMap((level) => level.normal ?? []);
  const groups = read.map(({ name, issues: own, normal: windows }): [string, Figures] => [
    name,
    figuresOf(own, windows === undefined ? [] : [windows]),
  ]);
  const kinds = Map.groupBy(issues, ({ target }) => `${target.metric}, ${target.rootCause}`);
  return {
    cases: issues.length,
    metrics: figuresOf(issues, normal),
    byGroup: {
      ...Object.fromEntries(groups),
      ...Object.fromEntries(
        [...kinds].map(([kind, own]) => [kind, { cases: own.length, ...hits(own) }]),
      ),
    },
    outcomes: issues.map(outcomeOf),
    left: left.reasons(),
  };
};

interface LevelResult {
  readonly name: string;
  readonly issues: readonly IssueResult[];
  readonly normal?: NormalResult;
}

interface Run {
  readonly signal: EvalOptions["signal"];
  readonly left: LeftOut;
  readonly onDone: (what: string) => void;
}

/** Undefined when nothing of the level can be evaluated. */
async function evaluateLevel(
  level: Level,
  { signal, left, onDone }: Run,
): Promise<LevelResult | undefined> {
  checkSignal(signal, "petshop");
  const { graphFile } = level;
  const calls = await left.unless(async () => parseGraph(graphFile, await readPart(graphFile)));
  if (calls === undefined) return undefined;
  const normal: Table[] = [];
  for (const file of level.normalFiles) {
    const table = await left.unless(async () => parseMetrics(file, await readPart(file)));
    if (table !== undefined) normal.push(table);
  }
  const issues: IssueResult[] = [];
  for (const folder of level.issues) {
    checkSignal(signal, "petshop");
    const issue = await left.unless(() => readIssue(folder, normal));
    if (issue !== undefined) {
      const { target, series, window } = issue;
      issues.push({ name: folder.name, target, causes: causesOf(series, window, calls) });
    }
    onDone(folder.name);
  }
  const windows = await evaluateNormal(normal, calls, signal);
  onDone(`${level.name}/noissue`);
  if (windows === undefined && normal.length > 0) {
    left.note(`${normal[0]?.file}: too few samples for windows of normal data`);
  }
  if (issues.length === 0 && windows === undefined) return undefined;
  return { name: level.name, issues, ...(windows === undefined ? {} : { normal: windows }) };
}

interface ReadIssue {
  readonly target: Target;
  readonly series: readonly Series[];
  readonly window: Window;
}

/** An issue with its past. Throws USAGE for what cannot be read, and for too short a past. */
async function readIssue(folder: IssueFolder, normal: readonly Table[]): Promise<ReadIssue> {
  const target = parseTarget(folder.targetFile, await readPart(folder.targetFile));
  const own = parseMetrics(folder.metricsFile, await readPart(folder.metricsFile));
  const stepMs = stepOf(own.timesMs);
  const window = windowFrom(own.timesMs, target.timeMs, { stepMs, samples: WINDOW_SAMPLES });
  if (window === undefined) {
    throw new PetrelError("USAGE", `${folder.metricsFile}: no samples`);
  }
  const firstMs = own.timesMs[0] ?? window.startMs;
  const past = movedBefore(normal, firstMs, stepMs);
  const series = seriesOf([...past, own], stepMs);
  const before = [...past, own].flatMap(({ timesMs }) => timesMs.filter((t) => t < window.startMs));
  if (before.length < PAST_SAMPLES_MIN) {
    throw new PetrelError(
      "USAGE",
      `${folder.metricsFile}: no normal data: neither noissue/metrics.csv nor ${PAST_SAMPLES_MIN} samples of its own before the issue`,
    );
  }
  return { target, series, window };
}

/** The way of production: a report of the metrics, and the ranking over it. */
function causesOf(
  series: readonly Series[],
  window: Window,
  dependencies: readonly Dependency[],
): readonly Cause[] {
  const { findings, notes } = detectMetrics(series, window);
  const report = reportOfMetrics({
    window: windowToJson(window),
    baseline: [],
    series,
    findings,
    notes,
    cut: false,
    seconds: 0,
    links: [],
  });
  return rankCauses([report], { dependencies }).causes;
}

async function evaluateNormal(
  tables: readonly Table[],
  calls: readonly Dependency[],
  signal: EvalOptions["signal"],
): Promise<NormalResult | undefined> {
  const sum = { windows: 0, alarmed: 0, days: 0, services: 0 };
  for (const table of tables) {
    const stepMs = stepOf(table.timesMs);
    const series = seriesOf([table], stepMs);
    const from = Math.max(PAST_SAMPLES_MIN, Math.floor(table.timesMs.length / 2));
    sum.services = Math.max(sum.services, new Set(series.map((one) => one.service)).size);
    for (const startMs of table.timesMs.slice(from, 1 - WINDOW_SAMPLES)) {
      checkSignal(signal, "petshop");
      const window = { startMs, endMs: startMs + WINDOW_SAMPLES * stepMs };
      sum.windows += 1;
      sum.days += stepMs / DAY_MS;
      if (causesOf(series, window, calls).length > 0) {
        sum.alarmed += 1;
      }
      // A long loop without a pause would hold up the progress and the abort.
      if (sum.windows % 50 === 0) await Promise.resolve();
    }
  }
  return sum.windows === 0 ? undefined : sum;
}
