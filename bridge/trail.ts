/** What a bridge's start asks of Kafka. */
import type { KafkaReader } from "./kafka/reader.ts";
import { type TopicOptions, topicsOf } from "./records/topics.ts";
import type { Trail } from "./resume.ts";

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
  };
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
