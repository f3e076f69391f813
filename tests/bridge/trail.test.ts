/** What a first start asks of a real Kafka: was anything ever committed there? */
import { expect } from "bun:test";
import { KafkaReader, KafkaSink, kafkaTrail, ledgerTopicOf, topicsOf } from "../../bridge/mod.ts";
import { sharedKafka, testWithKafka } from "../support/kafka.ts";
import { clientOf, ledgerOf, recordsOf, refusal } from "./kafka/support.ts";

const test = await testWithKafka();
const { signal } = new AbortController();
const PARTITIONS = 2;
const SMALL = { "max.message.bytes": "1000" };

test("a first transaction that was aborted has left nothing, one that was committed has", async () => {
  const { brokers, prefix, createTopics } = await sharedKafka();
  const topics = { prefix: `${prefix}audit`, layout: "split" } as const;
  const ledger = ledgerTopicOf(topics);
  const [requests = "", responses = "", ...others] = topicsOf(topics);
  const partitions = (topic: string) => (topic === ledger ? 1 : PARTITIONS);
  const all = [requests, responses, ...others, ledger];
  await createTopics(
    all.map((topic) => ({
      topic,
      partitions: partitions(topic),
      config: topic === responses ? SMALL : {},
    })),
  );
  const client = await clientOf(brokers);
  const counts = new Map(all.map((topic) => [topic, partitions(topic)]));
  const open = async () => {
    const sink = new KafkaSink({ client, transactionalId: `${prefix}bridge.0`, topics: counts });
    await sink.open(signal);
    return sink;
  };
  const reader = new KafkaReader({ client });
  const trail = kafkaTrail(reader, topics, 1);
  const good = { records: recordsOf(requests, 0, 20), ledger: ledgerOf(ledger, 20) };
  const tooLarge = recordsOf(responses, 20, 1, 5_000);

  const dying = await open();
  await refusal(dying.commit({ ...good, records: [...good.records, ...tooLarge] }, signal));
  const sink = await open();
  const used = await client.withAdmin((admin) => admin.fetchTopicOffsets(requests), signal);
  expect(used.some(({ high }) => Number(high) > 0)).toBe(true);
  expect(await trail.lastLedger(0, signal)).toBeUndefined();
  expect(await trail.isUntouched(0, signal)).toBe(true);

  await sink.commit(good, signal);
  await sink.close();
  // A commit is visible a moment after its answer; once the next sink is open, for certain.
  await (await open()).close();
  expect(await trail.lastLedger(0, signal)).toMatchObject({ topic: ledger });
  expect(await trail.isUntouched(0, signal)).toBe(false);
  await reader.close();
});
