/**
 * The values a series has taken, in a bounded sorted list, and how far a new one is from the nearest.
 *
 * This is the novelty of a one-nearest-neighbour detector (Ramaswamy, Rastogi and Shim 2000) in one
 * dimension. When the list is full, a value that was not seen for long goes first, so that an incident is
 * news again some weeks later; else the one with the closest neighbours, so that the list keeps the extremes
 * and the gaps: what is lost is precision where the series is at home anyway.
 */

export class KnownValues {
  readonly #forgetAfter: number;
  readonly #values: Float32Array;
  /** When each was last seen, in the caller's count of slots. */
  readonly #seen: Float32Array;
  #size = 0;

  /** Keeps at most `valuesMax` values, each for at least `forgetAfter` slots if there is room. */
  constructor(valuesMax: number, forgetAfter: number) {
    this.#forgetAfter = forgetAfter;
    this.#values = new Float32Array(valuesMax + 1);
    this.#seen = new Float32Array(valuesMax + 1);
  }

  /** Distance from `value` to the nearest known one, in the unit of the values; NaN if none is known. */
  distance(value: number): number {
    if (this.#size === 0) return Number.NaN;
    const at = this.#lowerBound(value);
    const above = at < this.#size ? (this.#values[at] ?? 0) - value : Number.POSITIVE_INFINITY;
    const below = at > 0 ? value - (this.#values[at - 1] ?? 0) : Number.POSITIVE_INFINITY;
    return Math.min(above, below);
  }

  /** Learns one finite value, seen in slot number `now`. */
  add(value: number, now: number): void {
    const rounded = Math.fround(value);
    const at = this.#lowerBound(rounded);
    if (at >= this.#size || this.#values[at] !== rounded) this.#insertAt(at, rounded);
    this.#seen[at] = now;
    if (this.#size === this.#values.length) this.#removeAt(this.#leastNeeded(now));
  }

  /** The values known, smallest first, and when each was last seen. */
  get state(): { readonly values: Float32Array; readonly seen: Float32Array } {
    return { values: this.#values.slice(0, this.#size), seen: this.#seen.slice(0, this.#size) };
  }

  /** Takes over a {@link state}; the caller has checked order and length. */
  load(state: { readonly values: Float32Array; readonly seen: Float32Array }): void {
    this.#values.set(state.values);
    this.#seen.set(state.seen);
    this.#size = state.values.length;
  }

  #lowerBound(value: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#values[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The oldest if it is too old, else the most crowded that is no extreme. */
  #leastNeeded(now: number): number {
    let oldest = 0;
    let crowded = 1;
    let gapMin = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#size; i++) {
      if ((this.#seen[i] ?? 0) < (this.#seen[oldest] ?? 0)) oldest = i;
      if (i === 0 || i === this.#size - 1) continue;
      const gap = (this.#values[i + 1] ?? 0) - (this.#values[i - 1] ?? 0);
      if (gap >= gapMin) continue;
      gapMin = gap;
      crowded = i;
    }
    return now - (this.#seen[oldest] ?? 0) > this.#forgetAfter ? oldest : crowded;
  }

  #insertAt(at: number, value: number): void {
    this.#values.copyWithin(at + 1, at, this.#size);
    this.#seen.copyWithin(at + 1, at, this.#size);
    this.#values[at] = value;
    this.#size++;
  }

  #removeAt(at: number): void {
    this.#values.copyWithin(at, at + 1, this.#size);
    this.#seen.copyWithin(at, at + 1, this.#size);
    this.#size--;
  }
}
