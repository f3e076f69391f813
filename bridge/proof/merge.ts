/**
 * Merges the records of all partitions into the order of their leaves. A partition holds its leaves in
 * rising order, so the merge waits for nothing but the smallest head; a record that breaks the order of its
 * partition is passed on at once, marked, and holds nobody up.
 *
 * A block of each partition is in memory, and the next one when fewer than three records of it are left: two
 * look-aheads tell a record that claims a leaf far ahead from many that would seem to come late.
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
 * Yields the records of `options.tree` by leaf. Each stream is one partition in offset order, in blocks of any
 * size; all are closed when the consumer stops. A stream may wait for its consumer, not for another stream.
 */
export async function* mergeByLeaf(
  streams: readonly AsyncIterable<readonly StoredRecord[]>[],
  options: MergeOptions,
): AsyncGenerator<MergedRecord> {
  const others = new Set(options.otherTrees?.filter((tree) => tree !== options.tree));
  const lanes = streams.map((stream) => new Lane(stream, options.tree, others));
  try {
    await Promise.all(lanes.map((lane) => lane.fill()));
    let filled = lanes.filter(({ head }) => head);
    for (let lane = smallest(filled); lane; lane = smallest(filled)) {
      const merged = lane.take();
      if (merged) yield merged;
      if (lane.isShort) await lane.fill();
      if (!lane.head) filled = filled.filter(({ head }) => head);
    }
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
  }
}

/** The lane whose head goes next: out of order first, then the smallest leaf. */
function smallest(lanes: readonly Lane[]): Lane | undefined {
  let best: Lane | undefined;
  for (const lane of lanes) if (!best || lane.rank < best.rank) best = lane;
  return best;
}

interface Held {
  readonly record: StoredRecord;
  readonly leaf: number | undefined;
}

/** One partition. */
class Lane {
  readonly #iterator: AsyncIterator<readonly StoredRecord[]>;
  readonly #tree: string;
  readonly #others: ReadonlySet<string>;
  /** What was read; from {@link #at} on it is still to go. */
  #held: Held[] = [];
  #at = 0;
  #isDone = false;
  /** The highest leaf passed on in order. */
  #last = -1;
  #rank = Number.NEGATIVE_INFINITY;

  constructor(
    stream: AsyncIterable<readonly StoredRecord[]>,
    tree: string,
    others: ReadonlySet<string>,
  ) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#tree = tree;
    this.#others = others;
  }

  get head(): Held | undefined {
    return this.#held[this.#at];
  }

  /** The head's leaf; minus infinity when it stands out of order. */
  get rank(): number {
    return this.#rank;
  }

  /** True when there is more to read, and too little in memory to tell where the head belongs. */
  get isShort(): boolean {
    return !this.#isDone && this.#held.length - this.#at <= LOOK_AHEAD;
  }

  async fill(): Promise<void> {
    while (this.isShort) {
      const result = await this.#iterator.next();
      if (result.done) this.#isDone = true;
      else this.#hold(result.value);
    }
    this.#look();
  }

  take(): MergedRecord | undefined {
    const held = this.#held[this.#at++];
    if (!held) return undefined;
    const { record, leaf } = held;
    const isInOrder = this.#rank !== Number.NEGATIVE_INFINITY;
    if (isInOrder && leaf !== undefined) this.#last = leaf;
    if (!this.isShort) this.#look();
    return { record, leaf, isInOrder };
  }

  async close(): Promise<void> {
    if (!this.#isDone) await this.#iterator.return?.();
    this.#isDone = true;
  }

  #hold(records: readonly StoredRecord[]): void {
    const held = this.#held.slice(this.#at);
    for (const record of records) {
      const tree = record.headers[TREE_HEADER];
      if (tree !== undefined && this.#others.has(tree)) continue;
      held.push({ record, leaf: tree === this.#tree ? leafIndexOf(record) : undefined });
    }
    this.#held = held;
    this.#at = 0;
  }

  #look(): void {
    const leaf = this.head?.leaf;
    this.#rank = leaf === undefined || this.#isOdd(leaf) ? Number.NEGATIVE_INFINITY : leaf;
  }

  /** A head that goes back, or that both records after it would have to go back behind. */
  #isOdd(leaf: number): boolean {
    if (leaf <= this.#last) return true;
    const [next, second] = [this.#held[this.#at + 1], this.#held[this.#at + 2]];
    return !!next && !!second && this.#isBetween(next, leaf) && this.#isBetween(second, leaf);
  }

  #isBetween({ leaf }: Held, end: number): boolean {
    return leaf !== undefined && leaf > this.#last && leaf < end;
  }
}
