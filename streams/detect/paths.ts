/**
 * Finds requests that take another way through a service's code: after statement A came B, now comes
 * C. The idea is Nezha's (Yu et al., FSE 2023: ranking event patterns that appear or vanish), here per
 * source statement with an exact test.
 *
 * Two points of method. The trace is the unit of counting, since a loop writes a hundred dependent
 * lines. And ways that end in an error are set apart: normal ways are compared with normal ways only,
 * so that a baseline with errors in it does not make their absence look like a fault.
 */
import type { LogSummary, TransitionCounts } from "../model.ts";
import { adjustedPs, commonScore, zOfP } from "../stats.ts";
import { aliases } from "./align.ts";
import { DISCOVERY_RATE, type Draft, NOTABLE } from "./draft.ts";
import { draftOf, StatementBook } from "./path-words.ts";
import { type Step, stepOf, type Ways, waysOf, weightOf } from "./steps.ts";
import type { TextOptions } from "./text.ts";

/** A normal way must change by this share of the traces to be important, however sure the change is. */
const EFFECT_MIN = 0.1;
/** An error must follow this many times as often. */
const ERROR_GROWTH_MIN = 2;
/** A fall of this much in the share of traces that go on to a statement makes it the lost one. */
const LOST_SHARE = 0.3;
/** A rise of this much in the share of requests that end here says that something cut them off. */
const EARLY_SHARE = 0.3;
/** Weaker changes, p above 0.2, are left out; up to NOTABLE they only help to rank. */
const SUPPORT_MIN = 1.3;

/** True when the change is large enough to matter. */
function isImportant({ error, now, ofNow, before, ofBefore }: Step): boolean {
  const [shareNow, shareBefore] = [now / ofNow, before / ofBefore];
  if (error) return shareNow >= ERROR_GROWTH_MIN * shareBefore;
  return Math.abs(shareNow - shareBefore) >= EFFECT_MIN;
}

/**
 * True for changes that another mix of requests or a new release makes as well as a fault: requests
 * begin elsewhere, or a statement that one window does not know takes part.
 */
function isAmbiguous(step: Step, early: boolean, now: Ways, before: Ways): boolean {
  if (step.error) return false;
  if (step.from === "") return true;
  if (early) return false;
  const isStrange = (statement: string) =>
    statement !== "" &&
    !(
      now.statements.has(`${step.service}>${statement}`) &&
      before.statements.has(`${step.service}>${statement}`)
    );
  return isStrange(step.to);
}

/**
 * The service whose requests begin otherwise while those of all others, its callers among them, begin as
 * ever: no other mix of requests, but requests that fail before their first line. Not so when they begin
 * with a new statement, which a release brings.
 */
function steadyCallers(
  changed: readonly Step[],
  current: LogSummary,
  now: Ways,
  before: Ways,
): string | undefined {
  const [entry, ...others] = changed.filter(({ from, error }) => from === "" && !error);
  if (entry === undefined || others.length > 0) return undefined;
  const { service } = entry;
  const isCalled = [...(current.paths?.calls.values() ?? [])].some((one) => one.callee === service);
  const isNew = [...now.counts.values()].some(
    ({ service: name, from, to, error }) =>
      name === service && from === "" && !error && !before.statements.has(`${name}>${to}`),
  );
  return isCalled && !isNew ? service : undefined;
}

/**
 * One finding per source statement: its strongest change. Empty without traces in both windows.
 * `troubled` says that other findings tell of errors or delays: only then a change that a release or
 * another mix of requests could have made is anomalous by itself.
 */
export function detectPaths(
  current: LogSummary,
  baseline: LogSummary,
  text: TextOptions,
  troubled = false,
): Draft[] {
  const now = waysOf(current, aliases(current, baseline));
  const before = waysOf(baseline, new Map());
  const keys = new Set([...now.counts.keys(), ...before.counts.keys()]);
  const steps = [...keys]
    .map((key) => stepOf(key, now, before))
    .filter((step) => step !== undefined);
  const adjusted = adjustedPs(steps.map((step) => step.p));
  const best = new Map<string, { step: Step; score: number; discovered: boolean }>();
  for (const [index, step] of steps.entries()) {
    const score = commonScore(weightOf(step) * zOfP(step.p));
    const source = `${step.service}>${step.from}`;
    if (score < SUPPORT_MIN || score <= (best.get(source)?.score ?? 0)) continue;
    best.set(source, { step, score, discovered: (adjusted[index] ?? 1) <= DISCOVERY_RATE });
  }
  const early = endingEarly(steps);
  const lost = lostSteps(now, before);
  const book = new StatementBook([baseline, current], text);
  const erring = [...best.values()].some(({ step, score }) => step.error && score >= NOTABLE);
  const steady = steadyCallers(
    [...best.values()].map(({ step }) => step),
    current,
    now,
    before,
  );
  return [...best].map(([source, { step, score, discovered }]) => {
    const isEarly = early.has(source);
    const ownFault = step.from === "" && step.service === steady;
    const clear = troubled || erring || ownFault || !isAmbiguous(step, isEarly, now, before);
    const anomalous = discovered && score >= NOTABLE && isImportant(step) && clear;
    return draftOf(step, { score, anomalous, early: isEarly, lost: lost.get(source) }, book);
  });
}

/**
 * Per source, the next statement that is reached much less often than before. Between the two lies the
 * code to look at: the one is the last that ran as usual, the other should have followed.
 */
function lostSteps(now: Ways, before: Ways): Map<string, string> {
  const most = new Map<string, number>();
  const lost = new Map<string, string>();
  const shareOf = (ways: Ways, row: TransitionCounts) => {
    const count = ways.counts.get(`${row.service}>${row.from}>${row.to}`)?.traces ?? 0;
    return count / Math.max(1, ways.statements.get(`${row.service}>${row.from}`)?.traces ?? 0);
  };
  for (const row of before.counts.values()) {
    const source = `${row.service}>${row.from}`;
    const drop = shareOf(before, row) - shareOf(now, row);
    if (row.error || row.to === "" || drop < Math.max(LOST_SHARE, most.get(source) ?? 0)) continue;
    most.set(source, drop);
    lost.set(source, row.to);
  }
  return lost;
}

/** Sources after which many more requests end than before: what follows was never reached. */
function endingEarly(steps: readonly Step[]): Set<string> {
  return new Set(
    steps
      .filter(({ to }) => to === "")
      .filter((step) => step.now / step.ofNow - step.before / step.ofBefore >= EARLY_SHARE)
      .map((step) => `${step.service}>${step.from}`),
  );
}
