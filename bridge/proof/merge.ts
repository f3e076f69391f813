/**
 * Merges the records of all partitions into the order of their leaves. A partition holds its leaves in
 * rising order, so the merge waits for nothing but the smallest head; a record that breaks the order of its
 * partition is passed on at once, marked, and holds nobody up.
 *
 * Three records of each partition are in memory: two look-aheads tell a record that claims a leaf far
 * ahead from many that would seem to come late.
 */
import { leafIndexOf, type StoredRecord, TREE_HEADER } from "../kafka/record.ts";

/** A record in the merged order. */
export interface MergedRecord {
  readonly record: StoredRecord;
  /** The leaf it claims to be; undefined when it names no leaf of a known tree. */
  readonly leaf: number | undefined;
  /** False when it stands out of order in its partition. */
  readonly isInOrder: boolean;
}

export interface MergeOptions {
  readonly tree: string;
  /** Trees with records in the same topics: theirs are passed over. The records of unknown trees are not. */
  readonly otherTrees?: readonly string[];
}

const LOOK_AHEAD = 2;

/**
 * Yields the records of `options.tree` by leaf. Each stream is one partition in offset order; all are
 * closed when the consumer stops. A stream may wait for its consumer, not for another stream.
 */
export async function* mergeByLeaf(
  streams: readonly AsyncIterable<StoredRecord>[],
  options: MergeOptions,
): AsyncGenerator<MergedRecord> {
  const others = new Set(options.otherTrees?.filter((tree) => tree !== options.tree));
  const lanes = streams.map((stream) => new Lane(stream, options.tree, others));
  try {
    await Promise.all(lanes.map((lane) => lane.fill()));
    for (;;) {
      const lane = smallest(lanes);
      const merged = lane?.take();
      if (!lane || !merged) return;
      yield merged;
      await lane.fill();
    }
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
  }
}

/** The lane whose head goes next: out of order first, then the smallest leaf. */
function smallest(lanes: readonly Lane[]): Lane | undefined {
  let best: Lane | undefined;
  for (const lane of lanes)
    if (lane.head !== undefined && (!best || lane.rank < best.rank)) best = lane;
  return best;
}

interface Held {
  readonly record: StoredRecord;
  readonly leaf: number | undefined;
}

/** One partition. */
class Lane {
  readonly #iterator: AsyncIterator<StoredRecord>;
  readonly #tree: string;
  readonly #others: ReadonlySet<string>;
  readonly #held: Held[] = [];
  #isDone = false;
  /** The highest leaf passed on in order. */
  #last = -1;
  #rank = Number.NEGATIVE_INFINITY;

  constructor(stream: AsyncIterable<StoredRecord>, tree: string, others: ReadonlySet<string>) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#tree = tree;
    this.#others = others;
  }

  get head(): Held | undefined {
    return this.#held[0];
  }

  /** The head's leaf; minus infinity when it stands out of order. */
  get rank(): number {
    return this.#rank;
  }

  async fill(): Promise<void> {
    while (!this.#isDone && this.#held.length <= LOOK_AHEAD) {
      const result = await this.#iterator.next();
      if (result.done) this.#isDone = true;
      else this.#hold(result.value);
    }
    const { head } = this;
    this.#rank = head?.leaf === undefined || this.#isOdd(head.leaf) ? -Infinity : head.leaf;
  }

  take(): MergedRecord | undefined {
    const held = this.#held.shift();
    if (!held) return undefined;
    const isInOrder = this.#rank !== Number.NEGATIVE_INFINITY;
    if (isInOrder && held.leaf !== undefined) this.#last = held.leaf;
    return { record: held.record, leaf: held.leaf, isInOrder };
  }

  async close(): Promise<void> {
    if (!this.#isDone) await this.#iterator.return?.();
    this.#isDone = true;
  }

  #hold(record: StoredRecord): void {
    const tree = record.headers[TREE_HEADER];
    if (tree !== undefined && this.#others.has(tree)) return;
    this.#held.push({ record, leaf: tree === this.#tree ? leafIndexOf(record) : undefined });
  }

  /** A head that goes back, or that both records after it would have to go back behind. */
  #isOdd(leaf: number): boolean {
    if (leaf <= this.#last) return true;
    const after = this.#held.slice(1);
    return after.length === LOOK_AHEAD && after.every((held) => this.#isBetween(held, leaf));
  }

  #isBetween({ leaf }: Held, end: number): boolean {
    return leaf !== undefined && leaf > this.#last && leaf < end;
  }
}
