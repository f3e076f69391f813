/** What a bridge's start asks of Kafka. */
import { partitionOf } from "./kafka/partition.ts";
import type { KafkaReader, PartitionOffsets } from "./kafka/reader.ts";
import { leafIndexOf, TREE_HEADER } from "./kafka/record.ts";
import { type TopicOptions, topicsOf } from "./records/topics.ts";
import type { Trail, Written } from "./resume.ts";

export function ledgerTopicOf({ prefix }: Pick<TopicOptions, "prefix">): string {
  return `${prefix}.ledger`;
}

/**
 * The trail as it stands in Kafka. A shard's first start is told from a lost ledger by its ledger
 * partition, in which nothing was ever committed; with records there, some shard's ledger must have been.
 */
export function kafkaTrail(reader: KafkaReader, topics: TopicOptions, shards: number): Trail {
  const ledger = ledgerTopicOf(topics);
  return {
    lastLedger: (shard, signal) => reader.lastRecord(ledger, shard, signal),
    isUntouched: async (shard, signal) => {
      if (await wasWritten(reader, ledger, signal, shard)) return false;
      if (shards > 1 && (await wasWritten(reader, ledger, signal))) return true;
      for (const topic of topicsOf(topics))
        if (await wasWritten(reader, topic, signal)) return false;
      return true;
    },
    writtenAlready: (tree, size, signal) =>
      writtenBeyond(reader, topicsOf(topics), { tree, size }, signal),
  };
}

/** The records of a tree beyond its ledger's size that the topics hold nevertheless; see {@link Written}. */
export async function writtenBeyond(
  reader: KafkaReader,
  topics: readonly string[],
  { tree, size }: { readonly tree: string; readonly size: number },
  signal: AbortSignal,
): Promise<Written | undefined> {
  const last = new Map<string, number>();
  const partitions = new Map<string, number>();
  for (const topic of topics) {
    const offsets = await reader.offsetsOf(topic, signal);
    partitions.set(topic, offsets.length);
    for (const one of offsets) {
      const leaf = await lastLeafOf(reader, tree, topic, one, signal);
      if (leaf !== undefined && leaf >= size) last.set(`${topic}/${one.partition}`, leaf);
    }
  }
  if (last.size === 0) return undefined;
  return {
    upTo: Math.max(...last.values()),
    has: ({ topic, key, ...record }) => {
      const partition = partitionOf(key, partitions.get(topic) ?? 1);
      const leaf = leafIndexOf(record);
      return leaf !== undefined && leaf <= (last.get(`${topic}/${partition}`) ?? -1);
    },
  };
}

/** Steps back from a partition's end: with several shards the records of others may stand behind. */
const STEPS_BACK = [4, 100, 2_500, 60_000];

/** The index of the last leaf of `tree` in a partition; undefined when there is none near its end. */
async function lastLeafOf(
  reader: KafkaReader,
  tree: string,
  topic: string,
  { partition, earliest, latest }: PartitionOffsets,
  signal: AbortSignal,
): Promise<number | undefined> {
  for (const step of STEPS_BACK) {
    const fromOffset = Math.max(earliest, latest - step);
    let found: number | undefined;
    const range = { topic, partition, fromOffset, to: "end", signal } as const;
    if (fromOffset < latest)
      for await (const record of reader.readPartition(range))
        if (record.headers[TREE_HEADER] === tree) found = leafIndexOf(record);
    if (found !== undefined || fromOffset === earliest) return found;
  }
  return undefined;
}

/**
 * True when something was committed to a topic, or to one partition of it, be it gone since. Offsets do
 * not tell: a bridge that died in its first transaction has used some of them up.
 */
async function wasWritten(
  reader: KafkaReader,
  topic: string,
  signal: AbortSignal,
  only?: number,
): Promise<boolean> {
  for (const { partition, earliest, latest } of await reader.offsetsOf(topic, signal)) {
    if (latest === 0 || (only !== undefined && partition !== only)) continue;
    if (earliest > 0 || (await reader.lastRecord(topic, partition, signal))) return true;
  }
  return false;
}
