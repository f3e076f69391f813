/**
 * Whether a series has a daily or weekly season, found and not configured: at every slot the nearest value
 * at the same time of day is compared with the nearest one at other times of day, as many and about as old.
 * Where the same time of day knows better, the season counts; where it does not (a batch job that runs when
 * it likes), the whole history does.
 *
 * It looks a week back at most: the last days, and the same weekday.
 */
import type { Tuning } from "./options.ts";
import type { Features, SlotRing } from "./slot-ring.ts";

/** Below this many slots a day the tolerance spans the day, and there is nothing to find. */
const SLOTS_PER_DAY_MIN = 12;

/** Shares of a day to look aside; not whole parts of it, so that no twelve-hour cycle is hit twice. */
const ASIDE_DAYS = [0.5, 0.37, 0.63] as const;

/** Days that the comparison remembers (half-life). */
const MEMORY_DAYS = 14;

export interface SeasonalityState {
  readonly seasonalError: number;
  readonly otherError: number;
  readonly compared: number;
}

export class Seasonality {
  readonly #slotsPerDay: number;
  readonly #tuning: Tuning;
  #seasonalError = 0;
  #otherError = 0;
  #compared = 0;

  constructor(slotsPerDay: number, tuning: Tuning) {
    this.#slotsPerDay = slotsPerDay;
    this.#tuning = tuning;
  }

  get isPossible(): boolean {
    return this.#slotsPerDay >= SLOTS_PER_DAY_MIN;
  }

  /** True once half a day could be compared. */
  get isKnown(): boolean {
    return this.isPossible && this.#compared >= this.#slotsPerDay / 2;
  }

  /** Share of trust in the season, from 0 (none found) to 1. */
  get weight(): number {
    if (!this.isKnown) return 0;
    const { seasonalFrom, seasonalTo } = this.#tuning;
    const ratio = this.#otherError > 0 ? this.#seasonalError / this.#otherError : 1;
    return Math.min(1, Math.max(0, (seasonalTo - ratio) / (seasonalTo - seasonalFrom)));
  }

  /** Writes into `nearest` how far each feature is from the same time of day; NaN where none is known. */
  distances(ring: SlotRing, slot: number, features: Features, nearest: Features): void {
    nearest.fill(Number.POSITIVE_INFINITY);
    const { lagDays, toleranceSlots } = this.#tuning;
    for (const lag of this.isPossible ? lagDays : []) {
      const centre = slot - lag * this.#slotsPerDay;
      ring.nearest(centre - toleranceSlots, centre + toleranceSlots, features, nearest);
    }
    for (let f = 0; f < nearest.length; f++) {
      if (nearest[f] === Number.POSITIVE_INFINITY) nearest[f] = Number.NaN;
    }
  }

  /** Compares, once a slot. `errorMax` cuts single large misses, which say nothing about a season. */
  learn(ring: SlotRing, slot: number, value: number, errorMax: number): void {
    if (!this.isPossible) return;
    const same = this.#error(ring, slot, value, 0);
    if (same === Number.POSITIVE_INFINITY) return;
    let other = 0;
    for (const aside of ASIDE_DAYS) {
      const error = this.#error(ring, slot, value, Math.round(aside * this.#slotsPerDay));
      if (error === Number.POSITIVE_INFINITY) return;
      other += Math.min(error, errorMax) / ASIDE_DAYS.length;
    }
    const kept = 0.5 ** (1 / (MEMORY_DAYS * this.#slotsPerDay));
    this.#seasonalError = this.#seasonalError * kept + Math.min(same, errorMax);
    this.#otherError = this.#otherError * kept + other;
    this.#compared++;
  }

  get state(): SeasonalityState {
    return {
      seasonalError: this.#seasonalError,
      otherError: this.#otherError,
      compared: this.#compared,
    };
  }

  load(state: SeasonalityState): void {
    this.#seasonalError = state.seasonalError;
    this.#otherError = state.otherError;
    this.#compared = state.compared;
  }

  #error(ring: SlotRing, slot: number, value: number, aside: number): number {
    const { lagDays, toleranceSlots } = this.#tuning;
    let nearest = Number.POSITIVE_INFINITY;
    for (const lag of lagDays) {
      const centre = slot - lag * this.#slotsPerDay - aside;
      const found = ring.nearestValue(centre - toleranceSlots, centre + toleranceSlots, value);
      nearest = Math.min(nearest, found);
    }
    return nearest;
  }
}
