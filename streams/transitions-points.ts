/**
 * The lines of traces that are still open, as numbers in fixed memory: a few bytes a line, so that
 * hundreds of thousands can wait for their trace to be complete. It keeps no record and no text but
 * the trace id, which must not be a slice of a longer text.
 */
import { TraceSlots } from "./trace-slots.ts";

/** One line of a trace: when, at which statement, in which span. */
export interface TracePoint {
  readonly timeMs: number;
  readonly statement: number;
  /** Hash of the span id, 32 bits. */
  readonly span: number;
}

type Draft = { -readonly [Field in keyof TracePoint]: TracePoint[Field] };

const POINTS_AT_FIRST = 1_024;
const NONE = -1;

/**
 * Struct of arrays. The points of a trace are a linked list in the order they came; the places of a
 * trace that was taken are used again.
 */
export class TracePoints {
  readonly #slots = new TraceSlots();
  /** By slot of the trace. */
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];
  readonly #lengths: number[] = [];
  #times = new Float64Array(POINTS_AT_FIRST);
  #statements = new Uint32Array(POINTS_AT_FIRST);
  #spans = new Uint32Array(POINTS_AT_FIRST);
  /** The next point of the trace, or of the list of free places. */
  #next = new Int32Array(POINTS_AT_FIRST);
  /** Objects for the points that are taken out, used again: made by the million, they cost memory. */
  readonly #taken: Draft[] = [];
  #newestFirst = false;
  #free = NONE;
  #used = 0;
  #size = 0;

  /** Points held. */
  get size(): number {
    return this.#size;
  }

  /** Points there is room for; it grows with {@link size} alone. */
  get capacity(): number {
    return this.#times.length;
  }

  get traces(): number {
    return this.#slots.size;
  }

  /** Holds one line; false when its trace has `lengthMax` already. */
  add(traceId: string, lengthMax: number, point: TracePoint): boolean {
    const slot = this.#slots.touch(traceId) ?? this.#open(traceId);
    const length = this.#lengths[slot] ?? 0;
    if (length >= lengthMax) return false;
    const at = this.#place();
    this.#times[at] = point.timeMs;
    this.#statements[at] = point.statement;
    this.#spans[at] = point.span;
    this.#next[at] = NONE;
    if (length === 0) this.#firsts[slot] = at;
    else this.#next[this.#lasts[slot] ?? 0] = at;
    this.#lasts[slot] = at;
    this.#lengths[slot] = length + 1;
    this.#size += 1;
    return true;
  }

  /**
   * Takes out the trace untouched for longest: its points in the order of time. Clocks of logs tick in
   * milliseconds, in which a service writes several lines: those of one instant keep the order they came
   * in, or its reverse where lines come newest first, as a Splunk export sends them. The points hold
   * until the next call.
   */
  takeOldest(): TracePoint[] | undefined {
    const slot = this.#slots.release();
    if (slot === undefined) return undefined;
    const first = this.#firsts[slot] ?? NONE;
    let count = 0;
    for (let at = first; at !== NONE; at = this.#next[at] ?? NONE) this.#read(at, count++);
    this.#next[this.#lasts[slot] ?? 0] = this.#free;
    this.#free = first;
    this.#size -= count;
    const points = this.#taken.slice(0, count);
    if (this.#cameNewestFirst(points)) points.reverse();
    return points.sort((a, b) => a.timeMs - b.timeMs);
  }

  /** Told by most of the trace's own steps; a trace without any came as the one before it did. */
  #cameNewestFirst(points: readonly TracePoint[]): boolean {
    let backward = 0;
    let lastMs = points[0]?.timeMs ?? 0;
    for (const { timeMs } of points) {
      backward += Math.sign(lastMs - timeMs);
      lastMs = timeMs;
    }
    if (backward !== 0) this.#newestFirst = backward > 0;
    return this.#newestFirst;
  }

  #open(traceId: string): number {
    const slot = this.#slots.add(traceId);
    this.#lengths[slot] = 0;
    return slot;
  }

  #read(at: number, into: number): void {
    const point = (this.#taken[into] ??= { timeMs: 0, statement: 0, span: 0 });
    point.timeMs = this.#times[at] ?? 0;
    point.statement = this.#statements[at] ?? 0;
    point.span = this.#spans[at] ?? 0;
  }

  #place(): number {
    if (this.#free === NONE) {
      if (this.#used === this.#times.length) this.#grow();
      return this.#used++;
    }
    const at = this.#free;
    this.#free = this.#next[at] ?? NONE;
    return at;
  }

  #grow(): void {
    const length = 2 * this.#times.length;
    const [times, statements] = [this.#times, this.#statements];
    const [spans, next] = [this.#spans, this.#next];
    this.#times = new Float64Array(length);
    this.#statements = new Uint32Array(length);
    this.#spans = new Uint32Array(length);
    this.#next = new Int32Array(length);
    this.#times.set(times);
    this.#statements.set(statements);
    this.#spans.set(spans);
    this.#next.set(next);
  }
}
