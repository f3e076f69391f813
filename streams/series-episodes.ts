/**
 * When a series was strange in the last week: what is needed to say that such strangeness is usual of it.
 * An incident must not become its own excuse once the detector knows its values: what is asked about is the
 * strangest of the last hours, if that is rare, and only days before yesterday's hour are witnesses.
 */
import type { Window } from "../core/mod.ts";
import { PEAK_MIN, PRIOR_AT } from "./series/alarm-rate.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** What is strange again so soon is the same episode: three slots of the detector. */
const GAP_MS = 30 * MINUTE_MS;
/**
 * An incident's first hours: what is strange now is judged with the strangest of them, where that is what
 * series without faults show once in six days (the prior of the alarm rate). Less is no incident's begin.
 */
const INCIDENT_MS = 6 * HOUR_MS;
/** Series without faults are so strange every third day (the same prior): a daily job that is a bit late. */
const MILD_SURPRISE = 0.25;
/** One day may have been the last incident's. */
const DAYS_MIN = 2;
const DAYS_MAX = 7;
/** A dozen a day for a week; of a series with more, the oldest are forgotten. */
export const EPISODES_MAX = 96;

/** Time of the last strange point, in milliseconds UTC, and the largest surprise. */
export type Episode = readonly [lastMs: number, surprise: number];

export interface EpisodesState {
  /** When the series was first judged; absent before. */
  readonly sinceMs?: number | undefined;
  /** In the order of time. */
  readonly list: readonly Episode[];
}

export class Episodes {
  #sinceMs: number | undefined;
  #list: Episode[];

  constructor(state: EpisodesState = { list: [] }) {
    this.#sinceMs = state.sinceMs;
    this.#list = [...state.list];
  }

  get state(): EpisodesState {
    const list = [...this.#list];
    return this.#sinceMs === undefined ? { list } : { sinceMs: this.#sinceMs, list };
  }

  /** Learns one judged point. Points come in the order of time. */
  learn(timeMs: number, surprise: number): void {
    this.#sinceMs ??= timeMs;
    if (!(surprise > PEAK_MIN)) return;
    const last = this.#list.at(-1);
    if (last !== undefined && timeMs - last[0] <= GAP_MS) {
      this.#list[this.#list.length - 1] = [timeMs, Math.max(last[1], surprise)];
      return;
    }
    this.#list.push([timeMs, surprise]);
    if (this.#list.length > EPISODES_MAX) this.#list.shift();
  }

  /**
   * How often a day the series was, on half of its days before, at least as strange as in the window and
   * the hours before it: infinitely often when it is not strange, 0 while too few days are known to tell, undefined when
   * it was never judged.
   */
  usualPerDay({ startMs, endMs }: Window): number | undefined {
    if (this.#sinceMs === undefined) return undefined;
    const running = this.#list.filter(([lastMs, surprise]) => {
      const isNow = lastMs > startMs && surprise > MILD_SURPRISE;
      return isNow || (lastMs > endMs - INCIDENT_MS && surprise > PRIOR_AT);
    });
    if (running.length === 0) return Number.POSITIVE_INFINITY;
    const days = Math.min(DAYS_MAX, Math.floor((endMs - this.#sinceMs) / DAY_MS) - 1);
    if (days < DAYS_MIN) return 0;
    const surprise = Math.max(...running.map((episode) => episode[1]));
    const counts = Array.from({ length: days }, () => 0);
    for (const [lastMs, known] of this.#list) {
      const day = Math.floor((endMs - lastMs) / DAY_MS) - 1;
      if (day >= 0 && day < days && known >= surprise) counts[day] = (counts[day] ?? 0) + 1;
    }
    return counts.sort((a, b) => a - b)[(days - 1) >> 1] ?? 0;
  }
}
