/** What the tests of the Kafka side share: records to write, and everything read back. */
import { type KafkaClient, kafkaClient } from "../../../bridge/kafka/client.ts";
import type { PlacedRecord } from "../../../bridge/kafka/lanes.ts";
import { KafkaReader } from "../../../bridge/kafka/reader.ts";
import {
  type KafkaRecord,
  SEQUENCE_HEADER,
  type StoredRecord,
  sequenceText,
  TREE_HEADER,
} from "../../../bridge/kafka/record.ts";
import { PetrelError } from "../../../core/mod.ts";
import { until } from "../../support/until.ts";

const TIMEOUT_MS = 10_000;
/** ListOffsets' names. */
const LATEST = -1;
const READ_UNCOMMITTED = 0;
/** Recent: a broker's default retention deletes old records by their own time. */
const TIME_MS = Date.now();

export function clientOf(brokers: readonly string[], timeoutMs = TIMEOUT_MS): Promise<KafkaClient> {
  return kafkaClient({ brokers, clientId: "petrel-test", timeoutMs });
}

export const TREE = "AUDIT.0";

/** Record `index`, leaf `index` of {@link TREE}; every tenth key is the same. */
export function recordOf(topic: string, index: number, bytes = 100): KafkaRecord {
  return {
    topic,
    key: `context-${index % 10}`,
    value: Buffer.from(String(index).padEnd(bytes, " ")),
    headers: {
      ce_specversion: "1.0",
      ce_id: `AUDIT:${index}.0`,
      ce_type: "dev.petrel.test",
      [TREE_HEADER]: TREE,
      [SEQUENCE_HEADER]: sequenceText(index),
    },
    timestampMs: TIME_MS + index,
  };
}

export function recordsOf(topic: string, from: number, count: number, bytes = 100): KafkaRecord[] {
  return Array.from({ length: count }, (_, index) => recordOf(topic, from + index, bytes));
}

export function ledgerOf(topic: string, next: number, partition = 0): PlacedRecord {
  const value = Buffer.from(JSON.stringify({ next }));
  return { topic, partition, key: "tree", value, headers: {}, timestampMs: TIME_MS };
}

/** The number a record of {@link recordOf} bears. */
export function indexOf({ value }: Pick<KafkaRecord, "value">): number {
  return Number(value.toString());
}

/** Everything committed in a topic, partition by partition, once every transaction on it is decided. */
export async function readTopic(client: KafkaClient, topic: string): Promise<StoredRecord[]> {
  const reader = new KafkaReader({ client });
  const { signal } = new AbortController();
  try {
    await untilDecided(client, reader, topic);
    const records: StoredRecord[] = [];
    for (const { partition } of await reader.offsetsOf(topic, signal)) {
      const range = { topic, partition, fromOffset: "earliest", to: "end", signal } as const;
      for await (const record of reader.readPartition(range)) records.push(record);
    }
    return records;
  } finally {
    await reader.close();
  }
}

/** Waits until every transaction on a topic has its markers. */
export function untilDecided(
  client: KafkaClient,
  reader: KafkaReader,
  topic: string,
): Promise<void> {
  return until(`${topic} is decided`, () => isDecided(client, reader, topic));
}

/** A commit is answered before its markers are in the partitions; until then a reader stops before it. */
async function isDecided(client: KafkaClient, reader: KafkaReader, topic: string) {
  const { signal } = new AbortController();
  try {
    const ends = await highWatermarks(client, topic);
    const stable = await reader.offsetsOf(topic, signal);
    return stable.length > 0 && stable.every(({ partition, latest }) => ends[partition] === latest);
  } catch {
    return false; // A leader has just moved, or is not back yet.
  }
}

/** Where each partition ends, undecided records included: kafkajs's admin asks read_committed. */
async function highWatermarks(client: KafkaClient, topic: string): Promise<number[]> {
  const { signal } = new AbortController();
  const cluster = client.cluster();
  try {
    await cluster.connect(signal);
    await cluster.load([topic], signal);
    const ends: number[] = [];
    for (let partition = 0; partition < cluster.partitionCount(topic); partition++) {
      const leader = await cluster.leaderOf(topic, partition, signal);
      const partitions = [{ partition, timestamp: LATEST }];
      const request = {
        isolationLevel: READ_UNCOMMITTED,
        topics: [{ topic, partitions }],
      } as const;
      const { responses } = await leader.listOffsets(request);
      ends.push(Number(responses[0]?.partitions[0]?.offset));
    }
    return ends;
  } finally {
    await cluster.close();
  }
}

/** The error of ours that `work` rejects with; anything else fails the test. */
export async function refusal(work: Promise<unknown>): Promise<PetrelError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof PetrelError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** The records each key got, in order: what must equal what was written. */
export function byKey(records: readonly KafkaRecord[]): Record<string, number[]> {
  const keys: Record<string, number[]> = {};
  for (const record of records) {
    keys[record.key] ??= [];
    keys[record.key]?.push(indexOf(record));
  }
  return keys;
}
