/**
 * Follows requests through the code: groups lines by trace id and counts which statement follows
 * which inside a service, how long that took, and who called whom.
 *
 * Lines may come in any order of time (a Splunk export runs backwards), so the lines of a trace are
 * held as small points until the trace is closed. Bounded: the trace untouched for longest is closed
 * when POINTS_MAX is reached. It keeps no line of text and never looks at a clock.
 */
import { limits, type Window } from "../core/mod.ts";
import { GapSketch } from "./gaps.ts";
import type {
  CallCounts,
  EdgeCounts,
  LogRecord,
  PathSummary,
  StatementCounts,
  TransitionCounts,
} from "./model.ts";

const POINTS_MAX = 200_000;
const TRACE_POINTS_MAX = 5_000;
const TRANSITIONS_MAX = 20_000;
/** A trace this near the edge of the window is taken to be cut: its start or end is not counted. */
const EDGE_MS = 2_000;

interface OpenService {
  readonly name: string;
  readonly index: number;
  /** Stands for the start of a request. */
  readonly start: OpenStatement;
  /** By raw logger or template id, and by name. */
  readonly statements: Map<string, OpenStatement>;
  readonly edges: Map<OpenService, OpenEdge>;
}

/** Counts, and the number of the trace that was counted last: each trace counts once. */
interface OpenStatement {
  readonly statement: string;
  readonly error: boolean;
  traces: number;
  lastTrace: number;
  erredTraces: number;
  lastErred: number;
  /** What follows; `undefined` is the end of the request. */
  readonly next: Map<OpenStatement | undefined, OpenTransition>;
}

interface OpenTransition {
  count: number;
  traces: number;
  lastTrace: number;
  readonly gaps: GapSketch;
}

interface OpenEdge {
  calls: number;
  readonly gaps: GapSketch;
}

/** One line of a trace. */
interface Point {
  readonly timeMs: number;
  readonly service: OpenService;
  readonly statement: OpenStatement;
  /** Service and span in one number. */
  readonly request: number;
}

