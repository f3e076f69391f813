/**
 * The batch that is being filled while the one before it is written. Bounded in records and bytes: who
 * adds waits for room, who takes waits for something to take, both until a signal.
 */
import { type Clock, unlessAborted } from "../core/mod.ts";
import type { KafkaRecord } from "./kafka/record.ts";
import { type Fact, isAlarming } from "./mirror/fact.ts";
import type { Mirror } from "./mirror/mirror.ts";
import { encodeState } from "./mirror/state.ts";
import { leafHash, type Tree } from "./proof/merkle.ts";
import type { Body, Recorder } from "./recorder.ts";

export interface Batch {
  readonly records: readonly KafkaRecord[];
  /** Bodies that are too large for Kafka, to be stored before the batch. */
  readonly bodies: readonly Body[];
  /** Facts that say the audit is not whole. */
  readonly alarms: readonly Fact[];
  /** Leaf hashes of the records, one after the other; index of the first; leaves after the last. */
  readonly hashes: Uint8Array;
  readonly first: number;
  readonly size: number;
  readonly frontier: Uint8Array;
  readonly root: Uint8Array;
  readonly nextSeq: number;
  /** True when there is nothing to write that was not written before. */
  readonly isEmpty: boolean;
  /** The mirror's state after the batch, when it was asked for. */
  readonly state: Uint8Array | undefined;
}

export interface FillingOptions {
  readonly recorder: Recorder;
  readonly mirror: Mirror;
  readonly tree: Tree;
  readonly treeName: string;
  readonly clock: Clock;
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly lingerMs: number;
}

export class Filling {
  readonly #options: FillingOptions;
  #records: KafkaRecord[] = [];
  #bodies: Body[] = [];
  #alarms: Fact[] = [];
  #hashes: Uint8Array[] = [];
  #bytes = 0;
  #first: number;
  #nextSeq: number;
  #changed = Promise.withResolvers<void>();

  constructor(options: FillingOptions) {
    this.#options = options;
    this.#first = options.tree.size;
    this.#nextSeq = options.mirror.nextSeq;
  }

  get isFull(): boolean {
    return (
      this.#records.length >= this.#options.recordsMax || this.#bytes >= this.#options.bytesMax
    );
  }

  /** Adds what one message brought. Resolves when there is room for the next. */
  async add(facts: readonly Fact[], signal: AbortSignal): Promise<void> {
    for (const fact of facts) this.#addOne(fact);
    this.#wake();
    while (this.isFull) await this.#change(signal);
  }

  /**
   * The next batch: as soon as it is full, else `lingerMs` after its first record; without records
   * after `idleMs`, and empty when the stream has not moved either.
   */
  async take(idleMs: number, isStateDue: boolean, signal: AbortSignal): Promise<Batch> {
    await this.#until(() => this.#records.length > 0, idleMs, signal);
    if (this.#records.length > 0)
      await this.#until(() => this.isFull, this.#options.lingerMs, signal);
    return this.#swap(isStateDue);
  }

  /** Waits until it holds, at most `ms`. */
  async #until(holds: () => boolean, ms: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const over = new AbortController();
    const end = () => over.abort();
    const asleep = this.#options.clock.sleep(ms, AbortSignal.any([signal, done.signal]));
    const late = asleep.then(end, end);
    try {
      while (!holds() && !over.signal.aborted) await Promise.race([late, this.#change(signal)]);
      signal.throwIfAborted();
    } finally {
      done.abort();
    }
  }

  #addOne(fact: Fact): void {
    const { recorder, tree, treeName } = this.#options;
    const { record, body } = recorder.record(fact, treeName, tree.size);
    const hash = leafHash(record);
    tree.append(hash);
    this.#hashes.push(hash);
    this.#records.push(record);
    this.#bytes += record.value.length;
    if (body) this.#bodies.push(body);
    if (isAlarming(fact)) this.#alarms.push(fact);
  }

  #swap(isStateDue: boolean): Batch {
    const { tree, treeName, mirror } = this.#options;
    const { nextSeq } = mirror;
    const { size } = tree;
    const batch: Batch = {
      records: this.#records,
      bodies: this.#bodies,
      alarms: this.#alarms,
      hashes: Buffer.concat(this.#hashes),
      first: this.#first,
      size,
      frontier: tree.frontier,
      root: tree.root(),
      nextSeq,
      isEmpty: nextSeq === this.#nextSeq && this.#records.length === 0,
      state: isStateDue ? encodeState({ ...mirror.state, tree: treeName, size }) : undefined,
    };
    this.#records = [];
    this.#bodies = [];
    this.#alarms = [];
    this.#hashes = [];
    this.#bytes = 0;
    this.#first = size;
    this.#nextSeq = nextSeq;
    this.#wake();
    return batch;
  }

  #change(signal: AbortSignal): Promise<void> {
    return unlessAborted(this.#changed.promise, signal);
  }

  #wake(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers();
    changed.resolve();
  }
}
