/**
 * What lasts is told, a burst is not: of a window's k samples more than half have to be unusual together.
 * Surprise is -log p throughout. Pure functions of numbers.
 */
import { logChoose } from "../stats.ts";
import { upperTail } from "../tails.ts";

/** How many of k samples have to be unusual: more than half. */
export function lastingCount(samples: number): number {
  return Math.floor(samples / 2) + 1;
}

/**
 * The surprise that as many of k samples reach `joint`, their surprise together, whichever they are: an
 * order statistic, with at most C(k, j) ways to choose them.
 */
export function lastingSurprise(joint: number, samples: number): number {
  return Math.max(0, joint - logChoose(samples, lastingCount(samples)));
}

/** A window of one sample: it may be an accident, and nothing confirms it, so its surprise counts half. */
export function unconfirmedP(p: number, samples: number): number {
  return samples === 1 ? Math.sqrt(p) : p;
}

/** Long runs need not start at every sample; these overlap by half at least. */
const STARTS_PER_RUN = 2;

/** Samples from the start of one run to that of the next. */
export function strideOf(length: number): number {
  return Math.max(1, Math.floor(length / STARTS_PER_RUN));
}

/** Values of the runs of `length` in a row, one run at least. Time in proportion to the samples. */
export function overRuns(
  values: readonly number[],
  length: number,
  of: (run: readonly number[]) => number,
): number[] {
  const stride = strideOf(length);
  const found: number[] = [];
  for (let at = 0; at === 0 || at + length <= values.length; at += stride) {
    found.push(of(values.slice(at, at + length)));
  }
  return found;
}

/**
 * The p of a surprise, calibrated on those of the past. Were samples independent and the model exact, a
 * surprise would be exponential with mean 1. Series that move in waves exceed that: the past's own tail
 * says by how much, and takes it off, as genomic control does (Devlin and Roeder 1999).
 */
export function calibratedP(surprise: number, past: readonly number[]): number {
  const tail = upperTail(past, 1);
  if (tail === undefined) return Math.exp(-surprise);
  const early = Math.max(0, tail.threshold + Math.log(tail.share));
  return Math.min(1, Math.exp(-(surprise - early) / tail.scale));
}
