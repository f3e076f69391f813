/**
 * New, vanished and rate-changed statements. Each is a two-sample Poisson test on the counts of both
 * windows, given how much was said in each; the false discovery rate is held over all of them.
 */
import type { LogSummary } from "../model.ts";
import { adjustedPs, commonScore, median, poissonP, scaledMad, zOfP } from "../stats.ts";
import { type Unit, units } from "./align.ts";
import { append, clip, DISCOVERY_RATE, type Draft, short } from "./draft.ts";
import { symptomOf } from "./symptoms.ts";
import { exemplarsOf, mentionsOf, type TextOptions } from "./text.ts";
import { counted } from "./words.ts";

/** Statements of one service needed to tell its traffic from all traffic. */
const PEERS_MIN = 5;
/** Statements needed to tell how much counts vary by themselves. */
const BULK_MIN = 20;
/**
 * Clumps inflate a deviation by the root of their size: sixteen lines, or four where the statements are
 * too few to tell, as a fault may move them all. Recorded systems stay below 2.5.
 */
const INFLATION_MAX = { many: 4, few: 2 } as const;
/** Counts this small say little about a ratio. */
const RATIO_COUNT_MIN = 3;
const SUPPORT_MIN = 1.3;
const GROWTH_MIN = 2;
/** Of a statement, as its summary quotes it. */
const QUOTE_CHARS_MAX = 160;
/** Thousands of statements are tested in a day, so one alone must be clear. */
const ANOMALOUS_MIN = 5;

/**
 * How much a change says, by level. An error that is new is a symptom; an INFO line that comes more
 * often is mostly another mix of requests.
 */
const WEIGHT = {
  error: { new: 1, gone: 0, up: 1, down: 0 },
  warn: { new: 0.8, gone: 0.3, up: 0.6, down: 0.2 },
  other: { new: 0.5, gone: 0.6, up: 0.3, down: 0.3 },
} as const;

/**
 * Expected ratio of counts, current to baseline: the median of ratios (size factors of Anders and
 * Huber 2010), per service where it has enough statements, so that a change of traffic is no news.
 */
export function sizeFactors(all: readonly Unit[], fallback: number): (service: string) => number {
  const ratios = new Map<string, number[]>();
  const everywhere: number[] = [];
  for (const unit of all) {
    if (Math.min(unit.current, unit.baseline) < RATIO_COUNT_MIN) continue;
    const ratio = unit.current / unit.baseline;
    everywhere.push(ratio);
    append(ratios, unit.service, ratio);
  }
  const overall = everywhere.length >= PEERS_MIN ? median(everywhere) : fallback;
  return (service) => {
    const own = ratios.get(service) ?? [];
    return own.length >= PEERS_MIN ? median(own) : overall;
  };
}

/** Length of one window over the other, the ratio to expect when nothing else is known. */
export function lengthRatio(current: LogSummary, baseline: LogSummary): number {
  const length = (summary: LogSummary) =>
    Math.max(1, summary.window.endMs - summary.window.startMs);
  return length(current) / length(baseline);
}

/** Lines that a statement writes per trace that passes it; 1 where that is not known. */
function clumps(summaries: readonly LogSummary[]): (unit: Unit) => number {
  return ({ service, location, sample, current, baseline }) => {
    const key = `${service}>${location ?? sample.id}`;
    const traces = summaries.map(({ paths }) => paths?.statements.get(key)?.traces ?? 0);
    const passed = traces.reduce((sum, count) => sum + count, 0);
    return passed === 0 ? 1 : Math.max(1, (current + baseline) / passed);
  };
}

type Change = "new" | "gone" | "up" | "down";

function changeOf(unit: Unit, factor: number): Change {
  if (unit.baseline === 0) return "new";
  if (unit.current === 0) return "gone";
  return unit.current > unit.baseline * factor ? "up" : "down";
}

function levelOf(unit: Unit): keyof typeof WEIGHT {
  if (unit.error) return "error";
  return unit.sample.level === "WARN" ? "warn" : "other";
}

/**
 * Errors and warnings that at least double. Other lines come and go with releases and with the mix of
 * requests: they support a cause, but alarm nobody.
 */
function isTrouble(unit: Unit, factor: number): boolean {
  return levelOf(unit) !== "other" && unit.current >= GROWTH_MIN * unit.baseline * factor;
}

