/**
 * The last week of a series on an even grid of slots, and what the recent past of any slot looked like:
 * its value, the mean and spread of a short window that ends there, and the mean of a long one. A slot
 * without data is NaN; a window with less than half its slots filled has no mean.
 *
 * Only the values are kept; the windows are computed where they are asked for, so a week at five minutes
 * takes 8 kB.
 */

/** The features of one slot, in this order. */
export const FEATURES = ["value", "short mean", "spread", "long mean"] as const;
export type Features = Float64Array;

export interface Windows {
  readonly shortSlots: number;
  readonly longSlots: number;
}

export class SlotRing {
  readonly #values: Float32Array;
  readonly #windows: Windows;
  #last = Number.NaN;

  constructor(slots: number, windows: Windows) {
    this.#values = new Float32Array(slots).fill(Number.NaN);
    this.#windows = windows;
  }

  /** The newest slot, or NaN before the first. */
  get last(): number {
    return this.#last;
  }

  get length(): number {
    return this.#values.length;
  }

  at(slot: number): number {
    if (!(slot <= this.#last && slot > this.#last - this.#values.length)) return Number.NaN;
    return this.#values[slot % this.#values.length] ?? Number.NaN;
  }

  /** Sets the newest slot's value; slots in between become empty. A slot before the newest empties those after. */
  set(slot: number, value: number): void {
    const { length } = this.#values;
    const isFar = !(Math.abs(slot - this.#last) < length);
    if (isFar) this.#values.fill(Number.NaN);
    else {
      for (let s = Math.min(slot, this.#last) + 1; s <= Math.max(slot, this.#last); s++) {
        this.#values[s % length] = Number.NaN;
      }
    }
    this.#last = slot;
    this.#values[slot % length] = value;
  }

  /** Writes the features of `slot` into `into`; NaN where there is too little data. */
  featuresAt(slot: number, into: Features): void {
    const { longSlots } = this.#windows;
    let sum = 0;
    let count = 0;
    for (let s = slot - longSlots + 1; s <= slot; s++) {
      const value = this.at(s);
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    into[3] = 2 * count >= longSlots ? sum / count : Number.NaN;
    this.#shortFeatures(slot, into);
  }

  #shortFeatures(slot: number, into: Features): void {
    const { shortSlots } = this.#windows;
    into[0] = this.at(slot);
    let sum = 0;
    let count = 0;
    for (let s = slot - shortSlots + 1; s <= slot; s++) {
      const value = this.at(s);
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    const mean = 2 * count >= shortSlots ? sum / count : Number.NaN;
    let squares = 0;
    for (let s = slot - shortSlots + 1; s <= slot; s++) {
      const value = this.at(s);
      if (!Number.isNaN(value)) squares += (value - mean) ** 2;
    }
    into[1] = mean;
    into[2] = Math.sqrt(squares / count);
  }

  /**
   * Lowers each of `nearest` to the distance between `features` and those of the slots from `first` to
   * `last`, where that is less. The long mean slides along; the short window is computed anew.
   */
  nearest(first: number, last: number, features: Features, nearest: Features): void {
    const { longSlots } = this.#windows;
    const other = this.#scratch;
    let sum = 0;
    let count = 0;
    for (let s = first - longSlots + 1; s <= last; s++) {
      const entering = this.at(s);
      if (!Number.isNaN(entering)) {
        sum += entering;
        count++;
      }
      if (s < first) continue;
      this.#shortFeatures(s, other);
      other[3] = 2 * count >= longSlots ? sum / count : Number.NaN;
      lower(features, other, nearest);
      const leaving = this.at(s - longSlots + 1);
      if (!Number.isNaN(leaving)) {
        sum -= leaving;
        count--;
      }
    }
  }

  /** Distance from `value` to the nearest value in the slots from `first` to `last`; infinite if none. */
  nearestValue(first: number, last: number, value: number): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (let s = first; s <= last; s++) {
      const distance = Math.abs(value - this.at(s));
      if (distance < nearest) nearest = distance;
    }
    return nearest;
  }

  /** At most `count` of the values kept, evenly spread over the ring, smallest first. */
  sample(count: number): Float64Array {
    const stride = Math.max(1, Math.floor(this.#values.length / count));
    const found: number[] = [];
    for (let s = this.#last; s > this.#last - this.#values.length; s -= stride) {
      const value = this.at(s);
      if (!Number.isNaN(value)) found.push(value);
    }
    return Float64Array.from(found).sort();
  }

  /** Oldest first, for a snapshot. */
  toArray(): Float32Array {
    const { length } = this.#values;
    const first = this.#last - length + 1;
    return Float32Array.from({ length }, (_, index) => this.at(first + index));
  }

  /** Takes over what {@link toArray} gave, with the newest slot it belonged to. */
  load(values: Float32Array, last: number): void {
    this.#values.fill(Number.NaN);
    this.#last = last;
    const first = last - values.length + 1;
    values.forEach((value, index) => {
      const slot = first + index;
      if (slot >= 0) this.#values[slot % this.#values.length] = value;
    });
  }

  readonly #scratch: Features = new Float64Array(FEATURES.length);
}

function lower(features: Features, other: Features, nearest: Features): void {
  for (let f = 0; f < nearest.length; f++) {
    const distance = Math.abs((features[f] ?? Number.NaN) - (other[f] ?? Number.NaN));
    if (distance < (nearest[f] ?? 0)) nearest[f] = distance;
  }
}
