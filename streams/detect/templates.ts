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

/** Statements of one service needed to tell its traffic from all traffic. */
const PEERS_MIN = 5;
/** Counts this small say little about a ratio. */
const RATIO_COUNT_MIN = 3;
const SUPPORT_MIN = 2;
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

/** Findings of kind template_new, template_gone and template_rate. */
export function detectTemplates(
  current: LogSummary,
  baseline: LogSummary,
  text: TextOptions,
): Draft[] {
  const all = units(current, baseline);
  const factorOf = sizeFactors(all, lengthRatio(current, baseline));
  const tests = all.map((unit) => {
    const factor = factorOf(unit.service);
    return { unit, factor, p: poissonP(unit.current, factor, unit.baseline, 1) };
  });
  const zs = tests.map(({ p }) => zOfP(p));
  // Lines come in clumps, so most counts vary more than Poisson's law says: all tests are deflated by
  // the spread that the bulk of them shows (genomic control, Devlin and Roeder 1999).
  const both = zs.filter((_, index) => (tests[index]?.unit.baseline ?? 0) >= RATIO_COUNT_MIN);
  const inflation =
    both.length >= PEERS_MIN ? Math.max(1, scaledMad([...both, ...both.map((z) => -z)])) : 1;
  const adjusted = adjustedPs(tests.map(({ p }) => p));
  return tests.flatMap(({ unit, factor }, index) => {
    const change = changeOf(unit, factor);
    const z = (zs[index] ?? 0) / inflation;
    const score = commonScore(WEIGHT[levelOf(unit)][change] * z);
    if (score < SUPPORT_MIN) return [];
    const sure = (adjusted[index] ?? 1) <= DISCOVERY_RATE && score >= ANOMALOUS_MIN;
    return [draftOf(unit, change, { score, anomalous: sure, factor }, text)];
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
  const said = `${sample.level} "${clip(text.redact(sample.template), 200)}"`;
  const times = `${short(unit.current)} times where ${short(expected)} were expected`;
  const words = [sample.template, sample.exception ?? "", ...sample.exemplars].join("\n");
  const symptom = symptomOf(words);
  const mentions = mentionsOf(words, text, service);
  const exemplars = change === "gone" ? [] : exemplarsOf(sample, text);
  return {
    kind: KIND[change],
    service,
    summary: clip(`${said} came ${times}.`, 1_000),
    score: verdict.score,
    anomalous: verdict.anomalous,
    direction: change,
    value: unit.current,
    baseline: expected,
    unit: "lines",
    templateId: clip(sample.id, 64),
    template: clip(text.redact(sample.template), 2_000),
    ...resourceOf(unit, symptom?.resource),
    ...(unit.location === undefined ? {} : { codeLocation: clip(unit.location, 200) }),
    ...(sample.exception === undefined
      ? {}
      : { exception: clip(text.redact(sample.exception), 200) }),
    ...(mentions.length === 0 ? {} : { mentions }),
    ...(exemplars.length === 0 ? {} : { exemplars }),
  };
}

function resourceOf(unit: Unit, resource: Draft["resource"]): Pick<Draft, "resource"> {
  if (resource !== undefined) return { resource };
  return unit.error ? { resource: "errors" } : {};
}
