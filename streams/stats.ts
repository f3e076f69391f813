/**
 * The statistics the detectors share: robust location and spread, exact tests for counts, and the
 * control of many tests at once. Pure functions of numbers; nothing here knows of logs or metrics.
 */

/** Quantile `q` in [0, 1] by linear interpolation (type 7 of Hyndman and Fan 1996). NaN if empty. */
export function quantile(values: readonly number[], q: number): number {
  return quantileOfSorted(sorted(values), q);
}

/** Ascending, without NaN. Sorting as numbers in one block is several times faster than by comparison. */
export function sorted(values: readonly number[]): Float64Array {
  const numbers = new Float64Array(values).sort();
  // NaN sorts last.
  let length = numbers.length;
  while (length > 0 && Number.isNaN(numbers[length - 1])) length--;
  return length === numbers.length ? numbers : numbers.subarray(0, length);
}

function quantileOfSorted(ascending: Float64Array, q: number): number {
  const at = (ascending.length - 1) * q;
  const low = ascending[Math.floor(at)];
  const high = ascending[Math.ceil(at)];
  if (low === undefined || high === undefined) return Number.NaN;
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}

/** Median, ignoring NaN; NaN if nothing is left. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Median absolute deviation, scaled to the standard deviation of a normal (factor 1.4826). */
export function scaledMad(values: readonly number[]): number {
  const centre = median(values);
  return 1.4826 * median(values.map((value) => Math.abs(value - centre)));
}

export interface SpreadFloor {
  /** As a share of the median. */
  readonly relative: number;
  /** In the unit of the values. */
  readonly absolute: number;
}

export interface Normal {
  readonly centre: number;
  /** Never below the floors, so a flat series does not make every flicker infinite. */
  readonly spread: number;
}

/**
 * What is normal: median, and interquartile range with floors. The score of BARO's RobustScorer
 * (Pham et al. 2024) is `(x - centre) / spread`; a flat series has an interquartile range of zero
 * and needs the floors.
 */
export function normalOf(values: readonly number[], floor: SpreadFloor): Normal {
  const ascending = sorted(values);
  const centre = quantileOfSorted(ascending, 0.5);
  const range = quantileOfSorted(ascending, 0.75) - quantileOfSorted(ascending, 0.25);
  const spread = Math.max(range, floor.relative * Math.abs(centre), floor.absolute);
  return { centre, spread };
}

/** Natural logarithm of the gamma function, x > 0 (Lanczos, g = 7, nine terms). */
export function logGamma(x: number): number {
  const terms = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
    12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ];
  let sum = 0.9999999999998099;
  terms.forEach((term, index) => {
    sum += term / (x + index);
  });
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Where the tails are summed term by term; beyond it the likelihood ratio is exact enough. */
const EXACT_MAX = 2_000;

/** A window tests thousands of tables, so the factorials they need are worked out once. */
const LOG_FACTORIALS = Float64Array.from({ length: EXACT_MAX + 1 }, (_, n) => logGamma(n + 1));

/** Natural logarithm of the number of ways to choose k of n. */
export function logChoose(n: number, k: number): number {
  const log = (m: number) => LOG_FACTORIALS[m] ?? logGamma(m + 1);
  return log(n) - log(k) - log(n - k);
}

/**
 * Two-sided mid-p value from the terms of a discrete distribution: twice the smaller tail, with half
 * the weight of the observed point (Lancaster 1961). Less conservative than the plain exact value.
 */
function midP(from: number, to: number, observed: number, logTerm: (k: number) => number): number {
  let below = 0;
  let above = 0;
  for (let k = from; k <= to; k++) {
    const weight = Math.exp(logTerm(k));
    if (k < observed) below += weight;
    else if (k > observed) above += weight;
  }
  const point = Math.exp(logTerm(observed)) / 2;
  return Math.min(1, 2 * Math.min(below + point, above + point));
}

