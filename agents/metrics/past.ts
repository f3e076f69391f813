/**
 * Which times a window's metrics are read for: the window, and before it what is normal. An incident is no
 * part of normal, or a lasting fault would be usual a window later; the past reaches back further instead.
 * Pure.
 */
import type { Window } from "../../core/mod.ts";
import { type Series, seriesKey } from "../../streams/mod.ts";
import type { Range } from "./read.ts";

export interface PastOptions {
  readonly stepMs: number;
  /** Span of a rate: as long after an incident's end it still shows. */
  readonly rangeMs: number;
  readonly lookbackMs: number;
}

/** What goes on for longer than this has become usual. */
const LOOK_BACK_MS = 7 * 86_400_000;
/** Each one is a query more of every metric. */
const RANGES_MAX = 4;

/**
 * Ranges of the same steps, the window's own last, without the samples of `incidents`; with them where
 * nothing else is left of a week.
 */
export function rangesOf(
  window: Window,
  options: PastOptions,
  incidents: readonly Window[],
): Range[] {
  const { stepMs, rangeMs, lookbackMs } = options;
  const { startMs, endMs } = window;
  const inWindow = Math.ceil((endMs - startMs) / stepMs);
  const wanted = 1 + Math.ceil((endMs - startMs + lookbackMs) / stepMs) - inWindow;
  const earliestMs = startMs - Math.max(lookbackMs, LOOK_BACK_MS);
  const isShown = (atMs: number) =>
    incidents.some((one) => atMs >= one.startMs && atMs < one.endMs + rangeMs);
  const ranges: Range[] = [{ startMs: endMs - (inWindow - 1) * stepMs, endMs, stepMs }];
  let found = 0;
  for (let back = inWindow; found < wanted && ranges.length <= RANGES_MAX; back++) {
    const atMs = endMs - back * stepMs;
    if (atMs < earliestMs) break;
    if (isShown(atMs)) continue;
    found += 1;
    const last = ranges.at(-1);
    if (last?.startMs === atMs + stepMs) ranges.splice(-1, 1, { ...last, startMs: atMs });
    else ranges.push({ startMs: atMs, endMs: atMs, stepMs });
  }
  if (found === 0 && incidents.length > 0) return rangesOf(window, options, []);
  return ranges.slice(0, RANGES_MAX).reverse();
}

/** The same series of several ranges as one, in the order of the ranges. */
export function joined(parts: readonly (readonly Series[])[]): Series[] {
  if (parts.length === 1) return [...(parts[0] ?? [])];
  const known = new Map<string, Series>();
  for (const part of parts) {
    const times = new Map<string, number>();
    for (const one of part) {
      // Labels that we do not tell apart give several of a name, and the store gives them in one order.
      const name = `${one.metric} ${seriesKey(one)}`;
      const nth = (times.get(name) ?? 0) + 1;
      times.set(name, nth);
      const key = `${name} ${nth}`;
      const before = known.get(key);
      known.set(key, before ? after(before, one) : one);
    }
  }
  return [...known.values()];
}

function after(before: Series, one: Series): Series {
  return {
    ...one,
    timesMs: [...before.timesMs, ...one.timesMs],
    values: [...before.values, ...one.values],
  };
}
