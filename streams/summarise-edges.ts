/**
 * Gaps between services inside traces: when two lines of one trace follow each other in time and the
 * service changes, the time between them belongs to the edge from the first to the second.
 *
 * Lines may come in any order of time and interleaved, so the latest lines of each trace are held as
 * numbers in fixed memory until the trace is closed: when it is the one untouched for longest and a
 * slot is needed, or at the end. A trace of more lines than its slot is folded in parts.
 */
import { limits } from "../core/mod.ts";
import type { EdgeCounts } from "./model.ts";
import { DurationSketch } from "./sketch.ts";
import { TraceSlots } from "./trace-slots.ts";

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly gaps: DurationSketch;
}

const TRACES_MAX = 2_048;
const TRACE_LINES_MAX = 64;
/** The tables double as traces come, to 1.3 MB at most. */
const TRACES_AT_FIRST = 64;

export class EdgeCollector {
  readonly #slots = new TraceSlots();
  readonly #tracesMax: number;
  #lengths = new Uint8Array(TRACES_AT_FIRST);
  #times = new Float64Array(TRACES_AT_FIRST * TRACE_LINES_MAX);
  #services = new Uint16Array(TRACES_AT_FIRST * TRACE_LINES_MAX);
  /** Scratch for the lines of one trace in the order of time. */
  readonly #order = new Uint32Array(TRACE_LINES_MAX);
  readonly #names: string[] = [];
  readonly #indices = new Map<string, number>();
  readonly #edges = new Map<number, Edge>();

  constructor(tracesMax = TRACES_MAX) {
    this.#tracesMax = tracesMax;
  }

  add(traceId: string, timeMs: number, service: string): void {
    const index = this.#indexOf(service);
    if (index === undefined) return;
    const slot = this.#slotOf(traceId);
    let length = this.#lengths[slot] ?? 0;
    if (length === TRACE_LINES_MAX) {
      this.#fold(slot);
      length = this.#keepLast(slot);
    }
    this.#put(slot, length, timeMs, index);
    this.#lengths[slot] = length + 1;
  }

  /** Folds every open trace in. Key of the map: `from>to`. */
  finish(): Map<string, EdgeCounts> {
    while (this.#slots.size > 0) this.#foldOldest();
    const edges = new Map<string, EdgeCounts>();
    for (const { from, to, gaps } of this.#edges.values()) {
      const [medianMs, p90Ms] = [gaps.quantile(0.5), gaps.quantile(0.9)];
      edges.set(`${from}>${to}`, { from, to, count: gaps.count, medianMs, p90Ms });
    }
    return edges;
  }

  #slotOf(traceId: string): number {
    const known = this.#slots.touch(traceId);
    if (known !== undefined) return known;
    if (this.#slots.size >= this.#tracesMax) this.#foldOldest();
    const slot = this.#slots.add(traceId);
    if (slot >= this.#lengths.length) this.#grow();
    this.#lengths[slot] = 0;
    return slot;
  }

  #grow(): void {
    const [lengths, times, services] = [this.#lengths, this.#times, this.#services];
    this.#lengths = new Uint8Array(2 * lengths.length);
    this.#times = new Float64Array(2 * times.length);
    this.#services = new Uint16Array(2 * services.length);
    this.#lengths.set(lengths);
    this.#times.set(times);
    this.#services.set(services);
  }

  #foldOldest(): void {
    const slot = this.#slots.release();
    if (slot !== undefined) this.#fold(slot);
  }

  #fold(slot: number): void {
    const start = slot * TRACE_LINES_MAX;
    const order = this.#order.subarray(0, this.#lengths[slot] ?? 0);
    for (let at = 0; at < order.length; at++) order[at] = start + at;
    // Lines of the same instant are ordered by service, so the order of arrival does not matter.
    order.sort((a, b) => this.#time(a) - this.#time(b) || this.#compareServices(a, b));
    for (let at = 1; at < order.length; at++) {
      const before = order[at - 1] ?? 0;
      const after = order[at] ?? 0;
      const from = this.#services[before] ?? 0;
      const to = this.#services[after] ?? 0;
      if (from !== to) this.#count(from, to, this.#time(after) - this.#time(before));
    }
  }

  /** The last line that came links the part that was folded to the one that follows. */
  #keepLast(slot: number): number {
    const last = slot * TRACE_LINES_MAX + TRACE_LINES_MAX - 1;
    this.#put(slot, 0, this.#time(last), this.#services[last] ?? 0);
    return 1;
  }

  #count(from: number, to: number, gapMs: number): void {
    const key = from * 65_536 + to;
    let edge = this.#edges.get(key);
    if (edge === undefined) {
      if (this.#edges.size >= limits.EDGES_MAX) return;
      const names = { from: this.#names[from] ?? "", to: this.#names[to] ?? "" };
      edge = { ...names, gaps: new DurationSketch() };
      this.#edges.set(key, edge);
    }
    edge.gaps.add(gapMs);
  }

  #indexOf(service: string): number | undefined {
    const known = this.#indices.get(service);
    if (known !== undefined || this.#names.length >= limits.SERVICES_MAX) return known;
    this.#indices.set(service, this.#names.length);
    return this.#names.push(service) - 1;
  }

  #put(slot: number, at: number, timeMs: number, service: number): void {
    this.#times[slot * TRACE_LINES_MAX + at] = timeMs;
    this.#services[slot * TRACE_LINES_MAX + at] = service;
  }

  #time(at: number): number {
    return this.#times[at] ?? 0;
  }

  #nameAt(at: number): string {
    return this.#names[this.#services[at] ?? 0] ?? "";
  }

  #compareServices(a: number, b: number): number {
    const nameA = this.#nameAt(a);
    const nameB = this.#nameAt(b);
    if (nameA === nameB) return 0;
    return nameA < nameB ? -1 : 1;
  }
}