/**
 * Do two counts come from the same rate? `a` events in exposure `exposureA`, `b` in `exposureB`;
 * given their sum, `a` is binomial (Przyborowski and Wilenski 1940). Two-sided p.
 */
export function poissonP(a: number, exposureA: number, b: number, exposureB: number): number {
  const n = a + b;
  if (n === 0 || exposureA <= 0 || exposureB <= 0) return 1;
  const share = exposureA / (exposureA + exposureB);
  if (n > EXACT_MAX) return normalP(likelihoodRoot(a, n * share, b, n * (1 - share)));
  return midP(0, n, a, (k) => logChoose(n, k) + k * Math.log(share) + (n - k) * Math.log1p(-share));
}

/**
 * Do two shares agree? `a` of `nA` against `b` of `nB`; Fisher's exact test with mid-p, two-sided.
 */
export function fisherP(a: number, nA: number, b: number, nB: number): number {
  const hits = a + b;
  const n = nA + nB;
  if (nA === 0 || nB === 0 || hits === 0 || hits === n) return 1;
  if (n > EXACT_MAX) {
    const share = hits / n;
    const hit = likelihoodRoot(a, nA * share, b, nB * share);
    const miss = likelihoodRoot(nA - a, nA * (1 - share), nB - b, nB * (1 - share));
    return normalP(Math.hypot(hit, miss));
  }
  const total = logChoose(n, hits);
  const term = (k: number) => logChoose(nA, k) + logChoose(nB, hits - k) - total;
  return midP(Math.max(0, hits - nB), Math.min(hits, nA), a, term);
}

/** The smallest value {@link fisherP} can take for these margins: all hits on one side. */
export function fisherLeastP(hits: number, nA: number, nB: number): number {
  const total = logChoose(nA + nB, hits);
  const point = (k: number) => Math.exp(logChoose(nA, k) + logChoose(nB, hits - k) - total);
  return Math.min(1, point(Math.min(hits, nA)), point(Math.max(0, hits - nB)));
}

/** Root of the likelihood ratio of two counts against what was expected of them. */
function likelihoodRoot(a: number, expectedA: number, b: number, expectedB: number): number {
  const part = (count: number, expected: number) =>
    count === 0 ? expected : count * Math.log(count / expected) - count + expected;
  return Math.sqrt(Math.max(0, 2 * (part(a, expectedA) + part(b, expectedB))));
}

/** Two-sided p of a standard normal value (Abramowitz and Stegun 26.2.17 and the tail's expansion). */
export function normalP(z: number): number {
  const x = Math.abs(z);
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x > 4) return (2 * density * (1 - 1 / (x * x) + 3 / x ** 4)) / x;
  const t = 1 / (1 + 0.2316419 * x);
  const poly =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return Math.min(1, 2 * density * poly);
}

/** The absolute standard normal value of a two-sided p, by bisection; at most 37, at least 0. */
export function zOfP(p: number): number {
  if (!(p < 1)) return 0;
  let low = 0;
  let high = 37;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (normalP(middle) > p) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Benjamini and Hochberg (1995): the false discovery rate at which each test would just be called,
 * in the order of `ps`.
 */
export function adjustedPs(ps: readonly number[]): number[] {
  const order = ps.map((p, index) => ({ p, index })).sort((a, b) => b.p - a.p);
  const adjusted = ps.map(() => 1);
  let least = 1;
  order.forEach(({ p, index }, fromTop) => {
    least = Math.min(least, p * (ps.length / (ps.length - fromTop)));
    adjusted[index] = least;
  });
  return adjusted;
}

/** The common score scale: linear to 10, then a tenfold larger deviation adds another 10. */
export function commonScore(deviation: number): number {
  if (!(deviation > 0)) return 0;
  const bounded = Math.min(deviation, 1e99);
  return bounded <= 10 ? bounded : Math.min(1_000, 10 + 10 * Math.log10(bounded / 10));
}
