/**
 * Steps from one statement of a service to the next, as two windows' summaries count them, with the test
 * of each. Pure; what a step means is decided in paths.ts.
 */
import type { LogSummary, StatementCounts, TransitionCounts } from "../model.ts";
import { fisherLeastP, fisherP } from "../stats.ts";

/** A branch that both windows take depends on the data, so a shift in it says less. */
const SHIFT_WEIGHT = 0.5;
/**
 * Which entry point is called is the callers' choice; but one that falls silent may fail before its
 * first line.
 */
const ENTRY_WEIGHT = { rises: 0.5, falls: 0.7 } as const;
/** Steps that cannot come below this p are not tested. */
const TESTABLE_P = 0.01;
/** Below this share of its former frequency a branch counts as gone. */
const GONE_SHARE = 0.1;

/** One window's steps and statements, by key. */
export interface Ways {
  readonly counts: Map<string, TransitionCounts>;
  readonly statements: Map<string, StatementCounts>;
}

/** A step in both windows: traces that took it, of those that passed its start. */
export interface Step {
  readonly service: string;
  readonly from: string;
  readonly to: string;
  readonly error: boolean;
  readonly now: number;
  readonly ofNow: number;
  readonly before: number;
  readonly ofBefore: number;
  readonly p: number;
}

/** The window's ways; `alias` renames statements to those of the other window. */
export function waysOf(summary: LogSummary, alias: ReadonlyMap<string, string>): Ways {
  const named = (statement: string) => alias.get(statement) ?? statement;
  const counts = new Map<string, TransitionCounts>();
  const statements = new Map<string, StatementCounts>();
  for (const row of summary.paths?.statements.values() ?? []) {
    const statement = named(row.statement);
    statements.set(`${row.service}>${statement}`, { ...row, statement });
  }
  for (const row of summary.paths?.transitions.values() ?? []) {
    const [from, to] = [named(row.from), named(row.to)];
    counts.set(`${row.service}>${from}>${to}`, { ...row, from, to });
  }
  return { counts, statements };
}

/** The step of that key with its test; undefined when there is nothing to test. */
export function stepOf(key: string, now: Ways, before: Ways): Step | undefined {
  const row = now.counts.get(key) ?? before.counts.get(key);
  if (row === undefined) return undefined;
  const { service, from, to, error } = row;
  const passed = (ways: Ways) => {
    const source = ways.statements.get(`${service}>${from}`);
    return (source?.traces ?? 0) - (error ? 0 : (source?.erredTraces ?? 0));
  };
  const [ofNow, ofBefore] = [passed(now), passed(before)];
  if (ofNow <= 0 || ofBefore <= 0) return undefined;
  const nowCount = Math.min(now.counts.get(key)?.traces ?? 0, ofNow);
  const beforeCount = Math.min(before.counts.get(key)?.traces ?? 0, ofBefore);
  // An error that comes less often is no fault: that side is not tested at all.
  if (error && nowCount * ofBefore <= beforeCount * ofNow) return undefined;
  // Nor is what could not reach significance however the counts fell (Tarone 1990).
  if (fisherLeastP(nowCount + beforeCount, ofNow, ofBefore) > TESTABLE_P) return undefined;
  const p = fisherP(nowCount, ofNow, beforeCount, ofBefore);
  return { service, from, to, error, now: nowCount, ofNow, before: beforeCount, ofBefore, p };
}

/** How much a change of this sort says, from 0 to 1. */
export function weightOf(step: Step): number {
  const [shareNow, shareBefore] = [step.now / step.ofNow, step.before / step.ofBefore];
  const rises = shareNow > shareBefore;
  const entry = step.from === "" ? ENTRY_WEIGHT[rises ? "rises" : "falls"] : 1;
  const novel = step.before === 0 || step.before === step.ofBefore;
  const gone = shareNow < GONE_SHARE * shareBefore;
  return entry * (novel || gone ? 1 : SHIFT_WEIGHT);
}
