/**
 * Finds requests that no longer begin: a statement of the caller used to be followed by the callee's
 * first line, now the caller goes on and the callee says nothing. They fail, or are lost, before the
 * callee's first line, so nothing in the callee's own lines can tell of it.
 */
import type { EntryCounts, LogSummary, PathSummary } from "../model.ts";
import { adjustedPs, commonScore, fisherLeastP, fisherP, zOfP } from "../stats.ts";
import { clip, DISCOVERY_RATE, type Draft, NOTABLE, short } from "./draft.ts";
import { StatementBook } from "./path-words.ts";
import type { TextOptions } from "./text.ts";

/** Most traces that passed the caller's statement must have gone on to the callee before. */
const USUAL_SHARE = 0.5;
/** The share must fall by this much. */
const EFFECT_MIN = 0.3;
/** What cannot come below this p however the counts fall is not tested (Tarone 1990). */
const TESTABLE_P = 0.01;
const SUPPORT_MIN = 1.3;
/** A caller that stops there itself may be the one that fails. */
const STOPPED_WEIGHT = 0.5;

/** Requests of one callee that begin after one statement of a caller, whatever they begin with. */
interface Way {
  readonly entry: EntryCounts;
  readonly traces: number;
}

interface Lost {
  readonly entry: EntryCounts;
  readonly now: number;
  readonly ofNow: number;
  readonly before: number;
  readonly ofBefore: number;
  readonly p: number;
}

/** One finding per callee: the entry that is lost most surely. Empty without traces in both windows. */
export function detectEntries(
  current: LogSummary,
  baseline: LogSummary,
  text: TextOptions,
): Draft[] {
  const [now, before] = [current.paths, baseline.paths];
  if (now === undefined || before === undefined) return [];
  const [waysNow, waysBefore] = [waysIn(now), waysIn(before)];
  const moved = movedIn(waysNow, waysBefore);
  const [goingNow, goingBefore] = [goingIn(now), goingIn(before)];
  const tests = [...waysBefore].flatMap(([key, way]) => {
    const lost = lostOf(way, waysNow.get(key)?.traces ?? 0, now, before);
    return lost === undefined || isMoved(lost, moved) ? [] : [lost];
  });
  const adjusted = adjustedPs(tests.map(({ p }) => p));
  const best = new Map<string, { lost: Lost; score: number; discovered: boolean }>();
  for (const [index, lost] of tests.entries()) {
    const source = sourceOf(lost.entry);
    const share = (going: ReadonlyMap<string, number>, traces: number) =>
      (going.get(source) ?? 0) / traces;
    const goesOn = share(goingNow, lost.ofNow) >= share(goingBefore, lost.ofBefore) - EFFECT_MIN;
    const weight = goesOn ? 1 : STOPPED_WEIGHT;
    const score = commonScore(weight * zOfP(lost.p));
    const { callee } = lost.entry;
    if (!isFall(lost) || score < SUPPORT_MIN || score <= (best.get(callee)?.score ?? 0)) continue;
    best.set(callee, { lost, score, discovered: (adjusted[index] ?? 1) <= DISCOVERY_RATE });
  }
  const book = new StatementBook([baseline, current], text);
  return [...best.values()].map(({ lost, score, discovered }) =>
    draftOf(lost, { score, anomalous: discovered && score >= NOTABLE }, book),
  );
}

/** Ways by caller, statement and callee, each with its commonest first line. */
function waysIn(paths: PathSummary): Map<string, Way> {
  const ways = new Map<string, Way>();
  for (const entry of paths.entries.values()) {
    const key = `${entry.caller}>${entry.from}>${entry.callee}`;
    const known = ways.get(key);
    const commonest = known && known.entry.traces >= entry.traces ? known.entry : entry;
    ways.set(key, { entry: commonest, traces: (known?.traces ?? 0) + entry.traces });
  }
  return ways;
}

function lostOf(
  { entry, traces }: Way,
  tracesNow: number,
  now: PathSummary,
  before: PathSummary,
): Lost | undefined {
  const source = sourceOf(entry);
  const [ofNow, ofBefore] = [tracesAt(now, source), tracesAt(before, source)];
  if (ofNow === 0 || traces < USUAL_SHARE * ofBefore) return undefined;
  const count = Math.min(tracesNow, ofNow);
  const usual = Math.min(traces, ofBefore);
  if (fisherLeastP(count + usual, ofNow, ofBefore) > TESTABLE_P) return undefined;
  const p = fisherP(count, ofNow, usual, ofBefore);
  return { entry, now: count, ofNow, before: usual, ofBefore, p };
}

/** Per caller and callee the traces that begin after statements which called nobody there before. */
function movedIn(
  waysNow: ReadonlyMap<string, Way>,
  waysBefore: ReadonlyMap<string, Way>,
): Map<string, number> {
  const moved = new Map<string, number>();
  for (const [key, { entry, traces }] of waysNow) {
    const pair = `${entry.caller}>${entry.callee}`;
    if (!waysBefore.has(key)) moved.set(pair, (moved.get(pair) ?? 0) + traces);
  }
  return moved;
}

/** Whether the caller calls from another statement instead, as a release with one more line does. */
function isMoved(
  { entry, now, ofNow, before, ofBefore }: Lost,
  moved: ReadonlyMap<string, number>,
): boolean {
  const missing = (ofNow * before) / ofBefore - now;
  return (moved.get(`${entry.caller}>${entry.callee}`) ?? 0) >= missing / 2;
}

/** Where the caller stands: `service>statement`. */
const sourceOf = ({ caller, from }: EntryCounts) => `${caller}>${from}`;

/** Per statement the traces in which its service writes a next line of its own, no error. */
function goingIn(paths: PathSummary): Map<string, number> {
  const going = new Map<string, number>();
  for (const { service, from, to, error, traces } of paths.transitions.values()) {
    if (to === "" || error) continue;
    const source = `${service}>${from}`;
    going.set(source, (going.get(source) ?? 0) + traces);
  }
  return going;
}

const tracesAt = (paths: PathSummary, source: string) => paths.statements.get(source)?.traces ?? 0;

function isFall({ now, ofNow, before, ofBefore }: Lost): boolean {
  return before / ofBefore - now / ofNow >= EFFECT_MIN;
}

function draftOf(
  { entry, now, ofNow, before, ofBefore }: Lost,
  verdict: { readonly score: number; readonly anomalous: boolean },
  book: StatementBook,
): Draft {
  const { caller, from, callee, to } = entry;
  const shares = `in ${short(now)} of ${short(ofNow)} traces, before in ${short(before)} of ${short(ofBefore)}`;
  const words = `After ${book.words(caller, from)} of ${caller} ${book.words(callee, to)} follows ${shares}: requests are lost before its first line.`;
  return {
    kind: "path_change",
    service: callee,
    summary: clip(words, 1_000),
    ...verdict,
    direction: now === 0 ? "gone" : "down",
    value: now / ofNow,
    baseline: before / ofBefore,
    unit: "share of traces",
    ...(to.includes("#") ? { codeLocation: clip(to, 200) } : {}),
  };
}
