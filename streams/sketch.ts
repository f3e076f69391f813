/**
 * A bounded sketch of durations: logarithmic buckets with a guaranteed relative error, as in DDSketch
 * (Masson, Rim and Lee 2019). It holds the range of buckets it has seen and no more, for there are
 * thousands of sketches and most see few durations; sketches fed in any order are equal.
 */

const RELATIVE_ERROR = 0.02;
const GROWTH_LOG = Math.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR));
/** Durations below a microsecond count as zero. */
const LEAST_MS = 0.001;
/** Enough for eleven days; longer ones count as the longest. */
const BUCKETS = Math.ceil(Math.log(1e9 / LEAST_MS) / GROWTH_LOG) + 1;
/** The range grows by so many buckets at a time. */
const STEP = 16;

export class DurationSketch {
  /** Counts of the buckets from `#first` on. */
  #counts = new Uint32Array(0);
  #first = 0;
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
    this.#reach(bucket);
    const at = bucket - this.#first;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  /** The `q` quantile (lower empirical) within 2 %; NaN when empty. */
  quantile(q: number): number {
    if (this.#count === 0) return Number.NaN;
    let left = Math.max(1, Math.ceil(q * this.#count)) - this.#zeros;
    if (left <= 0) return 0;
    for (let at = 0; at < this.#counts.length; at++) {
      left -= this.#counts[at] ?? 0;
      if (left > 0) continue;
      // The middle of (growth^(b-1), growth^b] with the least relative error.
      return LEAST_MS * Math.exp((this.#first + at) * GROWTH_LOG) * (1 - RELATIVE_ERROR);
    }
    return Number.NaN;
  }

  /** Widens the range so that it holds `bucket`. */
  #reach(bucket: number): void {
    const { length } = this.#counts;
    const end = this.#first + length;
    if (bucket >= this.#first && bucket < end) return;
    const first = length === 0 ? bucket : Math.min(this.#first, bucket);
    const low = first - (first % STEP);
    const size = Math.ceil((Math.max(end, bucket + 1) - low) / STEP) * STEP;
    const counts = new Uint32Array(size);
    if (length > 0) counts.set(this.#counts, this.#first - low);
    this.#counts = counts;
    this.#first = low;
  }
}
