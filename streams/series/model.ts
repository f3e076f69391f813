/**
 * What the detector knows of a series once its step is known: the last week, every value it ever took, how
 * far from both it usually strays, and how often it was strange. One call per point; nothing here knows of
 * clocks that jump or counters (detector.ts).
 *
 * Four features, each measured in two ways: distance to the nearest value ever (any time), and distance to
 * the nearest one at the same time of day. Each distance becomes a surprise by its own tail; the season's
 * weight mixes the two; the features' mean is the surprise of the point. The mean of weak detectors with
 * different windows is steadier than any one of them (Aggarwal and Sathe 2015).
 */
import { AlarmRate } from "./alarm-rate.ts";
import { KnownValues } from "./known-values.ts";
import { DAY_MS, SLOTS_PER_DAY_MAX, type Tuning } from "./options.ts";
import { Seasonality } from "./seasonality.ts";
import { FEATURES, type Features, SlotRing } from "./slot-ring.ts";
import { Tail } from "./tail.ts";

/** Nothing is learnt of distances before so many slots: the first values are all new. */
const FIRST_SLOTS = 48;

/** Values looked at for the usual spread. */
const SAMPLE_MAX = 128;

/** Neither any time nor the same time of day is ever trusted alone: two weak witnesses err less often. */
const SHARE_MIN = 0.15;

/** A flat line's noise, as a share of its value. */
const FLAT_SHARE = 0.001;

export interface Judgement {
  readonly score: number;
  /** Before the hold of the alarm rate; undefined until there are tails to measure it by. */
  readonly surprise: number | undefined;
  /** Which feature was the strangest: index into FEATURES. */
  readonly feature: number;
}

export class SeriesModel {
  readonly stepMs: number;
  readonly slotMs: number;
  readonly slotsPerDay: number;
  readonly ring: SlotRing;
  readonly known: readonly KnownValues[];
  readonly anyTails: readonly Tail[];
  readonly seasonTails: readonly Tail[];
  readonly season: Seasonality;
  readonly rate: AlarmRate;
  readonly #tuning: Tuning;
  #canJudge = false;
  readonly #changeMin: number;

  /** Slots with data so far, the usual spread and the noise below which nothing is a change. */
  slots = 0;
  spread = 0;
  noise = 0;

  readonly #features: Features = new Float64Array(FEATURES.length);
  readonly #any: Features = new Float64Array(FEATURES.length);
  readonly #season: Features = new Float64Array(FEATURES.length);
  /** Largest distances within the newest slot, which may get several points; NaN while there are none. */
  readonly anyMax: Features = new Float64Array(FEATURES.length).fill(Number.NaN);
  readonly seasonMax: Features = new Float64Array(FEATURES.length).fill(Number.NaN);

  constructor(stepMs: number, changeMin: number, tuning: Tuning) {
    this.stepMs = stepMs;
    this.slotsPerDay = Math.min(SLOTS_PER_DAY_MAX, Math.max(1, Math.round(DAY_MS / stepMs)));
    this.slotMs = stepMs > DAY_MS ? stepMs : DAY_MS / this.slotsPerDay;
    this.#changeMin = changeMin;
    this.#tuning = tuning;
    const lookBack = Math.max(...tuning.lagDays) * this.slotsPerDay;
    this.ring = new SlotRing(lookBack + tuning.toleranceSlots + tuning.longSlots + 1, tuning);
    const { blockSlots, blocksMax, blocksMin } = tuning;
    this.known = FEATURES.map(() => new KnownValues(tuning.knownMax, tuning.forgetSlots));
    this.anyTails = FEATURES.map(() => new Tail(blockSlots, blocksMax, blocksMin));
    this.seasonTails = FEATURES.map(() => new Tail(blockSlots, blocksMax, blocksMin));
    this.season = new Seasonality(this.slotsPerDay, tuning);
    this.rate = new AlarmRate(tuning.holdSlots, tuning.holdFactor, tuning.priorSlots);
  }

