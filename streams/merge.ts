/**
 * Several windows' summaries as one, for a baseline longer than a window. Counts add up; quantiles are
 * averaged by weight, which is near enough for what normal is compared with.
 */
import { limits } from "../core/mod.ts";
import type {
  EdgeCounts,
  EntryCounts,
  LogSummary,
  PathSummary,
  ServiceCounts,
  StatementCounts,
  TemplateCounts,
  TransitionCounts,
} from "./model.ts";

/** The merged window starts at the first's start and is as long as all together. Needs at least one. */
export function mergeSummaries(summaries: readonly LogSummary[]): LogSummary | undefined {
  const [first, ...rest] = summaries;
  if (!first || rest.length === 0) return first;
  const lengthMs = sum(summaries, ({ window }) => window.endMs - window.startMs);
  const paths = summaries.flatMap((summary) => summary.paths ?? []);
  return {
    window: { startMs: first.window.startMs, endMs: first.window.startMs + lengthMs },
    rows: sum(summaries, ({ rows }) => rows),
    bytes: sum(summaries, ({ bytes }) => bytes),
    unparsed: sum(summaries, ({ unparsed }) => unparsed),
    outsideWindow: sum(summaries, ({ outsideWindow }) => outsideWindow),
    cutLines: sum(summaries, ({ cutLines }) => cutLines),
    overflow: sum(summaries, ({ overflow }) => overflow),
    services: mergeMaps(
      summaries.map((one) => one.services),
      addServices,
    ),
    templates: mergeMaps(
      summaries.map((one) => one.templates),
      addTemplates,
    ),
    ...(paths.length > 0 ? { paths: mergePaths(paths) } : {}),
    ...extent(summaries),
  };
}

/**
 * The summary with each template under the id and text that `resolve` answers for it, so that templates
 * the miner joined later are one. Those it does not know stay. The same summary when nothing was joined.
 */
export function resolveTemplates(
  summary: LogSummary,
  resolve: (id: string) => { readonly id: string; readonly text: string } | undefined,
): LogSummary {
  const texts = new Map<string, { readonly id: string; readonly text: string }>();
  for (const { id, template } of summary.templates.values()) {
    const now = resolve(id);
    if (now !== undefined && (now.id !== id || now.text !== template)) texts.set(id, now);
  }
  if (texts.size === 0) return summary;
  const templates = new Map<string, TemplateCounts>();
  for (const [id, counts] of summary.templates) {
    const { id: newId = id, text = counts.template } = texts.get(id) ?? {};
    const there = templates.get(newId);
    const renamed = { ...counts, id: newId, template: text };
    templates.set(newId, there === undefined ? renamed : addTemplates(there, renamed));
  }
  const nameOf = (id: string) => texts.get(id)?.id ?? id;
  const { paths } = summary;
  return { ...summary, templates, ...(paths && { paths: renamedPaths(paths, nameOf) }) };
}

/**
 * Statements without a code location are named by their template. A trace that passed two statements that
 * are one now was counted for both: the larger count is taken, never the sum.
 */
function renamedPaths(paths: PathSummary, nameOf: (id: string) => string): PathSummary {
  const renamed = <T>(
    table: ReadonlyMap<string, T>,
    keyed: (row: T) => [string, T],
    add: (a: T, b: T) => T,
  ) =>
    mergeMaps(
      [...table.values()].map((row) => new Map([keyed(row)])),
      add,
    );
  return {
    ...paths,
    statements: renamed(
      paths.statements,
      (row) => {
        const statement = nameOf(row.statement);
        return [`${row.service}>${statement}`, { ...row, statement }];
      },
      largerStatements,
    ),
    transitions: renamed(
      paths.transitions,
      (row) => {
        const [from, to] = [nameOf(row.from), nameOf(row.to)];
        return [`${row.service}>${from}>${to}`, { ...row, from, to }];
      },
      largerTransitions,
    ),
    entries: renamed(
      paths.entries,
      (row) => {
        const [from, to] = [nameOf(row.from), nameOf(row.to)];
        return [`${row.caller}>${from}>${row.callee}>${to}`, { ...row, from, to }];
      },
      (one, other) => ({ ...one, traces: Math.max(one.traces, other.traces) }),
    ),
  };
}

