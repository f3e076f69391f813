/** A batch taken apart by partition: what the sink sends side by side, and in which order within each. */
import { PetrelError } from "../../core/mod.ts";
import { partitionOf } from "./partition.ts";
import type { KafkaRecord } from "./record.ts";

/** A record whose partition is the writer's choice. */
export type PlacedRecord = KafkaRecord & { readonly partition: number };

export interface SinkBatch {
  /** Partitioned by key; records of one partition stay in this order. */
  readonly records: readonly KafkaRecord[];
  readonly ledger: PlacedRecord;
  /** Checkpoints and the like; after the records in their partition. */
  readonly extra?: readonly (KafkaRecord & { readonly partition?: number })[] | undefined;
}

/** Records of one partition, in order. */
export interface Lane {
  readonly topic: string;
  readonly partition: number;
  readonly records: KafkaRecord[];
}

/**
 * The lanes of a batch, given how many partitions each topic has. Throws INTERNAL for a record whose topic or
 * partition is not among them: it could not be written in the same transaction.
 */
export function lanesOf(
  { records, ledger, extra = [] }: SinkBatch,
  topics: ReadonlyMap<string, number>,
): readonly Lane[] {
  const lanes = new Map<string, Lane>();
  for (const record of records) place(lanes, topics, record, undefined);
  for (const record of [...extra, ledger]) place(lanes, topics, record, record.partition);
  return [...lanes.values()];
}

function place(
  lanes: Map<string, Lane>,
  topics: ReadonlyMap<string, number>,
  record: KafkaRecord,
  chosen: number | undefined,
): void {
  const { topic, key } = record;
  const partitions = topics.get(topic) ?? 0;
  const partition = chosen ?? (partitions > 0 ? partitionOf(key, partitions) : 0);
  if (partition >= partitions) {
    const message = `kafka sink: a record for ${topic}[${partition}], which is not one of its partitions`;
    throw new PetrelError("INTERNAL", message, { topic, partition });
  }
  const name = laneName(topic, partition);
  const lane = lanes.get(name);
  if (lane) lane.records.push(record);
  else lanes.set(name, { topic, partition, records: [record] });
}

export function laneName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