  slotOf(timeMs: number): number {
    return Math.floor(timeMs / this.slotMs);
  }

  /** Judges one point and learns from it. `slot` is the ring's newest or a later one. */
  judge(slot: number, value: number): Judgement {
    if (slot !== this.ring.last) this.#closeSlot(slot);
    this.ring.set(slot, value);
    this.ring.featuresAt(slot, this.#features);
    for (let f = 0; f < FEATURES.length; f++) {
      this.#any[f] = this.known[f]?.distance(this.#features[f] ?? Number.NaN) ?? Number.NaN;
    }
    this.season.distances(this.ring, slot, this.#features, this.#season);
    raise(this.#any, this.anyMax);
    raise(this.#season, this.seasonMax);
    const { surprise, feature } = this.#surprise();
    const score = this.rate.score(surprise);
    return { score, surprise: this.#isJudging() ? surprise : undefined, feature };
  }

  /** Without a tail every distance has surprise 0, which says nothing. */
  #isJudging(): boolean {
    if (this.#canJudge) return true;
    const { blocksMin } = this.#tuning;
    const isReady = ([tail]: readonly Tail[]) => (tail?.state.maxima.length ?? 0) >= blocksMin;
    const isSeasonReady = isReady(this.seasonTails);
    this.#canJudge = isReady(this.anyTails) && isSeasonReady;
    return this.#canJudge || (isReady(this.anyTails) && !this.season.isKnown);
  }

  #surprise(): { surprise: number; feature: number } {
    const weight = this.season.isKnown ? SHARE_MIN + (1 - 2 * SHARE_MIN) * this.season.weight : 0;
    let sum = 0;
    let largest = -1;
    let feature = 0;
    for (let f = 0; f < FEATURES.length; f++) {
      const any = this.anyTails[f]?.surprise(this.#any[f] ?? Number.NaN, this.noise) ?? 0;
      const seasonal =
        this.seasonTails[f]?.surprise(this.#season[f] ?? Number.NaN, this.noise) ?? 0;
      const mixed = weight * seasonal + (1 - weight) * any;
      sum += mixed;
      if (mixed <= largest) continue;
      largest = mixed;
      feature = f;
    }
    return { surprise: sum / FEATURES.length, feature };
  }

  /** Learns from the slot that ends because a point of `next` has come. */
  #closeSlot(next: number): void {
    const { last } = this.ring;
    if (Number.isNaN(last)) return;
    this.ring.featuresAt(last, this.#features);
    this.slots++;
    for (let f = 0; f < FEATURES.length; f++) {
      if (this.slots > FIRST_SLOTS) this.anyTails[f]?.learn(this.anyMax[f] ?? Number.NaN);
      this.seasonTails[f]?.learn(this.seasonMax[f] ?? Number.NaN);
      const feature = this.#features[f] ?? Number.NaN;
      if (Number.isFinite(feature)) this.known[f]?.add(feature, this.slots);
    }
    this.season.learn(this.ring, last, this.#features[0] ?? Number.NaN, this.spread);
    this.rate.pass(Math.abs(next - last));
    this.anyMax.fill(Number.NaN);
    this.seasonMax.fill(Number.NaN);
    if (this.slots % this.#tuning.blockSlots === 0) this.#measureSpread();
  }

  #measureSpread(): void {
    const sample = this.ring.sample(SAMPLE_MAX);
    const at = (share: number): number => sample[Math.floor(share * sample.length)] ?? 0;
    this.spread = at(0.9) - at(0.1);
    const flat = FLAT_SHARE * Math.abs(at(0.5));
    this.noise = Math.max(this.#tuning.noiseShare * this.spread, flat, this.#changeMin);
  }
}

function raise(values: Features, maxima: Features): void {
  for (let f = 0; f < values.length; f++) {
    const value = values[f] ?? Number.NaN;
    const maximum = maxima[f] ?? Number.NaN;
    if (value > maximum || Number.isNaN(maximum)) maxima[f] = value;
  }
}
