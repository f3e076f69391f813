/**
 * Follows requests through the code: groups lines by trace id and counts which statement follows
 * which inside a service, how long that took, and who called whom.
 *
 * Lines may come in any order of time (a Splunk export runs backwards), so the lines of a trace are
 * held as small points until the trace is closed. Bounded: the trace untouched for longest is closed
 * when POINTS_MAX is reached. It keeps no line of text and never looks at a clock.
 */
import { limits, type Window } from "../core/mod.ts";
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
const KEY_SEPARATOR = ">";

interface Point {
  readonly timeMs: number;
  readonly service: string;
  readonly span: bigint;
  readonly statement: string;
  readonly error: boolean;
}

/** A logger that ends in `#34` or `:34` names the very line of code. */
export function codeLocationOf(logger: string | undefined): string | undefined {
  const found = /(?:^|\.)([A-Za-z_$][\w$]*)[#:](\d{1,6})$/.exec(logger ?? "");
  return found === null ? undefined : `${found[1]}#${found[2]}`;
}

/** An id as a number: a piece of a line, kept, would keep the whole line alive. */
function hashed(id: string): bigint {
  return Bun.hash.wyhash(id);
}

/**
 * Quantiles with at most 5 % relative error (the buckets of DDSketch, Masson et al. 2019). Sparse, as
 * there is one for each of thousands of transitions and most see few gaps.
 */
class GapSketch {
  static readonly #GROWTH = Math.log(1.1);
  static readonly #LEAST_MS = 0.01;
  readonly #buckets = new Map<number, number>();
  count = 0;

  add(ms: number): void {
    const ratio = Math.max(ms, GapSketch.#LEAST_MS) / GapSketch.#LEAST_MS;
    const bucket = Math.min(250, Math.ceil(Math.log(ratio) / GapSketch.#GROWTH));
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.count += 1;
  }

  quantile(q: number): number {
    let left = Math.max(1, Math.ceil(q * this.count));
    for (const [bucket, count] of [...this.#buckets].sort((a, b) => a[0] - b[0])) {
      left -= count;
      if (left <= 0) return GapSketch.#LEAST_MS * Math.exp((bucket - 0.5) * GapSketch.#GROWTH);
    }
    return Number.NaN;
  }
}

interface OpenTransition {
  readonly service: string;
  readonly from: string;
  readonly to: string;
  readonly error: boolean;
  count: number;
  traces: number;
  lastTrace: number;
  readonly gaps: GapSketch;
}

interface OpenEdge {
  readonly from: string;
  readonly to: string;
  readonly gaps: GapSketch;
}

type OpenStatement = StatementCounts & { lastTrace: number; lastErred: number };

/** Feeds on records, answers a {@link PathSummary}. One collector per window. */
export class PathCollector {
  readonly #open = new Map<bigint, Point[]>();
  readonly #transitions = new Map<string, OpenTransition>();
  readonly #statements = new Map<string, OpenStatement>();
  readonly #calls = new Map<string, CallCounts>();
  readonly #edges = new Map<string, OpenEdge>();
  readonly #names = new Map<string, string>();
  readonly #window: Window;
  #points = 0;
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
    const trace = hashed(record.traceId);
    const points = this.#open.get(trace) ?? [];
    if (points.length >= TRACE_POINTS_MAX) {
      this.#overflow += 1;
      return;
    }
    points.push({
      timeMs: record.timeMs,
      service: this.#name(record.service),
      span: hashed(record.spanId ?? ""),
      statement: this.#name(codeLocationOf(record.logger) ?? templateId),
      error: record.level === "ERROR" || record.level === "FATAL",
    });
    // Deleting first moves the trace to the young end of the map.
    this.#open.delete(trace);
    this.#open.set(trace, points);
    this.#points += 1;
    this.#lines += 1;
    this.#firstMs = Math.min(this.#firstMs, record.timeMs);
    this.#lastMs = Math.max(this.#lastMs, record.timeMs);
    while (this.#points > POINTS_MAX) this.#closeOldest();
  }

  /** Closes every trace. `undefined` when no line carried a trace id. */
  finish(): PathSummary | undefined {
    for (const points of this.#open.values()) this.#close(points);
    this.#open.clear();
    this.#points = 0;
    if (this.#lines === 0) return undefined;
    const transitions = new Map<string, TransitionCounts>();
    for (const [key, { lastTrace: _, gaps, ...rest }] of this.#transitions) {
      const medianMs = gaps.quantile(0.5);
      transitions.set(key, { ...rest, medianMs, p90Ms: gaps.quantile(0.9), gaps: gaps.count });
    }
    const statements = new Map<string, StatementCounts>();
    for (const [key, { lastTrace: _, lastErred: __, ...rest }] of this.#statements) {
      statements.set(key, rest);
    }
    const edges = new Map<string, EdgeCounts>();
    for (const [key, { from, to, gaps }] of this.#edges) {
      const medianMs = gaps.quantile(0.5);
      edges.set(key, { from, to, count: gaps.count, medianMs, p90Ms: gaps.quantile(0.9) });
    }
    const counted = { lines: this.#lines, traces: this.#traces, overflow: this.#overflow };
    return { statements, transitions, calls: this.#calls, edges, ...counted };
  }

  #closeOldest(): void {
    const oldest = this.#open.entries().next().value;
    if (oldest === undefined) return;
    this.#open.delete(oldest[0]);
    this.#points -= oldest[1].length;
    this.#overflow += 1;
    this.#close(oldest[1]);
  }

  #close(points: Point[]): void {
    points.sort((a, b) => a.timeMs - b.timeMs);
    this.#traces += 1;
    const whole = this.#wholeness(points);
    const last = new Map<string, Point>();
    const lastOfService = new Map<string, string>();
    let before: Point | undefined;
    for (const point of points) {
      let request = `${point.service} ${point.span}`;
      const opens = !last.has(request);
      // An exception is often logged outside the span that threw it: it ends that span's path.
      if (opens && point.error) request = lastOfService.get(point.service) ?? request;
      if (before !== undefined && before.service !== point.service) {
        if (opens) this.#countCall(before.service, point.service);
        this.#countEdge(before, point);
      }
      const previous = last.get(request);
      const gapMs =
        previous !== undefined && previous === before ? point.timeMs - before.timeMs : undefined;
      if (previous !== undefined || whole.start) {
        if (previous === undefined) this.#countStatement(point.service, "", false);
        this.#countTransition(point.service, previous?.statement ?? "", point, gapMs);
      }
      this.#countStatement(point.service, point.statement, point.error);
      last.set(request, point);
      lastOfService.set(point.service, request);
      before = point;
    }
    for (const point of whole.end ? last.values() : []) {
      this.#countTransition(point.service, point.statement, undefined, undefined);
    }
  }

  /** Whether the window shows the trace from its start, and to its end. */
  #wholeness(points: readonly Point[]): { start: boolean; end: boolean } {
    const firstMs = Math.max(this.#window.startMs, this.#firstMs);
    const lastMs = Math.min(this.#window.endMs, this.#lastMs);
    const start = (points[0]?.timeMs ?? 0) >= firstMs + EDGE_MS;
    const end = (points.at(-1)?.timeMs ?? 0) <= lastMs - EDGE_MS;
    return { start, end };
  }

  #countCall(caller: string, callee: string): void {
    const key = `${caller}${KEY_SEPARATOR}${callee}`;
    const call = this.#calls.get(key) ?? { caller, callee, count: 0 };
    call.count += 1;
    if (this.#room(this.#calls, key, limits.EDGES_MAX)) this.#calls.set(key, call);
  }

  #countEdge(from: Point, to: Point): void {
    const key = `${from.service}${KEY_SEPARATOR}${to.service}`;
    const edge = this.#edges.get(key) ?? {
      from: from.service,
      to: to.service,
      gaps: new GapSketch(),
    };
    edge.gaps.add(to.timeMs - from.timeMs);
    if (this.#room(this.#edges, key, limits.EDGES_MAX)) this.#edges.set(key, edge);
  }

  #countStatement(service: string, statement: string, error: boolean): void {
    const key = `${service}${KEY_SEPARATOR}${statement}`;
    const found = this.#statements.get(key) ?? {
      service,
      statement,
      error,
      traces: 0,
      erredTraces: 0,
      lastTrace: 0,
      lastErred: 0,
    };
    if (found.lastTrace !== this.#traces) found.traces += 1;
    found.lastTrace = this.#traces;
    if (this.#room(this.#statements, key)) this.#statements.set(key, found);
  }

  #countTransition(service: string, from: string, to: Point | undefined, gapMs?: number): void {
    const statement = to?.statement ?? "";
    const key = [service, from, statement].join(KEY_SEPARATOR);
    const found = this.#transitions.get(key) ?? {
      service,
      from,
      to: statement,
      error: to?.error ?? false,
      count: 0,
      traces: 0,
      lastTrace: 0,
      gaps: new GapSketch(),
    };
    found.count += 1;
    if (found.lastTrace !== this.#traces) found.traces += 1;
    found.lastTrace = this.#traces;
    if (gapMs !== undefined) found.gaps.add(gapMs);
    if (this.#room(this.#transitions, key)) this.#transitions.set(key, found);
    if (to?.error === true) this.#countErred(service, from);
  }

  #countErred(service: string, statement: string): void {
    const source = this.#statements.get(`${service}${KEY_SEPARATOR}${statement}`);
    if (source === undefined || source.lastErred === this.#traces) return;
    source.erredTraces += 1;
    source.lastErred = this.#traces;
  }

  /** One copy of a name that many points share. */
  #name(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#names.size < TRANSITIONS_MAX) this.#names.set(text, text);
    return text;
  }

  /** True when `key` may be stored; counts it as overflow when the table is full. */
  #room(table: ReadonlyMap<string, unknown>, key: string, max = TRANSITIONS_MAX): boolean {
    if (table.has(key) || table.size < max) return true;
    this.#overflow += 1;
    return false;
  }
}
