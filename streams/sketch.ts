/**
 * A bounded sketch of durations: logarithmic buckets with a guaranteed relative error, as in DDSketch
 * (Masson, Rim and Lee 2019). It never grows, and sketches fed in any order are equal.
 */

const RELATIVE_ERROR = 0.02;
const GROWTH_LOG = Math.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR));
/** Durations below a microsecond count as zero. */
const LEAST_MS = 0.001;
/** Enough for eleven days; longer ones count as the longest. */
const BUCKETS = Math.ceil(Math.log(1e9 / LEAST_MS) / GROWTH_LOG) + 1;

export class DurationSketch {
  readonly #buckets = new Uint32Array(BUCKETS);
  #zeros = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Milliseconds; what is not a number is left out, a negative one counts as zero. */
  add(ms: number): void {
    if (Number.isNaN(ms)) return;
    this.#count += 1;
    if (ms < LEAST_MS) {
      this.#zeros += 1;
      return;
    }
    const bucket = Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / LEAST_MS) / GROWTH_LOG));
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  /** The `q` quantile (lower empirical) within 2 %; NaN when empty. */
  quantile(q: number): number {
    if (this.#count === 0) return Number.NaN;
    let left = Math.max(1, Math.ceil(q * this.#count)) - this.#zeros;
    if (left <= 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#buckets[bucket] ?? 0;
      // The middle of (growth^(b-1), growth^b] with the least relative error.
      if (left <= 0) return LEAST_MS * Math.exp(bucket * GROWTH_LOG) * (1 - RELATIVE_ERROR);
    }
    return Number.NaN;
  }
}
