/**
 * A partition's leader moves while a send is under way: what kafkajs's own producer makes of it, and what the
 * sink does. Each side knows the leaders of before; the move happens before its request arrives, which is the
 * middle of the send whatever the clocks do.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Admin, type ITopicConfig, Kafka, logLevel, Partitioners } from "kafkajs";
import type { KafkaClient } from "../../../bridge/kafka/client.ts";
import { KafkaSink } from "../../../bridge/kafka/sink.ts";
import { type KafkaServer, startKafka } from "../../support/kafka.ts";
import { until } from "../../support/until.ts";
import { byKey, clientOf, ledgerOf, readTopic, recordsOf, refusal } from "./support.ts";

const LEDGER = "ledger";
/** How often the sink is hit before the leaders come to rest, and what it writes after that. */
const FAILURES = 3;
const COMMITS_AFTER = 5;
/** kafkajs's loss is a race of two leaders' answers: it is tried until it happens. */
const ATTEMPTS = 12;
const { signal } = new AbortController();

let kafka: KafkaServer;
let client: KafkaClient;

beforeAll(async () => {
  kafka = await startKafka({ nodes: 3 });
  client = await clientOf(kafka.brokers);
  await create({ topic: LEDGER, numPartitions: 1, replicationFactor: 3 });
}, 120_000);

afterAll(async () => {
  await kafka?.[Symbol.asyncDispose]();
});

/** Partition 0 led by node 1, partition 1 by node 2. */
async function makeTopic(topic: string): Promise<void> {
  await create({ topic, numPartitions: 2, replicationFactor: 1 });
  await lead(topic, 0, 1);
  await lead(topic, 1, 2);
}

/** Makes a topic and waits until every node knows of it. */
async function create(config: ITopicConfig): Promise<void> {
  const { topic, numPartitions } = config;
  await client.withAdmin(
    (admin) => admin.createTopics({ topics: [config], waitForLeaders: false }),
    signal,
  );
  for (const broker of kafka.brokers) {
    const one = await clientOf([broker]);
    await until(`${broker} knows ${topic}`, () =>
      one.withAdmin(async (admin) => {
        const known = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined);
        const partitions = known?.topics[0]?.partitions ?? [];
        return partitions.filter(({ leader }) => leader > 0).length === numPartitions;
      }, signal),
    );
  }
}

/** Node 1, which also leads partition 0, takes partition 1 over. */
function moveSecond(topic: string): Promise<void> {
  return lead(topic, 1, 1);
}

/** Gives a partition to `node`, which copies it first and then leads it. */
async function lead(topic: string, partition: number, node: number): Promise<void> {
  const topics = [{ topic, partitionAssignment: [{ partition, replicas: [node] }] }];
  const isThere = async (admin: Admin) => {
    try {
      await admin.alterPartitionReassignments({ topics });
      const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
      const all = metadata.topics[0]?.partitions ?? [];
      const found = all.find(({ partitionId }) => partitionId === partition);
      return found?.leader === node && found.replicas.length === 1;
    } catch {
      return false; // The node that was asked does not know the topic yet.
    }
  };
  await client.withAdmin(
    (admin) => until(`node ${node} leads ${topic}[${partition}]`, () => isThere(admin)),
    signal,
  );
}

