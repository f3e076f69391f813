/**
 * Quantiles of durations with at most 5 % relative error, by the buckets of DDSketch (Masson et al.,
 * VLDB 2019). Sparse, for there is one for each of thousands of transitions and most see few gaps.
 */

const GROWTH = Math.log(1.1);
const LEAST_MS = 0.01;
/** Enough for five years; longer ones count as the longest. */
const BUCKET_MAX = 320;

export class GapSketch {
  readonly #buckets = new Map<number, number>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Milliseconds; below a hundredth, and below zero, they count as that. */
  add(ms: number): void {
    const bucket = ms > LEAST_MS ? Math.ceil(Math.log(ms / LEAST_MS) / GROWTH) : 0;
    const held = Math.min(bucket, BUCKET_MAX);
    this.#buckets.set(held, (this.#buckets.get(held) ?? 0) + 1);
    this.#count += 1;
  }

  /** The `q` quantile (lower empirical); NaN when empty. */
  quantile(q: number): number {
    let left = Math.max(1, Math.ceil(q * this.#count));
    for (const [bucket, count] of [...this.#buckets].sort((a, b) => a[0] - b[0])) {
      left -= count;
      if (left <= 0) return LEAST_MS * Math.exp((bucket - 0.5) * GROWTH);
    }
    return Number.NaN;
  }
}
