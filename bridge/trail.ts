/** What a bridge's start asks of Kafka. */
import type { KafkaReader } from "./kafka/reader.ts";
import { type TopicOptions, topicsOf } from "./records/topics.ts";
import type { Trail } from "./resume.ts";

export function ledgerTopicOf({ prefix }: Pick<TopicOptions, "prefix">): string {
  return `${prefix}.ledger`;
}

/**
 * The trail as it stands in Kafka. A shard's first start is told from a lost ledger by its ledger
 * partition, which was never written to; with records there, some shard's ledger must have been.
 */
export function kafkaTrail(reader: KafkaReader, topics: TopicOptions, shards: number): Trail {
  const ledger = ledgerTopicOf(topics);
  return {
    lastLedger: (shard, signal) => reader.lastRecord(ledger, shard, signal),
    isUntouched: async (shard, signal) => {
      const written = (await reader.offsetsOf(ledger, signal)).map(({ latest }) => latest > 0);
      if (written[shard]) return false;
      if (shards > 1 && written.includes(true)) return true;
      for (const topic of topicsOf(topics))
        if ((await reader.offsetsOf(topic, signal)).some(({ latest }) => latest > 0)) return false;
      return true;
    },
  };
}