/** A logger that ends in `#34` or `:34` names the very line of code. */
export function codeLocationOf(logger: string | undefined): string | undefined {
  const found = /(?:^|\.)([A-Za-z_$][\w$]*)[#:](\d{1,6})$/.exec(logger ?? "");
  return found === null ? undefined : `${found[1]}#${found[2]}`;
}

/** Feeds on records, answers a {@link PathSummary}. One collector per window. */
export class PathCollector {
  /** Traces by hash: a piece of a line, kept as a key, would keep the whole line alive. */
  readonly #open = new Map<bigint, Point[]>();
  readonly #services = new Map<string, OpenService>();
  readonly #window: Window;
  readonly #sizes = { points: 0, statements: 0, transitions: 0, edges: 0 };
  #lines = 0;
  #traces = 0;
  #overflow = 0;
  #firstMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(window: Window) {
    this.#window = window;
  }

  /**
   * Takes one record; without a trace id it is left out. `templateId` names the statement when the
   * logger carries no line number.
   */
  add(record: LogRecord, templateId: string): void {
    if (record.traceId === undefined || record.traceId === "") return;
    const trace = Bun.hash.wyhash(record.traceId);
    const points = this.#open.get(trace) ?? [];
    const point = points.length < TRACE_POINTS_MAX ? this.#pointOf(record, templateId) : undefined;
    if (point === undefined) {
      this.#overflow += 1;
      return;
    }
    points.push(point);
    // Deleting first moves the trace to the young end of the map.
    this.#open.delete(trace);
    this.#open.set(trace, points);
    this.#sizes.points += 1;
    this.#lines += 1;
    this.#firstMs = Math.min(this.#firstMs, record.timeMs);
    this.#lastMs = Math.max(this.#lastMs, record.timeMs);
    while (this.#sizes.points > POINTS_MAX) this.#closeOldest();
  }

  /** Closes every trace. `undefined` when no line carried a trace id. */
  finish(): PathSummary | undefined {
    for (const points of this.#open.values()) this.#close(points);
    this.#open.clear();
    this.#sizes.points = 0;
    if (this.#lines === 0) return undefined;
    const counted = { lines: this.#lines, traces: this.#traces, overflow: this.#overflow };
    return { ...summaryOf([...this.#services.values()]), ...counted };
  }

  #pointOf(record: LogRecord, templateId: string): Point | undefined {
    const service = this.#serviceOf(record.service);
    if (service === undefined) return undefined;
    // The raw logger is the key, so that its line number is read once per statement, not per line.
    const error = record.level === "ERROR" || record.level === "FATAL";
    const logger = record.logger ?? "";
    const key = LINE_NUMBER.test(logger) ? logger : templateId;
    let statement = service.statements.get(key);
    if (statement === undefined) {
      if (this.#sizes.statements >= limits.TEMPLATES_MAX) return undefined;
      this.#sizes.statements += 1;
      const name = codeLocationOf(logger) ?? templateId;
      // Two loggers of one class name share a location, as far as the location tells.
      statement = service.statements.get(name) ?? newStatement(name, error);
      service.statements.set(name, statement).set(key, statement);
    }
    const request = service.index * 2 ** 32 + Bun.hash.xxHash32(record.spanId ?? "");
    return { timeMs: record.timeMs, service, statement, request };
  }

  #serviceOf(name: string): OpenService | undefined {
    const known = this.#services.get(name);
    if (known !== undefined || this.#services.size >= limits.SERVICES_MAX) return known;
    const index = this.#services.size;
    const start = newStatement("", false);
    const service = { name, index, start, statements: new Map(), edges: new Map() };
    this.#services.set(name, service);
    return service;
  }

  #closeOldest(): void {
    const oldest = this.#open.entries().next().value;
    if (oldest === undefined) return;
    this.#open.delete(oldest[0]);
    this.#sizes.points -= oldest[1].length;
    this.#overflow += 1;
    this.#close(oldest[1]);
  }

  #close(points: Point[]): void {
    points.sort((a, b) => a.timeMs - b.timeMs);
    this.#traces += 1;
    const whole = this.#wholeness(points);
    /** By request: its last line so far. By service: its last request. */
    const last = new Map<number, Point>();
    const lastRequest = new Map<OpenService, number>();
    let before: Point | undefined;
    for (const point of points) {
      const { service, statement } = point;
      let { request } = point;
      const opens = !last.has(request);
      if (before !== undefined && before.service !== service) {
        this.#countEdge(before, point, opens);
      }
      // An exception is often logged outside the span that threw it: it ends that span's path.
      if (opens && statement.error) request = lastRequest.get(service) ?? request;
      const previous = last.get(request);
      if (previous !== undefined) {
        const gapMs = previous === before ? point.timeMs - previous.timeMs : undefined;
        this.#countStep(previous.statement, statement, gapMs);
      } else if (whole.start) {
        this.#countVisit(service.start);
        this.#countStep(service.start, statement);
      }
      this.#countVisit(statement);
      last.set(request, point);
      lastRequest.set(service, request);
      before = point;
    }
    if (!whole.end) return;
    for (const { statement } of last.values()) this.#countStep(statement, undefined);
  }

  /** Whether the window shows the trace from its start, and to its end. */
  #wholeness(points: readonly Point[]): { start: boolean; end: boolean } {
    const firstMs = Math.max(this.#window.startMs, this.#firstMs);
    const lastMs = Math.min(this.#window.endMs, this.#lastMs);
    const start = (points[0]?.timeMs ?? 0) >= firstMs + EDGE_MS;
    const end = (points.at(-1)?.timeMs ?? 0) <= lastMs - EDGE_MS;
    return { start, end };
  }

  #countEdge(from: Point, to: Point, opens: boolean): void {
    let edge = from.service.edges.get(to.service);
    if (edge === undefined) {
      if (!this.#room("edges", limits.EDGES_MAX)) return;
      edge = { calls: 0, gaps: new GapSketch() };
      from.service.edges.set(to.service, edge);
    }
    edge.gaps.add(to.timeMs - from.timeMs);
    if (opens) edge.calls += 1;
  }

  #countVisit(statement: OpenStatement): void {
    if (statement.lastTrace !== this.#traces) statement.traces += 1;
    statement.lastTrace = this.#traces;
  }

  #countStep(from: OpenStatement, to: OpenStatement | undefined, gapMs?: number): void {
    let step = from.next.get(to);
    if (step === undefined) {
      if (!this.#room("transitions", TRANSITIONS_MAX)) return;
      step = { count: 0, traces: 0, lastTrace: 0, gaps: new GapSketch() };
      from.next.set(to, step);
    }
    step.count += 1;
    if (step.lastTrace !== this.#traces) step.traces += 1;
    step.lastTrace = this.#traces;
    if (gapMs !== undefined) step.gaps.add(gapMs);
    if (to?.error !== true || from.lastErred === this.#traces) return;
    from.erredTraces += 1;
    from.lastErred = this.#traces;
  }

  /** Takes a place in a table, or counts the overflow when it is full. */
  #room(table: "transitions" | "edges", max: number): boolean {
    const free = this.#sizes[table] < max;
    if (free) this.#sizes[table] += 1;
    else this.#overflow += 1;
    return free;
  }
}

const LINE_NUMBER = /[#:]\d{1,6}$/;

function newStatement(statement: string, error: boolean): OpenStatement {
  return {
    statement,
    error,
    traces: 0,
    lastTrace: 0,
    erredTraces: 0,
    lastErred: 0,
    next: new Map(),
  };
}

type Tables = Pick<PathSummary, "statements" | "transitions" | "calls" | "edges">;

function summaryOf(services: readonly OpenService[]): Tables {
  const statements = new Map<string, StatementCounts>();
  const transitions = new Map<string, TransitionCounts>();
  const calls = new Map<string, CallCounts>();
  const edges = new Map<string, EdgeCounts>();
  for (const { name, start, statements: own, edges: leaving } of services) {
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
    }
    for (const [to, { calls: count, gaps }] of leaving) {
      const key = `${name}>${to.name}`;
      const [medianMs, p90Ms] = [gaps.quantile(0.5), gaps.quantile(0.9)];
      edges.set(key, { from: name, to: to.name, count: gaps.count, medianMs, p90Ms });
      if (count > 0) calls.set(key, { caller: name, callee: to.name, count });
    }
  }
  return { statements, transitions, calls, edges };
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
