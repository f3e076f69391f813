/**
 * The online anomaly detector of one metric series: one point in, one score out, in bounded time and memory.
 * It learns from every point, so history is fed to it point by point to start warm. It sees no future, no
 * labels and no other series; it never looks at a clock of its own. One detector takes about 14 kB at a step
 * of ten minutes or less, 10 kB at an hour, and its size does not grow.
 *
 *   points -> (rate of a counter) -> slot of time -> four features -> distance to what is known
 *          -> surprise -> rate of false alarms -> score
 *
 * Nothing a source can send makes it throw: a point it cannot use gets score 0 and a word why.
 */
import { rateOfScore, scoreOfRate } from "./alarm-rate.ts";
import { SeriesModel } from "./model.ts";
import {
  checkOptions,
  DAY_MS,
  type SeriesOptions,
  TUNING,
  type Tuning,
  WARMING_POINTS,
} from "./options.ts";
import { FEATURES } from "./slot-ring.ts";
import { decodeSnapshot, encodeSnapshot, type SeriesSnapshot } from "./snapshot.ts";

/** So many points in a row must agree on another time before a clock that jumped is believed. */
const STRAYS_MAX = 4;

/** Beyond this a value is cut: squares of it still fit a number, and Float32 holds it. */
const VALUE_MAX = 1e30;

/** The last instant a JavaScript date can hold. */
const TIME_MAX_MS = 8.64e15;

export type { SeriesSnapshot } from "./snapshot.ts";

export type SkipReason = "warming up" | "no number" | "clock" | "first of a counter" | "reset";

export type SeriesFeature = (typeof FEATURES)[number];

export interface SeriesReading {
  /** How sure it is that something is wrong, in [0, 1]; means the same for every series. */
  readonly score: number;
  /** Points as strange as this that a series without faults has in a day; see `thresholdFor`. */
  readonly falseAlarmsPerDay: number;
  /**
   * How strange the point is, whatever came shortly before it: `score` is 0 for a while after an alarm, and
   * that says nothing of the point. Up to `PEAK_MIN` it is usual; undefined when nothing could be judged.
   */
  readonly surprise: number | undefined;
  /** What is strange most: the value, the mean of the last 3 or 12 slots, or the spread of the last 3. */
  readonly feature: SeriesFeature;
  /** Share of trust in the time of day, 0 to 1. */
  readonly seasonality: number;
  /** Why the point was not judged; absent when it was. */
  readonly skipped?: SkipReason;
}

/** A point, in milliseconds UTC, or per second for the rate of a counter. */
export interface Point {
  readonly timeMs: number;
  readonly value: number;
}

/** What a detector carries besides its model. */
export interface ClockState {
  /** The first points, until the step is known. */
  warming: Point[];
  /** The last point of a counter as it came. */
  previous: Point | undefined;
  /** Time of the last point that did not fit, and how many in a row it was. */
  strayMs: number;
  strays: number;
}

export class SeriesDetector {
  readonly #options: Required<SeriesOptions>;
  readonly #tuning: Tuning;
  #model: SeriesModel | undefined;
  #clock: ClockState = { warming: [], previous: undefined, strayMs: Number.NaN, strays: 0 };

  /** Throws USAGE for options that make no sense. `tuning` is for experiments. */
  constructor(options: SeriesOptions = {}, tuning: Tuning = TUNING) {
    this.#options = checkOptions(options);
    this.#tuning = tuning;
  }

