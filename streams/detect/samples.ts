/** A series cut at the window: its past, what lies in it, and the past without earlier incidents. */
import type { Window } from "../../core/mod.ts";
import type { Series } from "../model.ts";
import { median, quantile } from "../stats.ts";

/** Samples that are numbers, in time order; how many requests each is about, or none where not known. */
export interface Samples {
  readonly values: readonly number[];
  readonly requests: readonly number[];
}

export interface Split {
  /** Up to the start of the window, inclusive. */
  readonly past: Samples;
  /** After it, up to the window's end. */
  readonly now: Samples;
}

interface Open {
  readonly values: number[];
  readonly requests: number[];
}

/** Values that are no numbers, and samples after the window, are left out. NaN requests: not known there. */
export function split(
  series: Series,
  window: Window,
  requests?: ReadonlyMap<number, number>,
): Split {
  const past: Open = { values: [], requests: [] };
  const now: Open = { values: [], requests: [] };
  for (let at = 0; at < series.timesMs.length; at++) {
    const timeMs = series.timesMs[at] ?? Number.NaN;
    const value = series.values[at];
    if (value === undefined || !Number.isFinite(value) || !(timeMs <= window.endMs)) continue;
    const side = timeMs <= window.startMs ? past : now;
    side.values.push(value);
    if (requests !== undefined) side.requests.push(requests.get(timeMs) ?? Number.NaN);
  }
  return { past, now };
}

/** So many extreme samples in a row are an incident; fewer are accidents, and part of normal. */
const INCIDENT_SAMPLES_MIN = 3;
/** When more of the past than this would be an incident, that is how the series is. */
const INCIDENT_SHARE_MAX = 0.1;

/**
 * The past without earlier incidents, which would hide the next one of their kind. Scattered accidents
 * stay: they are what the series does.
 */
export function withoutIncidents(past: Samples, isExtreme: IsExtreme): Samples {
  const drop = new Set(runsOf(past, isExtreme).filter(isIncident).flat());
  const { values, requests } = past;
  if (drop.size === 0 || drop.size > INCIDENT_SHARE_MAX * values.length) return past;
  const kept = (list: readonly number[]) => list.filter((_, at) => !drop.has(at));
  return { values: kept(values), requests: kept(requests) };
}

/** Excesses over the threshold at which a sample of the past is extreme; chance 0.1 e^-7 = 1e-4. */
const EXTREME_EXCESSES = 7;

/** High samples. The width of their tail is the median excess, which an incident in the past does not move. */
export function extremeIn(past: readonly number[], resolution: number): IsExtreme {
  const threshold = quantile(past, 0.9);
  const excesses = past.filter((value) => value > threshold).map((value) => value - threshold);
  const scale = Math.max(median(excesses) / Math.LN2 || 0, resolution);
  return (value) => value > threshold + EXTREME_EXCESSES * scale;
}

/** Places of extreme samples that are no part of an incident. */
export function scattered(past: Samples, isExtreme: IsExtreme): number[] {
  return runsOf(past, isExtreme)
    .filter((run) => !isIncident(run))
    .flat();
}

type IsExtreme = (value: number, requests: number) => boolean;

const isIncident = (run: readonly number[]) => run.length >= INCIDENT_SAMPLES_MIN;

/** Places of extreme samples, those in a row together. */
function runsOf({ values, requests }: Samples, isExtreme: IsExtreme): number[][] {
  const runs: number[][] = [];
  let last = -2;
  values.forEach((value, at) => {
    if (!isExtreme(value, requests[at] ?? Number.NaN)) return;
    if (last === at - 1) runs.at(-1)?.push(at);
    else runs.push([at]);
    last = at;
  });
  return runs;
}
