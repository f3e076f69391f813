/**
 * The trail as Kafka has it, read_committed: what a transaction aborted was never said. Partitions are
 * read one by one where the order does not matter, and merged by leaf where it does.
 */
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { KafkaReader, PartitionOffsets } from "../kafka/reader.ts";
import { leafIndexOf, type StoredRecord, TREE_HEADER } from "../kafka/record.ts";
import { decodeLedger, type LedgerEntry } from "../ledger.ts";
import type { PlacedNote } from "../proof/checkpoints.ts";
import { type MergedRecord, mergeByLeaf } from "../proof/merge.ts";
import { hashesOf, Tree } from "../proof/merkle.ts";
import type { LeafSource } from "../proof/proofs.ts";
import { decodeRecord } from "../records/decode.ts";
import { kafkaPlaceText, placeInStream, type TrailEntry, type Unreadable } from "./entry.ts";
import { LeafOrder } from "./leaf-order.ts";

/** As much of {@link KafkaReader} as is needed here. */
export type PartitionReader = Pick<
  KafkaReader,
  "readPartition" | "readBlocks" | "lastRecord" | "offsetsOf" | "close"
>;

export interface KafkaTrailOptions {
  /** Makes a reader; each has one read under way at a time. */
  readonly newReader: () => PartitionReader;
  /** The topics of the records, parked ones included. */
  readonly topics: readonly string[];
  readonly ledgerTopic: string;
  readonly checkpointTopic: string;
  readonly signal: AbortSignal;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** A tree and the partition of the ledger that it is in. */
export interface TreeOfShard {
  readonly tree: string;
  readonly shard: number;
}

export class KafkaTrail {
  readonly #options: KafkaTrailOptions;
  readonly #readers: PartitionReader[] = [];
  readonly #free: PartitionReader[] = [];
  readonly #offsets = new Map<string, readonly PartitionOffsets[]>();
  #trees: Promise<readonly TreeOfShard[]> | undefined;

  constructor(options: KafkaTrailOptions) {
    this.#options = options;
  }

  /**
   * Settles where everything ends, while the bridge writes on: what a checkpoint says is in the ledger by
   * then, and what the ledger says among the records.
   */
  async settleEnds(): Promise<void> {
    const { checkpointTopic, ledgerTopic, topics } = this.#options;
    this.#offsets.clear();
    this.#trees = undefined;
    for (const topic of [checkpointTopic, ledgerTopic, ...topics]) await this.#offsetsOf(topic);
  }

