/** The trail read from partitions in memory: order, holes, retention, and records that are none. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type StoredRecord, sequenceText } from "../../../bridge/kafka/record.ts";
import { encodeLedger } from "../../../bridge/ledger.ts";
import { leafHash, Tree } from "../../../bridge/proof/merkle.ts";
import { proveInclusion, verifyInclusion } from "../../../bridge/proof/proofs.ts";
import { makeEncoder } from "../../../bridge/records/encode.ts";
import { diffJson } from "../../../bridge/replay/diff.ts";
import { KafkaTrail, type PartitionReader } from "../../../bridge/replay/kafka.ts";
import { isUnreadable } from "../../../bridge/replay/select.ts";
import { BEGIN_MS, begun, TrailOf } from "./support.ts";

const seed = Number(process.env.PETREL_TEST_SEED ?? 1);
const TREE = "AUDIT.0";
const encode = makeEncoder({ prefix: "p", layout: "one", content: "binary", encoding: "json" });

/** Topics of partitions, each an array of records; retention takes from the front. */
class Topics {
  readonly partitions = new Map<string, StoredRecord[][]>();
  readonly taken = new Map<string, number>();
  /** Told of a reader's every wait for what is not there yet. */
  #grown = Promise.withResolvers<void>();

  put(record: Omit<StoredRecord, "offset">): void {
    const all = this.partitions.get(record.topic) ?? [];
    this.partitions.set(record.topic, all);
    while (all.length <= record.partition) all.push([]);
    const partition = all[record.partition] ?? [];
    partition.push({ ...record, offset: partition.length });
    this.#grown.resolve();
    this.#grown = Promise.withResolvers();
  }

  take(topic: string, partition: number, count: number): void {
    this.taken.set(`${topic}/${partition}`, count);
  }

  reader(): PartitionReader {
    const of = (topic: string, partition: number) => this.partitions.get(topic)?.[partition] ?? [];
    const first = (topic: string, at: number) => this.taken.get(`${topic}/${at}`) ?? 0;
    const grown = () => this.#grown.promise;
    return {
      async *readBlocks(options) {
        for await (const record of this.readPartition(options)) yield [record];
      },
      offsetsOf: async (topic) =>
        (this.partitions.get(topic) ?? []).map(({ length: latest }, partition) => ({
          partition,
          earliest: first(topic, partition),
          latest,
        })),
      lastRecord: async (topic, partition) => of(topic, partition).at(-1),
      async *readPartition({ topic, partition, fromOffset, to, signal }) {
        let at = typeof fromOffset === "number" ? fromOffset : first(topic, partition);
        for (;;) {
          const record = of(topic, partition)[at];
          if (record) at++;
          if (record) yield record;
          else if (to === "end" || signal.aborted) return;
          else await Promise.race([grown(), aborted(signal)]);
        }
      },
      close: async () => {},
    };
  }

