/**
 * Places to work in: so many in all, and so many of one owner, so that who has many slow webhooks holds up
 * nobody else. Who finds none free waits, in the order of coming; bounded by who may ask.
 */
import { unlessAborted } from "../../core/mod.ts";

export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Resolves with a place, given back when it is disposed; rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (isTaken) this.#release();
        isTaken = false;
      },
    };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    let wake: () => void = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
      this.#waiting.push(resolve);
    });
    try {
      await unlessAborted(woken, signal);
    } catch (error) {
      const at = this.#waiting.indexOf(wake);
      if (at >= 0) this.#waiting.splice(at, 1);
      // It was given the place as it left.
      else this.#release();
      throw error;
    }
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}

/** Places in all, of which one owner has a share at most. */
export class FairSlots {
  readonly #all: Slots;
  readonly #each: number;
  readonly #owners = new Map<string, { readonly slots: Slots; users: number }>();

  constructor(places: number, ofOneOwner: number) {
    this.#all = new Slots(places);
    this.#each = ofOneOwner;
  }

  /** As {@link Slots.take}; an owner that has its share waits for its own, before the rest. */
  async take(owner: string, signal: AbortSignal): Promise<Disposable> {
    const share = this.#owners.get(owner) ?? { slots: new Slots(this.#each), users: 0 };
    this.#owners.set(owner, share);
    share.users++;
    using undo = new DisposableStack();
    undo.defer(() => {
      share.users--;
      if (share.users === 0) this.#owners.delete(owner);
    });
    undo.use(await share.slots.take(signal));
    undo.use(await this.#all.take(signal));
    return undo.move();
  }
}
