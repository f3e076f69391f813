/** The moment of a run's kill: the planned one of the planned steps, or the end of all, where it never came. */
import { systemClock } from "../../../core/mod.ts";
import type { Plan, Point } from "./plan.ts";

/** `after`: all was done before the planned step came. */
export type Struck = Point | "after";

export class Trigger {
  /** Resolves when the victim is dead. */
  readonly struck: Promise<Struck>;
  readonly #plan: Plan;
  readonly #strike: () => Promise<void>;
  readonly #resolve: (at: Struck) => void;
  #left: number;
  #isArmed = false;
  #isDue = false;

  constructor(plan: Plan, strike: () => Promise<void>) {
    const { promise, resolve } = Promise.withResolvers<Struck>();
    this.struck = promise;
    this.#resolve = resolve;
    this.#plan = plan;
    this.#strike = strike;
    this.#left = plan.at;
  }

  /** Steps count from now on. */
  arm(): void {
    this.#isArmed = true;
  }

  /** A step was seen. Resolves when the victim is dead, if the step was its end. */
  async step(step: Point): Promise<void> {
    const { point, delayMs } = this.#plan;
    if (!this.#isArmed || this.#isDue || step !== point || --this.#left > 0) return;
    this.#isDue = true;
    if (delayMs > 0) await systemClock.sleep(delayMs);
    await this.#strike();
    this.#resolve(point);
  }

  /** All is done: the victim dies all the same. */
  async finished(): Promise<void> {
    if (!this.#isArmed || this.#isDue) return;
    this.#isDue = true;
    await this.#strike();
    this.#resolve("after");
  }
}
