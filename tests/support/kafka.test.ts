import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { KafkaReader, kafkaClient } from "../../bridge/mod.ts";
import { untilDecided } from "../bridge/kafka/support.ts";
import { sharedKafka, startKafka, testWithKafka } from "./kafka.ts";
import { until } from "./until.ts";

const test = await testWithKafka();

const TOPICS = "org.apache.kafka.tools.TopicCommand";

function clientOf(brokers: readonly string[]): Kafka {
  return new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
}

/** Writes `values` to one partition in one transaction that is committed, or aborted. */
async function transact(client: Kafka, topic: string, values: readonly string[], commit: boolean) {
  const producer = client.producer({
    transactionalId: `${topic}-tx`,
    maxInFlightRequests: 1,
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) });
  await (commit ? transaction.commit() : transaction.abort());
  await producer.disconnect();
}

/** What a read_committed consumer sees, up to and with `last`. */
async function readUntil(client: Kafka, topic: string, last: string): Promise<string[]> {
  const consumer = client.consumer({ groupId: `${topic}-group`, readUncommitted: false });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  await consumer.run({
    eachMessage: async ({ message }) => {
      values.push(String(message.value));
      if (values.at(-1) === last) resolve();
    },
  });
  await promise;
  await consumer.disconnect();
  return values;
}

test("what was committed is there after kill -9, and what was aborted is not", async () => {
  await using kafka = await startKafka();
  await kafka.createTopics([{ topic: "kept" }]);
  const client = clientOf(kafka.brokers);
  await transact(client, "kept", ["1", "2"], true);
  await transact(client, "kept", ["no"], false);
  // An end is answered before its markers are written, and a coordinator that is killed may forget them.
  const ours = await kafkaClient({ brokers: kafka.brokers, clientId: "test", timeoutMs: 10_000 });
  const reader = new KafkaReader({ client: ours });
  await untilDecided(ours, reader, "kept");
  await reader.close();

  const [pid] = kafka.nodes.map((node) => node.pid);
  await kafka.kill9();
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  await kafka.restart();

  await transact(client, "kept", ["3"], true);
  expect(await readUntil(client, "kept", "3")).toEqual(["1", "2", "3"]);
});

test("three nodes lose one and keep serving; a leader is where it was moved", async () => {
  await using kafka = await startKafka({ nodes: 3 });
  await kafka.createTopics([{ topic: "led" }]);
  for (const node of [2, 3, 1]) {
    await kafka.moveLeader("led", 0, node);
    const described = await kafka.run(TOPICS, ["--describe", "--topic", "led"]);
    expect(described).toContain(`Leader: ${node}`);
  }
  await kafka.kill9(1);
  await until("another node leads", async () => {
    const described = await kafka.run(TOPICS, ["--describe", "--topic", "led"]);
    return /Leader: [23]/.test(described);
  });
  const client = clientOf(kafka.brokers.slice(1));
  await transact(client, "led", ["1"], true);
  await kafka.restart(1);
  expect(await readUntil(clientOf(kafka.brokers.slice(0, 1)), "led", "1")).toEqual(["1"]);
});

test("the shared broker is one, and each caller has topics of its own", async () => {
  const [one, two] = [await sharedKafka(), await sharedKafka()];
  expect(two.brokers).toEqual(one.brokers);
  expect(two.prefix).not.toBe(one.prefix);
  const topic = `${one.prefix}small`;
  await one.createTopics([{ topic, partitions: 2, config: { "max.message.bytes": "2000" } }]);
  const described = await two.run(TOPICS, ["--describe", "--topic", topic]);
  expect(described).toContain("PartitionCount: 2");
  expect(described).toContain("max.message.bytes=2000");
});

test("a listener that asks for a sign-in has a port of its own, and refuses who is not known", async () => {
  await using kafka = await startKafka({
    listeners: { SASL: "SASL_PLAINTEXT" },
    extraProperties: {
      "sasl.enabled.mechanisms": "PLAIN",
      "listener.name.sasl.plain.sasl.jaas.config":
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_writer="secret";',
    },
  });
  const signIn = async (password: string) => {
    const sasl = { mechanism: "plain", username: "writer", password } as const;
    const client = new Kafka({
      brokers: [...kafka.brokersOf("SASL")],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
      sasl,
    });
    const admin = client.admin();
    await admin.connect();
    await admin.disconnect();
  };
  await signIn("secret");
  const failure: unknown = await signIn("wrong").catch((error: unknown) => error);
  expect(String(failure)).toContain("SASL");
});

test("a bad configuration is told with the broker's own words", async () => {
  const extraProperties = { "num.network.threads": "none" };
  const failure: unknown = await startKafka({ extraProperties }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "UNAVAILABLE" });
  expect(String(failure)).toContain("num.network.threads");
});
