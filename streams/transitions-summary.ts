/** The open tables of a window as plain counts: what is left when its last trace is closed. */
import type {
  CallCounts,
  EdgeCounts,
  EntryCounts,
  PathSummary,
  StatementCounts,
  TransitionCounts,
} from "./model.ts";
import type { OpenStatement, OpenTransition, Place, StatementTable } from "./transitions-tables.ts";

type Tables = Pick<PathSummary, "statements" | "transitions" | "entries" | "calls" | "edges">;

/** Keys join service and statements with `>`, as {@link PathSummary} says. */
export function tablesOf(table: StatementTable): Tables {
  const statements = new Map<string, StatementCounts>();
  const transitions = new Map<string, TransitionCounts>();
  const entries = new Map<string, EntryCounts>();
  const calls = new Map<string, CallCounts>();
  const edges = new Map<string, EdgeCounts>();
  for (const { name, start, statements: own, edges: leaving } of table.services) {
    for (const from of new Set([start, ...own.values()])) {
      const { statement, error, traces, erredTraces, next } = from;
      if (traces === 0) continue;
      statements.set(`${name}>${statement}`, {
        service: name,
        statement,
        error,
        traces,
        erredTraces,
      });
      for (const [to, step] of next) {
        const row = transitionOf(name, from, to, step);
        transitions.set(`${name}>${row.from}>${row.to}`, row);
      }
      for (const [index, { traces: count }] of from.entries) {
        const row = entryOf(name, from, table.at(index), count);
        if (row) entries.set(`${name}>${row.from}>${row.callee}>${row.to}`, row);
      }
    }
    for (const [to, { calls: count, gaps }] of leaving) {
      const key = `${name}>${to.name}`;
      const [medianMs, p90Ms] = [gaps.quantile(0.5), gaps.quantile(0.9)];
      edges.set(key, { from: name, to: to.name, count: gaps.count, medianMs, p90Ms });
      if (count > 0) calls.set(key, { caller: name, callee: to.name, count });
    }
  }
  return { statements, transitions, entries, calls, edges };
}

function entryOf(
  caller: string,
  { statement: from }: OpenStatement,
  place: Place | undefined,
  traces: number,
): EntryCounts | undefined {
  if (place === undefined) return undefined;
  return { caller, from, callee: place.service.name, to: place.statement.statement, traces };
}

function transitionOf(
  service: string,
  from: OpenStatement,
  to: OpenStatement | undefined,
  { count, traces, gaps }: OpenTransition,
): TransitionCounts {
  return {
    service,
    from: from.statement,
    to: to?.statement ?? "",
    error: to?.error ?? false,
    count,
    traces,
    medianMs: gaps.quantile(0.5),
    p90Ms: gaps.quantile(0.9),
    gaps: gaps.count,
  };
}