  /**
   * Judges one point and learns from it. Points come in the order of time; one that is late, or weeks ahead,
   * is skipped unless the next ones agree with it.
   */
  update(timeMs: number, value: number): SeriesReading {
    if (!(timeMs >= 0 && timeMs <= TIME_MAX_MS)) return this.#skipped("clock");
    if (!Number.isFinite(value)) return this.#skipped("no number");
    if (this.#options.kind === "gauge") return this.#judge({ timeMs, value });
    const { previous } = this.#clock;
    this.#clock.previous = { timeMs, value };
    if (previous === undefined) return this.#skipped("first of a counter");
    if (timeMs <= previous.timeMs) return this.#skipped("clock");
    if (value < previous.value) return this.#skipped("reset");
    const perSecond = (1000 * (value - previous.value)) / (timeMs - previous.timeMs);
    return this.#judge({ timeMs, value: perSecond });
  }

  /**
   * The score from which on to alarm, for at most so many false alarms a day on this series. Before its
   * step is known it counts with ten minutes. 0 or less gives 1, which no score reaches.
   */
  thresholdFor(falseAlarmsPerDay: number): number {
    return thresholdFor(falseAlarmsPerDay, this.#model?.slotsPerDay);
  }

  /** Everything it knows, as plain JSON; see {@link SeriesSnapshot} for its size. */
  snapshot(): SeriesSnapshot {
    return encodeSnapshot(this.#options, this.#clock, this.#model);
  }

  /**
   * Goes on where {@link snapshot} was taken: the same points give the same scores. Throws
   * PROTOCOL_VIOLATION naming the place when the snapshot is not one of ours.
   */
  static restore(snapshot: unknown, tuning: Tuning = TUNING): SeriesDetector {
    const { options, clock, model } = decodeSnapshot(snapshot, tuning);
    const detector = new SeriesDetector(options, tuning);
    detector.#clock = clock;
    detector.#model = model;
    return detector;
  }

  #judge(point: Point): SeriesReading {
    const value = Math.fround(Math.min(VALUE_MAX, Math.max(-VALUE_MAX, point.value)));
    if (this.#model === undefined) return this.#warmUp({ timeMs: point.timeMs, value });
    return this.#place(this.#model, { timeMs: point.timeMs, value });
  }

  #warmUp(point: Point): SeriesReading {
    const { warming } = this.#clock;
    warming.push(point);
    const stepMs = warming.length < WARMING_POINTS ? Number.NaN : medianStepMs(warming);
    if (Number.isNaN(stepMs)) {
      // All of one instant: the later half may still show a step.
      if (warming.length >= WARMING_POINTS) warming.splice(0, WARMING_POINTS / 2);
      return this.#skipped("warming up");
    }
    this.#model = new SeriesModel(stepMs, this.#options.changeMin, this.#tuning);
    for (const early of warming.splice(0)) this.#place(this.#model, early);
    return this.#skipped("warming up");
  }

  #place(model: SeriesModel, point: Point): SeriesReading {
    const slot = model.slotOf(point.timeMs);
    const { last } = model.ring;
    const fits = Number.isNaN(last) || (slot >= last && slot - last < model.ring.length);
    if (!fits && !this.#isNewClock(point.timeMs, model)) return this.#skipped("clock");
    this.#clock.strays = 0;
    const { score, surprise, feature } = model.judge(slot, point.value);
    return {
      score,
      falseAlarmsPerDay: rateOfScore(score) * model.slotsPerDay,
      surprise,
      feature: FEATURES[feature] ?? "value",
      seasonality: model.season.weight,
    };
  }

  /** True when enough points in a row have come from another time than before. */
  #isNewClock(timeMs: number, model: SeriesModel): boolean {
    const aheadMs = timeMs - this.#clock.strayMs;
    const agrees = aheadMs >= 0 && aheadMs < model.ring.length * model.slotMs;
    this.#clock.strays = agrees ? this.#clock.strays + 1 : 1;
    this.#clock.strayMs = timeMs;
    return this.#clock.strays >= STRAYS_MAX;
  }

  #skipped(reason: SkipReason): SeriesReading {
    return {
      score: 0,
      falseAlarmsPerDay: rateOfScore(0) * (this.#model?.slotsPerDay ?? 0),
      surprise: undefined,
      feature: "value",
      seasonality: this.#model?.season.weight ?? 0,
      skipped: reason,
    };
  }
}

/** Slots a day of a series at a step of ten minutes or less. */
const SLOTS_PER_DAY_USUAL = 144;

/** It holds on average over series; docs/evidence.md gives what was measured. */
function thresholdFor(falseAlarmsPerDay: number, slotsPerDay = SLOTS_PER_DAY_USUAL): number {
  if (!(falseAlarmsPerDay > 0)) return 1;
  return scoreOfRate(falseAlarmsPerDay / slotsPerDay);
}

/** Median of the steps forward, within bounds; NaN when time never moved. */
function medianStepMs(points: readonly Point[]): number {
  const steps = points
    .slice(1)
    .map((point, index) => point.timeMs - (points[index]?.timeMs ?? Number.NaN))
    .filter((step) => step > 0)
    .sort((a, b) => a - b);
  const median = steps[steps.length >> 1] ?? Number.NaN;
  return Math.max(1, Math.min(median, WEEK_MS));
}

/** A series that comes less often than weekly is kept in slots of a week. */
const WEEK_MS = 7 * DAY_MS;
