/**
 * Puts the records of many partitions in the order of their leaves while they arrive. Leaves have no
 * holes, so that the next one is known; a partition that is far ahead waits for the others. A leaf that
 * does not come (retention took it) is waited for a moment, then passed over.
 */
import { type Clock, systemClock, unlessAborted } from "../../core/mod.ts";
import type { StoredRecord } from "../kafka/record.ts";

/** How far ahead of the next leaf a record is held, and how long a missing leaf is waited for. */
const AHEAD_MAX = 2_000;
const PATIENCE_MS = 1_500;

export class LeafOrder {
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #trees = new Map<string, { next: number; readonly held: Map<number, StoredRecord> }>();
  readonly #ready: StoredRecord[] = [];
  #changed = Promise.withResolvers<void>();
  #failure: unknown;

  constructor(signal: AbortSignal, clock: Clock = systemClock) {
    this.#signal = signal;
    this.#clock = clock;
  }

  /** Takes a record; resolves when there is room for the next one of its partition. */
  async put(record: StoredRecord, tree: string, leaf: number | undefined): Promise<void> {
    const known = this.#trees.get(tree) ?? { next: 0, held: new Map<number, StoredRecord>() };
    this.#trees.set(tree, known);
    // What claims no leaf, or one that is done, is not for us to judge: it is shown where it comes.
    if (leaf === undefined || leaf < known.next || known.held.has(leaf)) {
      this.#ready.push(record);
    } else {
      known.held.set(leaf, record);
      this.#release();
    }
    this.#wake();
    const isFull = () =>
      this.#ready.length > AHEAD_MAX || (leaf !== undefined && leaf > known.next + AHEAD_MAX);
    while (isFull()) await unlessAborted(this.#changed.promise, this.#signal);
  }

  fail(error: unknown): void {
    this.#failure = error;
    this.#wake();
  }

  /** The records in order, until the signal aborts. Throws what {@link fail} was given. */
  async *records(): AsyncGenerator<StoredRecord, void, undefined> {
    while (!this.#signal.aborted) {
      for (let next = this.#ready.shift(); next; next = this.#ready.shift()) yield next;
      this.#wake();
      if (this.#signal.aborted) return;
      if (this.#failure !== undefined) throw this.#failure;
      if (await this.#isStuck()) this.#passOver();
    }
  }

  /** Waits for a change; true when none came although records are held. */
  async #isStuck(): Promise<boolean> {
    const { promise: changed } = this.#changed;
    const isHolding = [...this.#trees.values()].some(({ held }) => held.size > 0);
    const done = new AbortController();
    const either = AbortSignal.any([this.#signal, done.signal]);
    const late = isHolding
      ? this.#clock.sleep(PATIENCE_MS, either).then(
          () => true,
          () => false,
        )
      : new Promise<boolean>(() => {});
    try {
      return await unlessAborted(Promise.race([changed.then(() => false), late]), this.#signal);
    } catch {
      return false;
    } finally {
      done.abort();
    }
  }

  /** Moves what is next in its tree to what is ready. */
  #release(): void {
    for (const tree of this.#trees.values()) {
      for (let found = tree.held.get(tree.next); found; found = tree.held.get(tree.next)) {
        tree.held.delete(tree.next++);
        this.#ready.push(found);
      }
    }
  }

  /** Goes on with the smallest leaf that is there. */
  #passOver(): void {
    for (const tree of this.#trees.values())
      if (tree.held.size > 0) tree.next = Math.min(...tree.held.keys());
    this.#release();
    this.#wake();
  }

  #wake(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers();
    changed.resolve();
  }
}
