/** A trail as an honest bridge writes it, in memory, for tests to read back or to tamper with. */
import type { StoredRecord } from "../../../bridge/kafka/record.ts";
import { SEQUENCE_HEADER, sequenceText, TREE_HEADER } from "../../../bridge/kafka/record.ts";
import type { LedgerEntry } from "../../../bridge/ledger.ts";
import type { PlacedNote } from "../../../bridge/proof/checkpoints.ts";
import { generateKey, parseSigner } from "../../../bridge/proof/keys.ts";
import { mergeByLeaf } from "../../../bridge/proof/merge.ts";
import { leafHash, Tree } from "../../../bridge/proof/merkle.ts";
import { originOf, parseVkey, signCheckpoint } from "../../../bridge/proof/note.ts";
import type { Trail } from "../../../bridge/proof/verify.ts";
import { Random } from "../../../sim/mod.ts";

export const TREE = "AUDIT.0";
export const OTHER_TREE = "AUDIT.1";
export const START_MS = Date.parse("2026-11-20T00:00:00.000Z");
export const PARTITIONS = 3;
export const TOPICS = ["audit.requests", "audit.responses", "audit.notices"] as const;

const key = generateKey("petrel/AUDIT");
export const signer = parseSigner(key.line, "test key");
export const verifier = parseVkey(key.vkey, "test key");

/** Everything of a trail, as it lies in Kafka and outside it. */
export interface Draft {
  /** Each topic's partitions, one after the other: `TOPICS.length * PARTITIONS` lists in offset order. */
  readonly lanes: StoredRecord[][];
  readonly ledger: LedgerEntry[];
  readonly kafka: PlacedNote[];
  readonly outside: PlacedNote[];
}

/** A generator of numbers below a bound, the same for the same seed. */
export function makeRandom(seed: number): (below: number) => number {
  const random = new Random(seed);
  return (below) => Math.floor(random.fraction() * below);
}

export function partitionOf(topic: string, recordKey: string): number {
  return Bun.hash.crc32(`${topic} ${recordKey}`) % PARTITIONS;
}

/** The list of {@link Draft.lanes} that holds a topic's partition. */
export function laneOf(topic: string, partition: number): number {
  return TOPICS.findIndex((one) => one === topic) * PARTITIONS + partition;
}

export function makeRecord(leaf: number, topic: string, recordKey: string): StoredRecord {
  return {
    topic,
    key: recordKey,
    value: Buffer.from(`{"leaf":${leaf},"text":"Überweisung ${leaf}"}`),
    headers: {
      "content-type": "application/json",
      ce_id: `AUDIT:${leaf + 1}.0`,
      ce_type: "io.petrel.a2a.request",
      [SEQUENCE_HEADER]: sequenceText(leaf),
      [TREE_HEADER]: TREE,
    },
    timestampMs: START_MS + leaf * 10,
    partition: partitionOf(topic, recordKey),
    offset: 0,
  };
}

/** Batches of 1 to 8 records, a checkpoint after every third; the last two batches are not signed. */
export function buildTrail(seed: number, batches = 14): Draft {
  const random = makeRandom(seed);
  const lanes: StoredRecord[][] = TOPICS.flatMap(() =>
    Array.from({ length: PARTITIONS }, () => []),
  );
  const ledger: LedgerEntry[] = [];
  const notes: string[] = [];
  const tree = new Tree();
  for (let batch = 0; batch < batches; batch++) {
    const first = tree.size;
    const hashes: Uint8Array[] = [];
    for (let count = 1 + random(8); count > 0; count--) {
      const topic = TOPICS[random(TOPICS.length)] ?? TOPICS[0];
      const record = makeRecord(tree.size, topic, `ctx-${random(6)}`);
      lanes[laneOf(topic, record.partition)]?.push(record);
      hashes.push(leafHash(record));
      tree.append(leafHash(record));
    }
    const nextSeq = 10 * (batch + 1);
    const atMs = START_MS + batch * 1_000;
    const { size, frontier } = tree;
    ledger.push({
      tree: TREE,
      first,
      size,
      hashes: Buffer.concat(hashes),
      frontier,
      nextSeq,
      atMs,
    });
    if (batch % 3 === 2 && batch < batches - 2) notes.push(signedNote(tree, atMs, nextSeq));
  }
  for (const lane of lanes) numberOffsets(lane);
  const placed = (where: string) =>
    notes.map((note, offset) => ({ note, place: `${where}/0/${offset}` }));
  return { lanes, ledger, kafka: placed("audit.checkpoints"), outside: placed("checkpoints.txt") };
}

export function signedNote(tree: Tree, atMs: number, nextSeq: number): string {
  const checkpoint = { origin: originOf(TREE), size: tree.size, root: tree.root(), atMs, nextSeq };
  return signCheckpoint(checkpoint, [signer]);
}

/** Kafka numbers what it holds; whoever rewrites a partition gets whole numbers too. */
export function numberOffsets(lane: StoredRecord[]): void {
  for (const [offset, record] of lane.entries()) lane[offset] = { ...record, offset };
}

/** The draft as verifyTrail reads it. */
export function trailOf(draft: Draft): Trail {
  const streams = draft.lanes.map(blocksOf);
  return {
    tree: TREE,
    ledger: streamOf(draft.ledger),
    records: mergeByLeaf(streams, { tree: TREE, otherTrees: [OTHER_TREE] }),
    checkpoints: streamOf(draft.kafka),
    outside: streamOf(draft.outside),
    verifiers: [verifier],
    partitionOf,
  };
}

/** The items in blocks of 1, 2, 3, 1, … items, as partitions are read. */
export async function* blocksOf<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let at = 0, size = 1; at < items.length; at += size, size = (size % 3) + 1)
    yield items.slice(at, at + size);
}

export async function* streamOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

/** A clock that stands a day after the trail's start. */
export const clock = {
  nowMs: () => START_MS + 86_400_000,
  sleep: () => Promise.resolve(),
};