  trail(signal = new AbortController().signal): KafkaTrail {
    return new KafkaTrail({
      newReader: () => this.reader(),
      topics: ["p", "p.dlq"],
      ledgerTopic: "p.ledger",
      checkpointTopic: "p.checkpoints",
      signal,
    });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}

/** `count` records in three partitions, and their ledger in entries of `per`. */
function trailOf(count: number, per = 4, partitionAt = (leaf: number) => leaf % 3) {
  const topics = new Topics();
  const source = new TrailOf();
  const tree = new Tree();
  let hashes: Uint8Array[] = [];
  for (const topic of ["p", "p.dlq", "p.ledger", "p.checkpoints"]) topics.partitions.set(topic, []);
  const all: StoredRecord[] = [];
  for (let leaf = 0; leaf < count; leaf++) {
    const { event } = source.add({ id: `t${leaf}.e1`, body: begun(`t${leaf}`) });
    const record = { ...encode(event, leaf, TREE, BEGIN_MS + leaf), partition: partitionAt(leaf) };
    topics.put(record);
    all.push({ ...record, offset: leaf });
    hashes.push(leafHash(record));
    tree.append(leafHash(record));
    if (tree.size % per !== 0 && tree.size !== count) continue;
    const first = tree.size - hashes.length;
    const { size, frontier } = tree;
    const entry = { tree: TREE, first, size, frontier, hashes: Buffer.concat(hashes) };
    const value = encodeLedger({ ...entry, nextSeq: size + 1, atMs: BEGIN_MS + 10 * size });
    const common = { topic: "p.ledger", partition: 0, key: TREE, headers: {} };
    topics.put({ ...common, value, timestampMs: BEGIN_MS });
    hashes = [];
  }
  return { topics, tree, all };
}

const leavesOf = (entries: readonly unknown[]) =>
  entries.map((entry) => (entry as { kafka: { leaf: number } }).kafka.leaf);
const upTo = (count: number) => Array.from({ length: count }, (_, leaf) => leaf);

describe("order", () => {
  test("by leaf when it is read in order, whatever partitions the leaves are in", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(4), { minLength: 1, maxLength: 60 }), async (partitions) => {
        const { topics } = trailOf(partitions.length, 4, (leaf) => partitions[leaf] ?? 0);
        const entries = await Array.fromAsync(topics.trail().ordered());
        expect(leavesOf(entries)).toEqual(upTo(partitions.length));
      }),
      { seed, numRuns: 50 },
    );
  });

  test("by leaf when it is followed, before and after the present end", async () => {
    const { topics } = trailOf(30);
    const stop = new AbortController();
    const leaves: number[] = [];
    for await (const entry of topics.trail(stop.signal).follow()) {
      if (!isUnreadable(entry)) leaves.push(entry.kafka?.leaf ?? -1);
      if (leaves.length === 30) {
        // Leaf 31 comes before leaf 30.
        const { all } = trailOf(32);
        for (const leaf of [31, 30]) {
          const record = all[leaf];
          if (record) topics.put(record);
        }
      }
      if (leaves.length === 32) stop.abort();
    }
    expect(leaves).toEqual(upTo(32));
  });

  test("a leaf that does not come is passed over", async () => {
    const { topics } = trailOf(12);
    topics.take("p", 0, 2);
    const stop = new AbortController();
    const leaves: number[] = [];
    for await (const entry of topics.trail(stop.signal).follow()) {
      if (!isUnreadable(entry)) leaves.push(entry.kafka?.leaf ?? -1);
      if (leaves.length === 10) stop.abort();
    }
    expect(leaves).toEqual(upTo(12).filter((leaf) => leaf !== 0 && leaf !== 3));
  }, 20_000);
});

test("what is no record of ours is named with its place, and holds nothing up", async () => {
  const { topics } = trailOf(3);
  const strange = { topic: "p", partition: 1, key: "k", headers: {}, timestampMs: 0 };
  topics.put({ ...strange, value: Buffer.from("junk") });
  const headers = { ce_tree: TREE, ce_sequence: sequenceText(2) };
  topics.put({ ...strange, headers, value: Buffer.from("\xff", "latin1") });
  const entries = await Array.fromAsync(topics.trail().entries());
  expect(entries).toHaveLength(5);
  const places = entries.filter(isUnreadable).map(({ place }) => place);
  expect(places).toEqual(["p/1/1", "p/1/2"]);
});

describe("the end", () => {
  test("is where a topic ended at the first look, and moves when it is settled again", async () => {
    const { topics } = trailOf(6);
    const trail = topics.trail();
    expect(await Array.fromAsync(trail.entries())).toHaveLength(6);
    const more = trailOf(9).all.slice(6);
    for (const record of more) topics.put(record);
    expect(await Array.fromAsync(trail.entries())).toHaveLength(6);
    await trail.settleEnds();
    expect(await Array.fromAsync(trail.entries())).toHaveLength(9);
  });
});