  /** Every record, partition after partition. Throws what the reader throws. */
  async *entries(): AsyncGenerator<TrailEntry | Unreadable, void, undefined> {
    for (const place of await this.#places()) {
      for await (const record of this.#read(place, "end")) yield entryOf(record);
    }
  }

  /** The records of a tree, by leaf. */
  async *merged(tree: string): AsyncGenerator<MergedRecord, void, undefined> {
    const trees = await this.trees();
    const otherTrees = trees.map((one) => one.tree).filter((name) => name !== tree);
    const places = await this.#places();
    const streams = places.map((place) => this.#blocks(place, "end"));
    yield* mergeByLeaf(streams, { tree, otherTrees });
  }

  /** Every record that is there: tree after tree, each by leaf. */
  async *ordered(): AsyncGenerator<TrailEntry | Unreadable, void, undefined> {
    for (const { tree } of await this.trees())
      for await (const { record } of this.merged(tree)) yield entryOf(record);
  }

  /** Every record that is there, then those that come, until the signal aborts; of each tree by leaf. */
  async *follow(): AsyncGenerator<TrailEntry | Unreadable, void, undefined> {
    const { signal } = this.#options;
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const order = new LeafOrder(either);
    const places = await this.#places();
    const reading = places.map(async (place) => {
      for await (const record of this.#read(place, "follow", either)) {
        await order.put(record, record.headers[TREE_HEADER] ?? "", leafIndexOf(record));
      }
    });
    const failed = Promise.all(reading).catch((error: unknown) => order.fail(error));
    try {
      for await (const record of order.records()) yield entryOf(record);
    } finally {
      stop.abort();
      await failed;
    }
  }

  /** The trees in the ledger, in the order they were begun, shard after shard. */
  trees(): Promise<readonly TreeOfShard[]> {
    this.#trees ??= this.#readTrees();
    return this.#trees;
  }

  async #readTrees(): Promise<readonly TreeOfShard[]> {
    const { ledgerTopic } = this.#options;
    const trees: TreeOfShard[] = [];
    const partitions = await this.#offsetsOf(ledgerTopic);
    for (const { partition: shard } of partitions) {
      const known = new Set<string>();
      for await (const { key } of this.#read({ topic: ledgerTopic, partition: shard }, "end")) {
        if (known.has(key)) continue;
        known.add(key);
        trees.push({ tree: key, shard });
      }
    }
    return trees;
  }

  /** A tree's ledger; an entry that cannot be read comes as its error. */
  async *ledger({ tree, shard }: TreeOfShard): AsyncGenerator<LedgerEntry | PetrelError> {
    const { ledgerTopic: topic } = this.#options;
    for await (const record of this.#read({ topic, partition: shard }, "end")) {
      if (record.key !== tree) continue;
      try {
        yield decodeLedger(record.value, kafkaPlaceText(record));
      } catch (error) {
        if (!(error instanceof PetrelError)) throw error;
        yield error;
      }
    }
  }

  /** The last ledger entry of a shard as it is now; undefined when nothing was ever written. */
  async lastLedger(shard: number): Promise<LedgerEntry | undefined> {
    const { ledgerTopic, signal } = this.#options;
    const reader = this.#take();
    const record = await reader.lastRecord(ledgerTopic, shard, signal);
    this.#free.push(reader);
    return record && decodeLedger(record.value, kafkaPlaceText(record));
  }

  /** Leaves in a tree, as its last ledger entry says. */
  async sizeOf(place: TreeOfShard): Promise<number> {
    let size = 0;
    for await (const entry of this.#entriesOf(place)) ({ size } = entry);
    return size;
  }

  /** The root of a tree after its last ledger entry, in base64; of no leaves where there is none. */
  async rootOf(place: TreeOfShard): Promise<string> {
    let tree = new Tree();
    for await (const entry of this.#entriesOf(place)) tree = new Tree(entry.size, entry.frontier);
    return Buffer.from(tree.root()).toString("base64");
  }

  /** The root of a tree's first `size` leaves. Throws QUERY_REFUSED when the ledger does not tell it. */
  async rootAt(place: TreeOfShard, size: number): Promise<Uint8Array> {
    const { first, frontier, hashes } = await this.leaves(place);
    const tree = new Tree(first, frontier);
    if (tree.size === size) return tree.root();
    if (tree.size < size)
      for await (const chunk of hashes)
        for (const hash of hashesOf(chunk)) {
          tree.append(hash);
          if (tree.size === size) return tree.root();
        }
    throw new PetrelError(
      "QUERY_REFUSED",
      `proof: the ledger of ${place.tree} tells roots of ${first} to ${tree.size} leaves, not of ${size}`,
    );
  }

  /** A tree's leaf hashes, from the first one whose tree is known: what came before, retention has taken. */
  async leaves(place: TreeOfShard): Promise<LeafSource> {
    let start = { first: 0, frontier: new Uint8Array() };
    for await (const { first, size, frontier } of this.#entriesOf(place)) {
      if (first > 0) start = { first: size, frontier: new Uint8Array(frontier) };
      break;
    }
    const entries = this.#entriesOf(place);
    return { ...start, hashes: hashesFrom(entries, start.first) };
  }

  async *#entriesOf(place: TreeOfShard): AsyncGenerator<LedgerEntry, void, undefined> {
    for await (const entry of this.ledger(place)) if (!(entry instanceof PetrelError)) yield entry;
  }

  /** The record at a place. Throws QUERY_REFUSED when it is not there (any more). */
  async record(place: Place & { readonly offset: number }): Promise<StoredRecord> {
    const { topic, partition, offset: fromOffset } = place;
    const reader = this.#take();
    const { signal } = this.#options;
    const read = { topic, partition, fromOffset, to: "end", signal } as const;
    for await (const record of reader.readPartition(read))
      if (record.offset === fromOffset) return { ...record, value: Buffer.from(record.value) };
    throw new PetrelError("QUERY_REFUSED", `kafka: there is no record at ${kafkaPlaceText(place)}`);
  }

  /** The signed checkpoints of a tree, in order. */
  async *checkpoints(tree: string): AsyncGenerator<PlacedNote, void, undefined> {
    const { checkpointTopic: topic } = this.#options;
    for (const { partition } of await this.#offsetsOf(topic)) {
      for await (const record of this.#read({ topic, partition }, "end")) {
        if (record.key !== tree) continue;
        yield { note: record.value.toString("utf8"), place: kafkaPlaceText(record) };
      }
    }
  }

  /** How many partitions a topic of records has, by its name; 0 for another topic. */
  async partitionCounts(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const topic of this.#options.topics)
      counts.set(topic, (await this.#offsetsOf(topic)).length);
    return counts;
  }

  /**
   * From when on Kafka has to have every record of a tree: leaves written before this time may have lost
   * theirs to retention. Undefined while it has taken nothing. Milliseconds since the epoch.
   */
  async retainedFromMs(place: TreeOfShard): Promise<number | undefined> {
    const leaf = await this.#retainedFrom(place.tree);
    if (leaf === 0) return undefined;
    let atMs = Number.POSITIVE_INFINITY;
    for await (const entry of this.#entriesOf(place)) {
      ({ atMs } = entry);
      if (entry.size >= leaf) break;
    }
    return atMs + 1;
  }

  /** The first leaf from which on every partition goes back; 0 while retention has taken nothing. */
  async #retainedFrom(tree: string): Promise<number> {
    let leaf = 0;
    for (const place of await this.#places()) {
      const bounds = (await this.#offsetsOf(place.topic))[place.partition];
      if (!bounds || bounds.earliest === 0) continue;
      const first = await this.#firstOf(place, tree);
      leaf = Math.max(leaf, first ?? Number.POSITIVE_INFINITY);
    }
    return leaf;
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }

  async #firstOf(place: Place, tree: string): Promise<number | undefined> {
    for await (const record of this.#read(place, "end"))
      if (record.headers[TREE_HEADER] === tree) return leafIndexOf(record);
    return undefined;
  }

  async *#read(
    place: Place,
    to: "end" | "follow",
    signal = this.#options.signal,
  ): AsyncGenerator<StoredRecord, void, undefined> {
    for await (const records of this.#blocks(place, to, signal)) yield* records;
  }

  /** `end` is where the partition ended when this trail first looked at its topic. */
  async *#blocks(
    { topic, partition }: Place,
    to: "end" | "follow",
    signal = this.#options.signal,
  ): AsyncGenerator<readonly StoredRecord[], void, undefined> {
    const bounds = (await this.#offsetsOf(topic))[partition];
    const until = to === "end" ? (bounds?.latest ?? 0) : Number.POSITIVE_INFINITY;
    if (until <= (bounds?.earliest ?? 0)) return;
    const reader = this.#take();
    const read = { topic, partition, fromOffset: "earliest", to, signal } as const;
    for await (const records of reader.readBlocks(read)) {
      const isBeyond = (records.at(-1)?.offset ?? 0) >= until;
      yield isBeyond ? records.filter(({ offset }) => offset < until) : records;
      if (isBeyond) break;
    }
    this.#free.push(reader);
  }

  #take(): PartitionReader {
    const free = this.#free.pop();
    if (free) return free;
    const made = this.#options.newReader();
    this.#readers.push(made);
    return made;
  }

  async #places(): Promise<readonly Place[]> {
    const places: Place[] = [];
    for (const topic of this.#options.topics)
      for (const { partition } of await this.#offsetsOf(topic)) places.push({ topic, partition });
    return places;
  }

  async #offsetsOf(topic: string): Promise<readonly PartitionOffsets[]> {
    const known = this.#offsets.get(topic);
    if (known) return known;
    const reader = this.#take();
    const offsets = await reader.offsetsOf(topic, this.#options.signal);
    this.#free.push(reader);
    this.#offsets.set(topic, offsets);
    return offsets;
  }
}

async function* hashesFrom(
  entries: AsyncIterable<LedgerEntry>,
  first: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const entry of entries) if (entry.first >= first) yield entry.hashes;
}

/** A record as an entry, or why it is none. */
export function entryOf(record: StoredRecord): TrailEntry | Unreadable {
  const place = kafkaPlaceText(record);
  try {
    const { event, leaf, tree } = decodeRecord(record);
    const inStream = placeInStream(event.id);
    if (!inStream)
      return { kind: "unreadable", place, problem: "its id names no place in a stream" };
    const { topic, partition, offset } = record;
    return { ...inStream, event, kafka: { topic, partition, offset, leaf, tree } };
  } catch (error) {
    return { kind: "unreadable", place, problem: messageOf(error, 200) };
  }
}