/** kafkajs's producer in a transaction, warm: it knows who leads. */
async function transactionOf(topic: string) {
  const kafkajs = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
  const producer = kafkajs.producer({
    transactionalId: `kafkajs-${topic}`,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const warm = await producer.transaction();
  await warm.send({ topic, acks: -1, messages: messages("warm") });
  await warm.commit();
  return { producer, transaction: await producer.transaction() };
}

function messages(value: string) {
  return [0, 1].map((partition) => ({ partition, key: `key-${partition}`, value }));
}

async function valuesIn(topic: string, partition: number): Promise<string[]> {
  const stored = await readTopic(client, topic);
  const found = stored.filter((record) => record.partition === partition);
  return found.map(({ value }) => value.toString());
}

/**
 * One send over both partitions, the second of which has moved: the partitions that kafkajs says were answered,
 * or undefined when it refused. A record is lost when the leader that stayed answers before the other refuses;
 * when it answers after, kafkajs sends everything again and loses nothing.
 */
async function sendSpanning(topic: string): Promise<number[] | undefined> {
  const { producer, transaction } = await transactionOf(topic);
  await moveSecond(topic);
  try {
    const answers = await transaction.send({ topic, acks: -1, messages: messages("x") });
    await transaction.commit();
    return answers.map(({ partition }) => partition);
  } catch {
    await transaction.abort().catch(() => {});
    return undefined;
  } finally {
    await producer.disconnect();
  }
}

describe("kafkajs's own producer", () => {
  test("loses a record of a committed transaction when one send spans two leaders", async () => {
    let lost = false;
    for (let attempt = 1; !lost && attempt <= ATTEMPTS; attempt++) {
      const topic = `spanning-${attempt}`;
      await makeTopic(topic);
      const answered = await sendSpanning(topic);
      // What is answered is there, the loss is of what was not: a send that was refused loses nothing.
      for (const partition of answered ?? []) {
        expect(await valuesIn(topic, partition)).toEqual(["warm", "x"]);
      }
      lost = answered?.length === 1;
      if (lost) expect(await valuesIn(topic, 1)).toEqual(["warm"]);
    }
    expect(lost).toBe(true);
  }, 120_000);

  test("loses none when each send is for one partition", async () => {
    await makeTopic("single");
    const { producer, transaction } = await transactionOf("single");
    await moveSecond("single");
    for (const message of messages("x")) {
      await transaction.send({ topic: "single", acks: -1, messages: [message] });
    }
    await transaction.commit();
    await producer.disconnect();
    expect(await valuesIn("single", 0)).toEqual(["warm", "x"]);
    expect(await valuesIn("single", 1)).toEqual(["warm", "x"]);
  }, 60_000);
});

describe("the sink", () => {
  const openSink = async (topic: string) => {
    const topics = new Map([
      [topic, 2],
      [LEDGER, 1],
    ]);
    const sink = new KafkaSink({ client, transactionalId: `sink-${topic}`, topics });
    await sink.open(signal);
    return sink;
  };
  /** A partition is without a leader for a moment when it moves. */
  const opened = async (topic: string) => {
    const sinks: KafkaSink[] = [];
    await until(`a sink for ${topic} is open`, async () => {
      const made = await openSink(topic).catch(() => undefined);
      if (made) sinks.push(made);
      return made !== undefined;
    });
    const [sink] = sinks;
    if (!sink) throw new Error("no sink was opened");
    return sink;
  };
  const batchOf = (topic: string, from: number) => ({
    records: recordsOf(topic, from, 20),
    ledger: ledgerOf(LEDGER, from + 20),
  });

  test("reports the batch as not written, and the next sink writes it once", async () => {
    await makeTopic("moved");
    const first = await openSink("moved");
    await first.commit(batchOf("moved", 0), signal);
    await moveSecond("moved");
    const error = await refusal(first.commit(batchOf("moved", 20), signal));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain("moved[1]");
    expect(error.message).toContain("NOT_LEADER");

    const second = await openSink("moved");
    await second.commit(batchOf("moved", 20), signal);
    await second.close();
    expect(byKey(await readTopic(client, "moved"))).toEqual(byKey(recordsOf("moved", 0, 40)));
  }, 60_000);

  test("writes every record once while the leaders keep moving under it", async () => {
    await makeTopic("moving");
    const stop = new AbortController();
    const moving = keepMoving("moving", stop.signal);
    let sink = await openSink("moving");
    let next = 0;
    let failures = 0;
    for (let after = 0; after < COMMITS_AFTER; ) {
      try {
        await sink.commit(batchOf("moving", next), signal);
        next += 20;
        if (stop.signal.aborted) after++;
      } catch (error) {
        expect(error).toMatchObject({ retry: "later" });
        if (++failures === FAILURES) stop.abort();
        sink = await opened("moving");
      }
    }
    await moving;
    await sink.close();
    expect(byKey(await readTopic(client, "moving"))).toEqual(byKey(recordsOf("moving", 0, next)));
  }, 120_000);
});

/** Each turn moves one of the two partitions to the next node. */
async function keepMoving(topic: string, stop: AbortSignal): Promise<void> {
  for (let turn = 0; !stop.aborted; turn++) {
    await lead(topic, turn % 2, 1 + ((1 + Math.floor(turn / 2)) % 3));
  }
}
