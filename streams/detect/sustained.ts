/**
 * Tests a series whose single samples are full of accidents, such as a mean latency that one slow request
 * can double: the level that more than half of the window's samples reach, against single samples of the
 * past and against every run of as many. It knows no names of metrics and makes no finding.
 */
import { median } from "../stats.ts";
import { tailP, type UpperTail, upperTail } from "../tails.ts";
import { lastingCount, lastingSurprise, overRuns, unconfirmedP } from "./persistence.ts";
import { extremeIn, type Samples, type Split, withoutIncidents } from "./samples.ts";

export interface Lasting {
  /** The level that lasted, and the median of the past. */
  readonly value: number;
  readonly centre: number;
  /** The lower of the two last samples before the window: a rise may reach into the last. */
  readonly recent: number;
  /** log(value / centre), both at least the resolution. */
  readonly growth: number;
  /**
   * Probability of such a level, or a higher one, in a normal window, after `drift` is taken off on the
   * log scale: a movement of all services alike.
   */
  p(drift: number): number;
}

/** Least width of a tail, as a share of the usual level: no past is so steady that less means something. */
const RELATIVE_MIN = 0.01;

/**
 * What is normal for a window like this, and the level that lasted in it. `resolution` is in the unit of
 * the values: nothing below it matters. Undefined without samples.
 */
export function lastingOf({ past, now }: Split, resolution: number): Lasting | undefined {
  const normal = withoutIncidents(past, extremeIn(past.values, resolution));
  const centre = median(normal.values);
  const floor = Math.max(resolution, RELATIVE_MIN * Math.abs(centre));
  const length = now.values.length;
  const value = lastingLevel(now.values);
  const single = upperTail(normal.values, floor);
  const runs = upperTail(overRuns(normal.values, length, lastingLevel), floor);
  if (single === undefined || runs === undefined || !Number.isFinite(value)) return undefined;
  const thin = thinness(normal, now);
  const atLeast = (level: number) => Math.max(level, resolution);
  return {
    value,
    centre,
    recent: Math.min(...past.values.slice(-2)),
    growth: Math.log(atLeast(value) / atLeast(centre)),
    p: (drift) => {
      const level = value / Math.exp(drift);
      // Two modes of one service can last for a while: then runs are rare and samples are not.
      const samplesP = Math.exp(-surpriseOf(level, length, widened(single, thin)));
      return unconfirmedP(Math.max(tailP(level, widened(runs, thin)), samplesP), length);
    },
  };
}

function widened(tail: UpperTail, factor: number): UpperTail {
  return { ...tail, scale: tail.scale * factor };
}

/**
 * Surprise that more than half of `length` samples exceed the level: each the threshold, and from there on
 * all of them a tail whose width is known from few excesses (the joint predictive of exponentials).
 */
function surpriseOf(level: number, length: number, tail: UpperTail): number {
  const { threshold, share, scale, excesses } = tail;
  if (!(level > threshold)) return 0;
  const count = lastingCount(length);
  const distance = Math.min(1e12, (count * (level - threshold)) / scale);
  const reach = -count * Math.log(share);
  return lastingSurprise(reach + excesses * Math.log1p(distance / excesses), length);
}

/** The level that more than half of the samples reach: the lower median. */
function lastingLevel(values: readonly number[]): number {
  return [...values].sort((a, b) => b - a)[lastingCount(values.length) - 1] ?? Number.NaN;
}

/** A mean over fewer requests than usual scatters more, by the root of the ratio. */
function thinness(past: Samples, now: Samples): number {
  const [before, after] = [median(past.requests), median(now.requests)];
  if (!(before > 0) || !Number.isFinite(after)) return 1;
  return Math.sqrt(Math.max(1, before / Math.max(1, after)));
}
