/**
 * What a user may set of the series detector, and the constants it runs with. The constants hold for
 * every series; none of them knows a metric, a unit or a data set.
 */
import { PetrelError } from "../../core/mod.ts";

export const DAY_MS = 86_400_000;

/** A slot is the detector's unit of time: the series' own step, but never shorter than ten minutes. */
export const SLOTS_PER_DAY_MAX = 144;

export interface SeriesOptions {
  /**
   * `counter` for a value that only grows and starts again at a restart: the detector then judges the
   * rate per second, and skips the point at which it starts again. Default `gauge`.
   */
  readonly kind?: "gauge" | "counter";
  /**
   * The smallest change that matters, in the unit of the values (for a counter: per second). Below it, or
   * below 0.1 % of the usual value, a change on a flat line is noise. Default 0.
   */
  readonly changeMin?: number;
}

/** The step of a series is the median over so many points; until then nothing is judged. */
export const WARMING_POINTS = 32;

/**
 * The constants, and why they are what they are. All lie on broad optima: with each changed at random by
 * up to a fifth, the benchmark's figure mostly stays within three points. An experiment may set them.
 *
 * - Half an hour and two hours: long enough to average noise out, short enough for an operator.
 * - A block of four hours, and five of them: an episode falls into one block, and a day can be judged.
 * - Fifteen hours of hold: one alarm per incident and working day; what is half as strange again is news.
 * - The prior is worth eight weeks: it decides at first, a noisy series' own past later.
 */
export interface Tuning {
  /** Days back that the same time of day is compared with: recent days, and the same weekday. */
  readonly lagDays: readonly number[];
  /** Slots around the same time of day; a load that comes twenty minutes late is no surprise. */
  readonly toleranceSlots: number;
  /** Slots of the short and the long window of the mean, and of the spread. */
  readonly shortSlots: number;
  readonly longSlots: number;
  /** Values remembered per feature over the whole history. */
  readonly knownMax: number;
  /** A value not seen for so many slots may be forgotten: eight weeks at ten minutes. */
  readonly forgetSlots: number;
  /** Slots per block, blocks remembered, and blocks needed before anything is judged. */
  readonly blockSlots: number;
  readonly blocksMax: number;
  readonly blocksMin: number;
  /** Share of the usual spread below which a distance counts as noise. */
  readonly noiseShare: number;
  /** Seasonal error over unseasonal error: up to `seasonalFrom` most trust, from `seasonalTo` on least. */
  readonly seasonalFrom: number;
  readonly seasonalTo: number;
  /** After an alarm, the slots in which only something `holdFactor` times as strange is said. */
  readonly holdSlots: number;
  readonly holdFactor: number;
  /** Slots of experience that the prior of the alarm rate is worth. */
  readonly priorSlots: number;
}

export const TUNING: Tuning = {
  lagDays: [1, 2, 3, 4, 7],
  toleranceSlots: 2,
  shortSlots: 3,
  longSlots: 12,
  knownMax: 64,
  forgetSlots: 8_064,
  blockSlots: 24,
  blocksMax: 96,
  blocksMin: 5,
  noiseShare: 0.02,
  seasonalFrom: 0.3,
  seasonalTo: 0.9,
  holdSlots: 90,
  holdFactor: 1.5,
  priorSlots: 8_000,
};

/** Checks what a user set. Throws USAGE naming the field. */
export function checkOptions(options: SeriesOptions): Required<SeriesOptions> {
  const kind = options.kind ?? "gauge";
  if (kind !== "gauge" && kind !== "counter") {
    throw new PetrelError("USAGE", "kind: a series is a gauge or a counter", { path: "kind" });
  }
  const changeMin = options.changeMin ?? 0;
  if (!Number.isFinite(changeMin) || changeMin < 0) {
    throw new PetrelError("USAGE", "changeMin: must be a number from 0 on", { path: "changeMin" });
  }
  return { kind, changeMin };
}
