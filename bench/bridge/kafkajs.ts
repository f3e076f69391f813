/**
 * What the bridge is held against: kafkajs's own idempotent producer, given the same records in the same
 * batches. It has them ready: reading them back and making its messages is not timed, only its sends are.
 * There are no transactions, no ledger, no redaction and no JetStream on this side.
 */
import { CompressionTypes, Kafka, logLevel, type Message, type Producer } from "kafkajs";
import { z } from "zod";
import { partitionOf, type StoredRecord } from "../../bridge/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { peakMegabytes } from "../memory.ts";
import type { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { openTrail, TREE } from "./site.ts";

/** One send per partition, side by side, as is safe; or one send for the batch, as people write it. */
export const Sends = z.enum(["partition", "batch"]);
export type Sends = z.infer<typeof Sends>;

export const KafkajsTask = z.object({
  brokers: z.array(z.string()),
  /** Where the bridge wrote, and where to write: topics of the same partitions. */
  from: z.string(),
  to: z.string(),
  partitions: z.number(),
  sends: Sends,
});
export type KafkajsTask = z.infer<typeof KafkajsTask>;

/** Messages of one topic's partition. */
interface Lane {
  readonly topic: string;
  readonly messages: Message[];
}

async function write(task: KafkajsTask): Promise<Run> {
  const { brokers, sends } = task;
  const producer = new Kafka({ clientId: "bench", brokers, logLevel: logLevel.ERROR }).producer({
    idempotent: true,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  let records = 0;
  let sentMs = 0;
  let cpuMicros = 0;
  for await (const batch of batchesOf(task)) {
    const lanes = lanesOf(batch, task);
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    await SEND[sends](producer, lanes);
    sentMs += performance.now() - startMs;
    const { user, system } = process.cpuUsage(cpu);
    cpuMicros += user + system;
    records += batch.length;
  }
  await producer.disconnect();
  return {
    work: { records },
    cost: {
      rate: (records * 1_000) / sentMs,
      cpu: cpuMicros / records,
      peak: await peakMegabytes(),
    },
  };
}

const SEND: Readonly<Record<Sends, (producer: Producer, lanes: Lane[]) => Promise<unknown>>> = {
  partition: (producer, lanes) =>
    Promise.all(lanes.map((lane) => producer.send({ ...lane, ...SETTINGS }))),
  batch: (producer, lanes) => producer.sendBatch({ topicMessages: byTopic(lanes), ...SETTINGS }),
};
const SETTINGS = { acks: -1, compression: CompressionTypes.None };

/** The bridge's batches: what it wrote in one transaction each, in the order of its leaves. */
async function* batchesOf({ brokers, from }: KafkajsTask): AsyncGenerator<StoredRecord[]> {
  const { signal } = new AbortController();
  await using opened = await openTrail(brokers, from, signal);
  const records = opened.trail.merged(TREE.tree);
  for await (const entry of opened.trail.ledger(TREE)) {
    if (entry instanceof PetrelError) throw entry;
    const batch: StoredRecord[] = [];
    while (batch.length < entry.size - entry.first) {
      const next = await records.next();
      if (next.done) throw new PetrelError("INCOMPLETE", "kafka: fewer records than leaves");
      // A value is a view into a block that the next one replaces.
      const { record } = next.value;
      batch.push({ ...record, value: Buffer.from(record.value) });
    }
    if (batch.length > 0) yield batch;
  }
}

function lanesOf(batch: readonly StoredRecord[], { from, to, partitions }: KafkajsTask): Lane[] {
  const lanes = new Map<string, Lane>();
  for (const { topic: source, key, value, headers, timestampMs } of batch) {
    const topic = to + source.slice(from.length);
    const partition = partitionOf(key, partitions);
    const message = { key, value, headers, partition, timestamp: String(timestampMs) };
    const place = `${topic}/${partition}`;
    const lane = lanes.get(place);
    if (lane) lane.messages.push(message);
    else lanes.set(place, { topic, messages: [message] });
  }
  return [...lanes.values()];
}

function byTopic(lanes: readonly Lane[]): Lane[] {
  const topics = new Map<string, Lane>();
  for (const { topic, messages } of lanes) {
    const known = topics.get(topic);
    if (known) known.messages.push(...messages);
    else topics.set(topic, { topic, messages: [...messages] });
  }
  return [...topics.values()];
}

if (import.meta.main) answer(await write(readTask(KafkajsTask)));
