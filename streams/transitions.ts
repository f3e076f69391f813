/**
 * Follows requests through the code: groups lines by trace id and counts which statement follows
 * which inside a service, how long that took, and who called whom.
 *
 * Lines may come in any order of time (a Splunk export runs backwards), so the lines of a trace are
 * held as small points until the trace is closed. Bounded: the trace untouched for longest is closed
 * when POINTS_MAX or TRACES_MAX is reached. It keeps no line of text and never looks at a clock.
 */
import { limits, PetrelError, type Window } from "../core/mod.ts";
import type {
  CallCounts,
  EdgeCounts,
  LogRecord,
  PathSummary,
  StatementCounts,
  TransitionCounts,
} from "./model.ts";
import { DurationSketch } from "./sketch.ts";
import { type TracePoint, TracePoints } from "./transitions-points.ts";

const POINTS_MAX = 64 * 1_024;
const TRACES_MAX = 10_000;
const TRACE_POINTS_MAX = 5_000;
const TRANSITIONS_MAX = 20_000;
const LINE_NUMBER = /[#:]\d{1,6}$/;
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
  /** Its number among all of the window; a start has none. */
  readonly index: number;
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
  readonly gaps: DurationSketch;
}

interface OpenEdge {
  calls: number;
  readonly gaps: DurationSketch;
}

interface Place {
  readonly service: OpenService;
  readonly statement: OpenStatement;
}

/** One line of a trace, with what its numbers stand for. */
interface Point extends Place {
  readonly timeMs: number;
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
  readonly #open = new TracePoints();
  readonly #services = new Map<string, OpenService>();
  /** By the index of the statement. */
  readonly #places: Place[] = [];
  readonly #window: Window;
  readonly #sizes = { transitions: 0, edges: 0 };
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
    const { traceId, timeMs } = record;
    if (traceId === undefined || traceId === "") return;
    const statement = this.#statementOf(record, templateId)?.index;
    const span = Bun.hash.xxHash32(record.spanId ?? "");
    if (
      statement === undefined ||
      !this.#open.add(traceId, TRACE_POINTS_MAX, { timeMs, statement, span })
    ) {
      this.#overflow += 1;
      return;
    }
    this.#lines += 1;
    if (timeMs < this.#firstMs) this.#firstMs = timeMs;
    if (timeMs > this.#lastMs) this.#lastMs = timeMs;
    while (this.#open.size > POINTS_MAX || this.#open.traces > TRACES_MAX) {
      this.#overflow += 1;
      this.#closeOldest();
    }
  }

  /** Closes every trace. `undefined` when no line carried a trace id. */
  finish(): PathSummary | undefined {
    while (this.#open.traces > 0) this.#closeOldest();
    if (this.#lines === 0) return undefined;
    const counted = { lines: this.#lines, traces: this.#traces, overflow: this.#overflow };
    return { ...summaryOf([...this.#services.values()]), ...counted };
  }

  #statementOf(record: LogRecord, templateId: string): OpenStatement | undefined {
    const service = this.#serviceOf(record.service);
    if (service === undefined) return undefined;
    const { logger = "" } = record;
    // The raw logger is the key, so that its line number is read once per statement, not per line.
    const known = service.statements.get(logger) ?? service.statements.get(templateId);
    if (known !== undefined) return known;
    if (this.#places.length >= limits.TEMPLATES_MAX) return undefined;
    const name = codeLocationOf(logger) ?? templateId;
    const error = record.level === "ERROR" || record.level === "FATAL";
    // Two loggers of one class name share a location, as far as the location tells.
    const statement = service.statements.get(name) ?? this.#newStatement(service, name, error);
    const key = LINE_NUMBER.test(logger) ? logger : templateId;
    service.statements.set(name, statement).set(key, statement);
    return statement;
  }

  #serviceOf(name: string): OpenService | undefined {
    const known = this.#services.get(name);
    if (known !== undefined || this.#services.size >= limits.SERVICES_MAX) return known;
    const index = this.#services.size;
    const start = newStatement(-1, "", false);
    const service = { name, index, start, statements: new Map(), edges: new Map() };
    this.#services.set(name, service);
    return service;
  }

  #newStatement(service: OpenService, name: string, error: boolean): OpenStatement {
    const statement = newStatement(this.#places.length, name, error);
    this.#places.push({ service, statement });
    return statement;
  }

  #closeOldest(): void {
    const points = this.#open.takeOldest();
    if (points !== undefined) this.#close(points.map((point) => this.#pointOf(point)));
  }

  #pointOf({ timeMs, statement: index, span }: TracePoint): Point {
    const place = this.#places[index];
    if (place === undefined) throw new PetrelError("INTERNAL", `no statement ${index}`, { index });
    const { service, statement } = place;
    return { timeMs, service, statement, request: service.index * 2 ** 32 + span };
  }

  /** Points in the order of time. */
  #close(points: readonly Point[]): void {
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
      edge = { calls: 0, gaps: new DurationSketch() };
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
      step = { count: 0, traces: 0, lastTrace: 0, gaps: new DurationSketch() };
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

function newStatement(index: number, statement: string, error: boolean): OpenStatement {
  return {
    index,
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