/** Findings of kind template_new, template_gone and template_rate. */
export function detectTemplates(
  current: LogSummary,
  baseline: LogSummary,
  text: TextOptions,
): Draft[] {
  const all = units(current, baseline);
  const factorOf = sizeFactors(all, lengthRatio(current, baseline));
  // Lines come in clumps, so counts vary more than Poisson's law says: each statement is counted in the
  // clumps it writes per trace (the effective sample size of Kish 1965), and all tests are deflated by
  // the spread that the bulk still shows (genomic control, Devlin and Roeder 1999).
  const clumpOf = clumps([current, baseline]);
  const tests = all.map((unit) => {
    const factor = factorOf(unit.service);
    const clump = clumpOf(unit);
    const [now, before] = [Math.round(unit.current / clump), Math.round(unit.baseline / clump)];
    return { unit, factor, p: poissonP(now, factor, before, 1) };
  });
  const zs = tests.map(({ p }) => zOfP(p));
  const both = zs.filter((_, index) => (tests[index]?.unit.baseline ?? 0) >= RATIO_COUNT_MIN);
  const spread = both.length >= PEERS_MIN ? scaledMad([...both, ...both.map((z) => -z)]) : 1;
  const inflationMax = INFLATION_MAX[both.length >= BULK_MIN ? "many" : "few"];
  const inflation = Math.min(inflationMax, Math.max(1, spread));
  const adjusted = adjustedPs(tests.map(({ p }) => p));
  return tests.flatMap(({ unit, factor }, index) => {
    const change = changeOf(unit, factor);
    const z = (zs[index] ?? 0) / inflation;
    const score = commonScore(WEIGHT[levelOf(unit)][change] * z);
    if (score < SUPPORT_MIN) return [];
    const sure = (adjusted[index] ?? 1) <= DISCOVERY_RATE && score >= ANOMALOUS_MIN;
    const anomalous = sure && isTrouble(unit, factor);
    return [draftOf(unit, change, { score, anomalous, factor }, text)];
  });
}

const KIND = {
  new: "template_new",
  gone: "template_gone",
  up: "template_rate",
  down: "template_rate",
} as const;

interface Verdict {
  readonly score: number;
  readonly anomalous: boolean;
  readonly factor: number;
}

function draftOf(unit: Unit, change: Change, verdict: Verdict, text: TextOptions): Draft {
  const { sample, service } = unit;
  const expected = unit.baseline * verdict.factor;
  const words = [sample.template, sample.exception ?? "", ...sample.exemplars].join("\n");
  const symptom = symptomOf(words);
  const mentions = mentionsOf(words, text, service);
  const exemplars = change === "gone" ? [] : exemplarsOf(sample, text);
  return {
    kind: KIND[change],
    service,
    summary: wordsOf(unit, expected, text),
    score: verdict.score,
    anomalous: verdict.anomalous,
    direction: change,
    value: unit.current,
    baseline: expected,
    unit: "lines",
    templateId: clip(sample.id, 64),
    template: clip(text.redact(sample.template), 2_000),
    ...resourceOf(unit, symptom?.resource),
    ...located(unit),
    ...(sample.exception === undefined
      ? {}
      : { exception: clip(text.redact(sample.exception), 200) }),
    ...(mentions.length === 0 ? {} : { mentions }),
    ...(exemplars.length === 0 ? {} : { exemplars }),
  };
}

/** Where the stack trace says it was thrown; else which statement writes the line. */
function located({ sample, location }: Unit): Pick<Draft, "codeLocation"> {
  const place = sample.frame ?? location;
  return place === undefined ? {} : { codeLocation: clip(place, 200) };
}

/** The count first: a line of text may be cut where it is shown. */
function wordsOf({ sample, current }: Unit, expected: number, text: TextOptions): string {
  const line = `${sample.level} "${clip(text.redact(sample.template), QUOTE_CHARS_MAX)}"`;
  if (current === 0) return `No line ${line} where ${short(expected)} were expected.`;
  return `${counted(current, "time")} ${line} where ${short(expected)} were expected.`;
}

function resourceOf(unit: Unit, resource: Draft["resource"]): Pick<Draft, "resource"> {
  if (resource !== undefined) return { resource };
  return unit.error ? { resource: "errors" } : {};
}
