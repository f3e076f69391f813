/**
 * Probabilities of what is rare: the upper tail of a history, and counts that scatter more than Poisson's.
 * Pure functions of numbers.
 */
import { logGamma, sorted } from "./stats.ts";

/** Share of the history that is taken for its tail. */
const TAIL_SHARE = 0.1;

/** The upper tail of a history: exceedances of a high threshold, taken for exponential. */
export interface UpperTail {
  readonly threshold: number;
  /** Share of the history beyond the threshold. */
  readonly share: number;
  /** Mean excess over the threshold; never below the floor it was made with. */
  readonly scale: number;
  /** How many excesses the scale is known from. */
  readonly excesses: number;
}

/**
 * Peaks over threshold (Davison and Smith 1990; for monitoring Siffer et al. 2017) with an exponential
 * tail: the upper tenth of `values`. `scaleMin` keeps a flat history from having a tail of width zero;
 * where it is knowledge of the scatter by itself, it counts as so many excesses (a conjugate prior).
 * Undefined when there are no values.
 */
export function upperTail(
  values: readonly number[],
  scaleMin: number,
  priorExcesses = 0,
): UpperTail | undefined {
  const ascending = sorted(values);
  const size = ascending.length;
  const found = Math.max(1, Math.floor(TAIL_SHARE * size));
  const threshold = ascending[Math.max(0, size - 1 - found)];
  if (threshold === undefined) return undefined;
  let sum = priorExcesses * scaleMin;
  for (const value of ascending.subarray(Math.max(0, size - found))) sum += value - threshold;
  const excesses = found + priorExcesses;
  const share = Math.min(1, found / size);
  return { threshold, share, scale: Math.max(sum / excesses, scaleMin), excesses };
}

/**
 * Probability that one more value of the same kind reaches `value`; 1 at or below the threshold. The
 * width of the tail is itself estimated from few excesses, so this is the predictive distribution of an
 * exponential, a Lomax: ten values of history never make anything certain, a thousand may.
 */
export function tailP(value: number, { threshold, share, scale, excesses }: UpperTail): number {
  if (!(value > threshold)) return 1;
  const distance = Math.min(1e12, (value - threshold) / Math.max(scale, Number.MIN_VALUE));
  return share * (1 + distance / excesses) ** -excesses;
}

/** Terms of a tail summed at most; beyond it the rest is bounded by a geometric series. */
const TAIL_TERMS_MAX = 10_000;

/**
 * P(X >= k) of a negative binomial with this mean and size (variance mean + mean^2 / size); 1 when k is
 * not above the mean. As the posterior predictive of a Poisson count, size is the events seen plus 1/2.
 */
export function negativeBinomialP(k: number, mean: number, size: number): number {
  if (!(k > mean)) return 1;
  if (!(mean > 0) || !(size > 0)) return 0;
  const ratio = mean / (size + mean);
  let term = Math.exp(
    logGamma(k + size) -
      logGamma(size) -
      logGamma(k + 1) +
      size * Math.log(size / (size + mean)) +
      k * Math.log(ratio),
  );
  let sum = 0;
  for (let at = k; at < k + TAIL_TERMS_MAX && term > 1e-12 * sum; at++) {
    sum += term;
    term *= ((at + size) / (at + 1)) * ratio;
  }
  return Math.min(1, sum);
}
