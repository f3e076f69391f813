/**
 * Follows requests through the code: groups lines by trace id and counts which statement follows
 * which inside a service, how long that took, and who called whom.
 *
 * Lines may come in any order of time (a Splunk export runs backwards), so the lines of a trace are
 * held as small points until the trace is closed. Bounded: the trace untouched for longest is closed
 * when POINTS_MAX or TRACES_MAX is reached. It keeps no line of text and never looks at a clock.
 */
import { limits, PetrelError, type Window } from "../core/mod.ts";
import type { LogRecord, PathSummary } from "./model.ts";
import { DurationSketch } from "./sketch.ts";
import { type TracePoint, TracePoints } from "./transitions-points.ts";
import { tablesOf } from "./transitions-summary.ts";
import {
  newTransition,
  type OpenService,
  type OpenStatement,
  type Place,
  StatementTable,
} from "./transitions-tables.ts";

export { codeLocationOf } from "./transitions-tables.ts";

const POINTS_MAX = 64 * 1_024;
const TRACES_MAX = 10_000;
const TRACE_POINTS_MAX = 5_000;
const TRANSITIONS_MAX = 20_000;
/** A trace this near the edge of the window is taken to be cut: its start or end is not counted. */
const EDGE_MS = 2_000;

/** Feeds on records, answers a {@link PathSummary}. One collector per window. */
export class PathCollector {
  readonly #open = new TracePoints();
  readonly #table = new StatementTable();
  readonly #window: Window;
  readonly #sizes = { transitions: 0, entries: 0, edges: 0 };
  /** Of the trace being closed, by request: its last line so far. */
  readonly #last = new Map<number, TracePoint>();
  /** Of the trace being closed, by service: its last request. */
  readonly #lastRequest = new Map<OpenService, number>();
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
    const statement = this.#table.indexOf(record, templateId);
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
    return { ...tablesOf(this.#table), ...counted };
  }

  #closeOldest(): void {
    const points = this.#open.takeOldest();
    if (points === undefined) return;
    this.#traces += 1;
    const whole = this.#wholeness(points);
    this.#last.clear();
    this.#lastRequest.clear();
    let before: TracePoint | undefined;
    for (const point of points) {
      this.#follow(point, before, whole.start);
      before = point;
    }
    if (!whole.end) return;
    for (const { statement } of this.#last.values()) {
      this.#countStep(this.#placeOf(statement).statement, undefined);
    }
  }

  /** One line of a trace, and the line `before` it in time, of whatever service. */
  #follow(point: TracePoint, before: TracePoint | undefined, fromStart: boolean): void {
    const { service, statement } = this.#placeOf(point.statement);
    let request = service.index * 2 ** 32 + point.span;
    const opens = !this.#last.has(request);
    if (before !== undefined) this.#countEdge(before, point, opens);
    // An exception is often logged outside the span that threw it: it ends that span's path.
    if (opens && statement.error) request = this.#lastRequest.get(service) ?? request;
    const previous = this.#last.get(request);
    if (previous !== undefined) {
      const gapMs = previous === before ? point.timeMs - previous.timeMs : undefined;
      this.#countStep(this.#placeOf(previous.statement).statement, statement, gapMs);
    } else if (fromStart) {
      this.#countVisit(service.start);
      this.#countStep(service.start, statement);
    }
    this.#countVisit(statement);
    this.#last.set(request, point);
    this.#lastRequest.set(service, request);
  }

  /** Whether the window shows the trace from its start, and to its end. */
  #wholeness(points: readonly TracePoint[]): { start: boolean; end: boolean } {
    const firstMs = Math.max(this.#window.startMs, this.#firstMs);
    const lastMs = Math.min(this.#window.endMs, this.#lastMs);
    const start = (points[0]?.timeMs ?? 0) >= firstMs + EDGE_MS;
    const end = (points.at(-1)?.timeMs ?? 0) <= lastMs - EDGE_MS;
    return { start, end };
  }

  #placeOf(index: number): Place {
    const place = this.#table.at(index);
    if (place === undefined) throw new PetrelError("INTERNAL", `no statement ${index}`, { index });
    return place;
  }

  /** Counts the way from one service to another; lines of one service are no edge. */
  #countEdge(from: TracePoint, to: TracePoint, opens: boolean): void {
    const caller = this.#placeOf(from.statement).service;
    const callee = this.#placeOf(to.statement).service;
    if (caller === callee) return;
    let edge = caller.edges.get(callee);
    if (edge === undefined) {
      if (!this.#room("edges", limits.EDGES_MAX)) return;
      edge = { calls: 0, gaps: new DurationSketch() };
      caller.edges.set(callee, edge);
    }
    edge.gaps.add(to.timeMs - from.timeMs);
    if (!opens) return;
    edge.calls += 1;
    this.#countEntry(this.#placeOf(from.statement).statement, to.statement);
  }

  /** Counts a request that begins at a statement of another service right after `from`. */
  #countEntry(from: OpenStatement, to: number): void {
    let entry = from.entries.get(to);
    if (entry === undefined) {
      if (!this.#room("entries", TRANSITIONS_MAX)) return;
      entry = { traces: 0, lastTrace: 0 };
      from.entries.set(to, entry);
    }
    if (entry.lastTrace !== this.#traces) entry.traces += 1;
    entry.lastTrace = this.#traces;
  }

  #countVisit(statement: OpenStatement): void {
    if (statement.lastTrace !== this.#traces) statement.traces += 1;
    statement.lastTrace = this.#traces;
  }

  #countStep(from: OpenStatement, to: OpenStatement | undefined, gapMs?: number): void {
    let step = from.next.get(to);
    if (step === undefined) {
      if (!this.#room("transitions", TRANSITIONS_MAX)) return;
      step = newTransition();
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
  #room(table: "transitions" | "entries" | "edges", max: number): boolean {
    const free = this.#sizes[table] < max;
    if (free) this.#sizes[table] += 1;
    else this.#overflow += 1;
    return free;
  }
}
