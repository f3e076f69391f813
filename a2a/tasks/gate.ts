/** A bound on what a replica does of one kind at a time; beyond it callers are told when to come back. */
import { PetrelError } from "../../core/mod.ts";

const RETRY_AFTER_MS = 1_000;

export class Gate {
  readonly #what: string;
  readonly #max: number;
  #inside = 0;

  /** `what` in the plural, as in "already streams". */
  constructor(what: string, max: number) {
    this.#what = what;
    this.#max = max;
  }

  /** Lets one in, until it calls what it gets. Throws OVERLOADED. */
  enter(): () => void {
    if (this.#inside >= this.#max) {
      throw new PetrelError("OVERLOADED", `this replica already has ${this.#max} ${this.#what}`, {
        limit: this.#max,
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    this.#inside++;
    let isInside = true;
    return () => {
      if (isInside) this.#inside--;
      isInside = false;
    };
  }

  /** Does `work` inside. Throws OVERLOADED, and what the work throws. */
  async within<T>(work: () => Promise<T>): Promise<T> {
    const leave = this.enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }
}
