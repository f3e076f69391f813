import { beforeAll, expect, test } from "bun:test";
import type { KafkaClient } from "../../../bridge/kafka/client.ts";
import { KafkaReader } from "../../../bridge/kafka/reader.ts";
import type { StoredRecord } from "../../../bridge/kafka/record.ts";
import { KafkaSink } from "../../../bridge/kafka/sink.ts";
import { type SharedKafka, sharedKafka, startKafka } from "../../support/kafka.ts";
import { until } from "../../support/until.ts";
import { clientOf, indexOf, ledgerOf, readTopic, recordsOf, refusal } from "./support.ts";

const { signal } = new AbortController();

let kafka: SharedKafka;
let client: KafkaClient;

beforeAll(async () => {
  kafka = await sharedKafka();
  client = await clientOf(kafka.brokers);
}, 60_000);

async function makeTopic(name: string): Promise<string> {
  const topic = `${kafka.prefix}${name}`;
  await kafka.createTopics([{ topic }, { topic: `${topic}-ledger` }]);
  return topic;
}

async function openSink(topic: string, from = client): Promise<KafkaSink> {
  const topics = new Map([
    [topic, 1],
    [`${topic}-ledger`, 1],
  ]);
  const sink = new KafkaSink({ client: from, transactionalId: topic, topics });
  await sink.open(signal);
  return sink;
}

function batchOf(topic: string, from: number, count: number) {
  return {
    records: recordsOf(topic, from, count),
    ledger: ledgerOf(`${topic}-ledger`, from + count),
  };
}

async function indexesOf(records: AsyncIterable<StoredRecord>): Promise<number[]> {
  const indexes: number[] = [];
  for await (const record of records) indexes.push(indexOf(record));
  return indexes;
}

function numbers(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

test("reading begins where it is told to, also in the middle of a batch, and ends at the end", async () => {
  const topic = await makeTopic("from");
  const sink = await openSink(topic);
  await sink.commit(batchOf(topic, 0, 100), signal);
  await sink.commit(batchOf(topic, 100, 100), signal);
  await sink.close();
  // Before the first stands the marker of the sink's fence.
  const first = (await readTopic(client, topic))[0]?.offset ?? -1;
  expect(first).toBe(1);

  const reader = new KafkaReader({ client, blockBytesMax: 4_096 });
  const read = (fromOffset: number | "earliest" | "latest") =>
    indexesOf(reader.readPartition({ topic, partition: 0, fromOffset, to: "end", signal }));
  expect(await read("earliest")).toEqual(numbers(0, 200));
  expect(await read(first + 37)).toEqual(numbers(37, 163));
  expect(await read("latest")).toEqual([]);
  // Behind the first hundred stands the marker that ends their transaction.
  expect(await read(first + 100)).toEqual(numbers(100, 100));
  expect(await reader.offsetsOf(topic, signal)).toEqual([
    { partition: 0, earliest: 0, latest: first + 202 },
  ]);
  for (const offset of [-5, first + 203]) {
    const error = await refusal(read(offset));
    expect(error.code).toBe("QUERY_REFUSED");
    expect(error.message).toContain(`no offset ${offset}: the log holds 0 to ${first + 202}`);
  }
  await reader.close();
});

test("following goes on with what arrives later, and stops when told to", async () => {
  const topic = await makeTopic("follow");
  const stop = new AbortController();
  const reader = new KafkaReader({ client });
  const seen: number[] = [];
  const range = { topic, partition: 0, fromOffset: "latest", to: "follow" } as const;
  const following = (async () => {
    for await (const record of reader.readPartition({ ...range, signal: stop.signal })) {
      seen.push(indexOf(record));
    }
  })();
  const sink = await openSink(topic);
  await until("following has begun", async () => {
    await sink.commit(batchOf(topic, 0, 1), signal);
    return seen.length > 0;
  });
  await sink.commit(batchOf(topic, 1, 50), signal);
  await until("all is seen", () => seen.length >= 50 && seen.at(-1) === 50);
  stop.abort();
  expect((await refusal(following)).code).toBe("CANCELLED");
  await sink.close();
  await reader.close();
  expect(seen.filter((index) => index > 0)).toEqual(numbers(1, 50));
});

test("an empty partition has no last record", async () => {
  const topic = await makeTopic("empty");
  const reader = new KafkaReader({ client });
  expect(await reader.lastRecord(topic, 0, signal)).toBeUndefined();
  await reader.close();
});

test("a topic that is not there is said so when patience ends", async () => {
  const reader = new KafkaReader({ client, patienceMs: 300 });
  const error = await refusal(reader.lastRecord(`${kafka.prefix}nowhere`, 0, signal));
  await reader.close();
  expect(error.code).toBe("UNAVAILABLE");
  expect(error.message).toContain(`${kafka.prefix}nowhere`);
});

test("nobody at the address is UNAVAILABLE when patience ends", async () => {
  const lonely = await clientOf(["127.0.0.1:1"], 500);
  const reader = new KafkaReader({ client: lonely, patienceMs: 300 });
  const error = await refusal(reader.lastRecord("any", 0, signal));
  await reader.close();
  expect(error.code).toBe("UNAVAILABLE");
});

test("a read goes on where it was when the broker is killed under it", async () => {
  await using own = await startKafka();
  await own.createTopics([{ topic: "t" }, { topic: "t-ledger" }]);
  const ownClient = await clientOf(own.brokers, 3_000);
  const sink = await openSink("t", ownClient);
  for (let from = 0; from < 2_000; from += 500) await sink.commit(batchOf("t", from, 500), signal);
  await sink.close();
  await readTopic(ownClient, "t");

  const reader = new KafkaReader({ client: ownClient, blockBytesMax: 8_192, patienceMs: 60_000 });
  const seen: number[] = [];
  const range = { topic: "t", partition: 0, fromOffset: "earliest", to: "end", signal } as const;
  for await (const record of reader.readPartition(range)) {
    seen.push(indexOf(record));
    if (seen.length !== 700) continue;
    await own.kill9();
    await own.restart();
  }
  await reader.close();
  expect(seen).toEqual(numbers(0, 2_000));
}, 90_000);