describe("the ledger", () => {
  test("tells roots and proofs of every size", async () => {
    const { topics, tree, all } = trailOf(11);
    const trail = topics.trail();
    const place = { tree: TREE, shard: 0 };
    expect(await trail.trees()).toEqual([place]);
    expect(await trail.sizeOf(place)).toBe(11);
    expect(await trail.rootOf(place)).toBe(Buffer.from(tree.root()).toString("base64"));
    for (let size = 1; size <= 11; size++) {
      const root = await trail.rootAt(place, size);
      const proof = await proveInclusion(await trail.leaves(place), size - 1, size);
      const record = all[size - 1];
      expect(record && verifyInclusion(leafHash(record), size - 1, size, root, proof)).toBe(true);
    }
    await expect(trail.rootAt(place, 12)).rejects.toThrow(/roots of 0 to 11 leaves, not of 12/);
  });

  test("goes on from its first frontier when retention took its beginning", async () => {
    const { topics, tree } = trailOf(11);
    topics.take("p.ledger", 0, 1);
    const trail = topics.trail();
    const place = { tree: TREE, shard: 0 };
    expect((await trail.leaves(place)).first).toBe(8);
    expect(await trail.rootAt(place, 11)).toEqual(tree.root());
    await expect(trail.rootAt(place, 7)).rejects.toThrow(/not of 7/);
  });

  test("an entry that cannot be read comes as its error", async () => {
    const { topics } = trailOf(4);
    const common = { topic: "p.ledger", partition: 0, key: TREE, headers: {}, timestampMs: 0 };
    topics.put({ ...common, value: Buffer.from("{}") });
    const entries = await Array.fromAsync(topics.trail().ledger({ tree: TREE, shard: 0 }));
    expect(entries.map((entry) => entry instanceof Error)).toEqual([false, true]);
  });
});

describe("retention", () => {
  const place = { tree: TREE, shard: 0 };

  test("that took nothing excuses nothing", async () => {
    expect(await trailOf(12).topics.trail().retainedFromMs(place)).toBeUndefined();
  });

  test("excuses leaves up to the last batch that may have lost a record", async () => {
    const { topics } = trailOf(12);
    // Of partition 1 leaves 1 and 4 are gone; leaf 7 is the first that is there, in the second batch.
    topics.take("p", 1, 2);
    expect(await topics.trail().retainedFromMs(place)).toBe(BEGIN_MS + 80 + 1);
  });

  test("that took a whole partition excuses all", async () => {
    const { topics } = trailOf(12);
    topics.take("p", 1, 4);
    expect(await topics.trail().retainedFromMs(place)).toBe(BEGIN_MS + 120 + 1);
  });
});

test("a record is found by its place, or refused", async () => {
  const { topics, all } = trailOf(5);
  const found = await topics.trail().record({ topic: "p", partition: 1, offset: 1 });
  expect(found.value).toEqual(all[4]?.value ?? Buffer.of());
  const beyond = topics.trail().record({ topic: "p", partition: 1, offset: 9 });
  await expect(beyond).rejects.toThrow("there is no record at p/1/9");
});

describe("differences", () => {
  const value = fc.jsonValue({ maxDepth: 4 });

  test("there are none exactly between equal values", () => {
    fc.assert(
      fc.property(value, value, (one, other) => {
        const [a, b] = [JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other))];
        expect(diffJson(a, structuredClone(a))).toEqual({ differences: [], leftOut: 0 });
        const isSame = Bun.deepEquals(a, b, true);
        expect(diffJson(a, b).differences.length === 0).toBe(isSame);
      }),
      { seed },
    );
  });

  test("are named by their paths, a hundred of them", () => {
    const ours = { a: [1, { b: 2 }], c: null };
    const theirs = { a: [1, { b: 3 }, 4], c: undefined, __proto__: { d: 1 } };
    expect(diffJson(ours, theirs).differences).toEqual([
      { path: "a[1].b", ours: 2, theirs: 3 },
      { path: "a[2]", ours: undefined, theirs: 4 },
      { path: "c", ours: null, theirs: undefined },
    ]);
    const many = diffJson(upTo(150), upTo(150).reverse());
    expect([many.differences.length, many.leftOut]).toEqual([100, 50]);
  });
});