function largerStatements(a: StatementCounts, b: StatementCounts): StatementCounts {
  const erredTraces = Math.max(a.erredTraces, b.erredTraces);
  return { ...a, traces: Math.max(a.traces, b.traces), erredTraces };
}

function largerTransitions(a: TransitionCounts, b: TransitionCounts): TransitionCounts {
  return { ...addTransitions(a, b), traces: Math.max(a.traces, b.traces) };
}

function extent(summaries: readonly LogSummary[]): { firstMs?: number; lastMs?: number } {
  const first = summaries.flatMap(({ firstMs }) => firstMs ?? []);
  const last = summaries.flatMap(({ lastMs }) => lastMs ?? []);
  if (first.length === 0 || last.length === 0) return {};
  return { firstMs: Math.min(...first), lastMs: Math.max(...last) };
}

function mergePaths(paths: readonly PathSummary[]): PathSummary {
  return {
    statements: mergeMaps(
      paths.map((one) => one.statements),
      addStatements,
    ),
    transitions: mergeMaps(
      paths.map((one) => one.transitions),
      addTransitions,
    ),
    entries: mergeMaps(
      paths.map((one) => one.entries),
      addEntries,
    ),
    calls: mergeMaps(
      paths.map((one) => one.calls),
      (a, b) => ({ ...a, count: a.count + b.count }),
    ),
    edges: mergeMaps(
      paths.map((one) => one.edges),
      addEdges,
    ),
    lines: sum(paths, ({ lines }) => lines),
    traces: sum(paths, ({ traces }) => traces),
    overflow: sum(paths, ({ overflow }) => overflow),
  };
}

function addServices(a: ServiceCounts, b: ServiceCounts): ServiceCounts {
  return {
    lines: a.lines + b.lines,
    errors: a.errors + b.errors,
    warnings: a.warnings + b.warnings,
    requests: a.requests + b.requests,
    http500: a.http500 + b.http500,
    http5xx: a.http5xx + b.http5xx,
    latencySumMs: a.latencySumMs + b.latencySumMs,
    latencyCount: a.latencyCount + b.latencyCount,
    latencyMaxMs: Math.max(a.latencyMaxMs, b.latencyMaxMs),
  };
}

function addTemplates(a: TemplateCounts, b: TemplateCounts): TemplateCounts {
  return {
    ...a,
    count: a.count + b.count,
    firstMs: Math.min(a.firstMs, b.firstMs),
    lastMs: Math.max(a.lastMs, b.lastMs),
    exemplars: [...a.exemplars, ...b.exemplars].slice(0, limits.EXEMPLARS_MAX),
  };
}

function addEdges(a: EdgeCounts, b: EdgeCounts): EdgeCounts {
  return {
    ...a,
    count: a.count + b.count,
    medianMs: weighted(a.medianMs, a.count, b.medianMs, b.count),
    p90Ms: weighted(a.p90Ms, a.count, b.p90Ms, b.count),
  };
}

function addStatements(a: StatementCounts, b: StatementCounts): StatementCounts {
  return { ...a, traces: a.traces + b.traces, erredTraces: a.erredTraces + b.erredTraces };
}

function addEntries(a: EntryCounts, b: EntryCounts): EntryCounts {
  return { ...a, traces: a.traces + b.traces };
}

function addTransitions(a: TransitionCounts, b: TransitionCounts): TransitionCounts {
  return {
    ...a,
    count: a.count + b.count,
    traces: a.traces + b.traces,
    gaps: a.gaps + b.gaps,
    medianMs: weighted(a.medianMs, a.gaps, b.medianMs, b.gaps),
    p90Ms: weighted(a.p90Ms, a.gaps, b.p90Ms, b.gaps),
  };
}

/** The mean of two values by their counts; a value without a count has no say, also when it is NaN. */
function weighted(a: number, countA: number, b: number, countB: number): number {
  if (countA === 0) return b;
  if (countB === 0) return a;
  return (a * countA + b * countB) / (countA + countB);
}

function mergeMaps<T>(
  maps: readonly ReadonlyMap<string, T>[],
  add: (a: T, b: T) => T,
): Map<string, T> {
  const merged = new Map<string, T>();
  for (const map of maps) {
    for (const [key, value] of map) {
      const there = merged.get(key);
      merged.set(key, there === undefined ? value : add(there, value));
    }
  }
  return merged;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
