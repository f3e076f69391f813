/**
 * From surprise to a rate of false alarms, and from there to a score that means the same for every series.
 *
 * The rate at which a series without faults reaches a surprise is estimated from its own past, with a prior
 * that stands for other series (empirical Bayes: a Gamma prior on a Poisson rate, Robbins 1956; Gelman et
 * al. 2013, 2.6). A series that is often strange has to be stranger to be worth an alarm. The prior is the
 * exponential fit to the peaks of simulated fault-free series of fourteen kinds.
 *
 * Before that, one episode is one alarm: for a while after a peak only something clearly stranger counts.
 */

/** Prior: peaks of surprise `PRIOR_AT` come once in `PRIOR_SLOTS` slots, e times rarer per `PRIOR_FALL`. */
export const PRIOR_AT = 0.5;
const PRIOR_SLOTS = 850;
const PRIOR_FALL = 0.33;

/** A surprise up to this is never a peak: such distances come several times a day. */
export const PEAK_MIN = 0.05;
const PEAKS_MAX = 32;

/** The rate at which the score is 0, and the fourth root by which it nears 1 as the rate falls. */
const RATE_MAX = 0.01;
const SCORE_POWER = 0.25;

/** Score of a rate of false alarms per slot. */
export function scoreOfRate(ratePerSlot: number): number {
  if (!(ratePerSlot < RATE_MAX)) return 0;
  return 1 - (Math.max(0, ratePerSlot) / RATE_MAX) ** SCORE_POWER;
}

/** Rate of false alarms per slot that a score stands for: the inverse of {@link scoreOfRate}. */
export function rateOfScore(score: number): number {
  return RATE_MAX * (1 - Math.min(1, Math.max(0, score))) ** (1 / SCORE_POWER);
}

export interface AlarmRateState {
  readonly slots: number;
  /** The largest peaks so far, largest first. */
  readonly peaks: readonly number[];
  readonly heldPeak: number;
  /** Slots since it, at most the hold. */
  readonly heldAge: number;
}

export class AlarmRate {
  readonly #holdSlots: number;
  readonly #holdFactor: number;
  readonly #priorSlots: number;
  #slots = 0;
  #peaks: number[] = [];
  #heldPeak = 0;
  #heldAge: number;

  constructor(holdSlots: number, holdFactor: number, priorSlots: number) {
    this.#holdSlots = holdSlots;
    this.#holdFactor = holdFactor;
    this.#priorSlots = priorSlots;
    this.#heldAge = holdSlots;
  }

  /** Passes `slots` slots of time, of which one held data. */
  pass(slots: number): void {
    this.#slots++;
    this.#heldAge = Math.min(this.#holdSlots, this.#heldAge + slots);
  }

  /** Score of a surprise, in [0, 1], and learns from it. */
  score(surprise: number): number {
    const isHeld = this.#heldAge < this.#holdSlots;
    const bar = isHeld ? this.#heldPeak * this.#holdFactor : 0;
    if (!(surprise > Math.max(bar, PEAK_MIN))) return 0;
    const rate = this.#rate(surprise);
    this.#learn(surprise);
    this.#heldPeak = surprise;
    this.#heldAge = 0;
    return scoreOfRate(rate);
  }

  get state(): AlarmRateState {
    return {
      slots: this.#slots,
      peaks: this.#peaks,
      heldPeak: this.#heldPeak,
      heldAge: this.#heldAge,
    };
  }

  load(state: AlarmRateState): void {
    this.#slots = state.slots;
    this.#peaks = [...state.peaks];
    this.#heldPeak = state.heldPeak;
    this.#heldAge = Math.min(this.#holdSlots, state.heldAge);
  }

  #rate(surprise: number): number {
    const prior = Math.exp((PRIOR_AT - surprise) / PRIOR_FALL) / PRIOR_SLOTS;
    const reached = this.#peaks.filter((peak) => peak >= surprise).length;
    return (reached + this.#priorSlots * prior) / (this.#slots + this.#priorSlots);
  }

  #learn(peak: number): void {
    const at = this.#peaks.findIndex((known) => known < peak);
    if (at < 0) this.#peaks.push(peak);
    else this.#peaks.splice(at, 0, peak);
    if (this.#peaks.length > PEAKS_MAX) this.#peaks.pop();
  }
}
