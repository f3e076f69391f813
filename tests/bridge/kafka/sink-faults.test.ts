/** Answers that are lost or wrong, made between the sink and a real broker. */
import { beforeAll, describe, expect, test } from "bun:test";
import type { KafkaClient } from "../../../bridge/kafka/client.ts";
import type { KafkaCluster } from "../../../bridge/kafka/cluster.ts";
import type { ProduceAnswer } from "../../../bridge/kafka/requests.ts";
import { KafkaSink } from "../../../bridge/kafka/sink.ts";
import { PetrelError } from "../../../core/mod.ts";
import { withFaults } from "../../support/faults.ts";
import { type SharedKafka, sharedKafka } from "../../support/kafka.ts";
import { byKey, clientOf, ledgerOf, readTopic, recordsOf, refusal } from "./support.ts";

const { signal } = new AbortController();

let kafka: SharedKafka;
let client: KafkaClient;

beforeAll(async () => {
  kafka = await sharedKafka();
  client = await clientOf(kafka.brokers);
}, 60_000);

/** What becomes of the answer to a Produce request; the request itself went through. */
type Change = (answer: ProduceAnswer) => ProduceAnswer;

function changing(change: Change): KafkaClient {
  const cluster = () => {
    const real = client.cluster();
    const send: KafkaCluster["send"] = async (broker, exchange, doing, until) => {
      const answer = await real.send(broker, exchange, doing, until);
      if (exchange.request.apiName !== "Produce") return answer;
      return change(answer as ProduceAnswer) as typeof answer;
    };
    return withFaults(real, { send });
  };
  return { ...client, cluster };
}

async function makeTopics(name: string) {
  const topic = `${kafka.prefix}${name}`;
  const ledger = `${topic}-ledger`;
  await kafka.createTopics([{ topic }, { topic: ledger }]);
  const topics = new Map([
    [topic, 1],
    [ledger, 1],
  ]);
  const openSink = async (from: KafkaClient) => {
    const sink = new KafkaSink({ client: from, transactionalId: topic, topics });
    await sink.open(signal);
    return sink;
  };
  const batchOf = (from: number) => ({
    records: recordsOf(topic, from, 10),
    ledger: ledgerOf(ledger, from + 10),
  });
  return { topic, openSink, batchOf };
}

function first(change: (one: ProduceAnswer["partitions"][number]) => object): Change {
  return (answer) => ({
    ...answer,
    partitions: answer.partitions.map((one) => ({ ...one, ...change(one) })),
  });
}

const WRONG: Readonly<Record<string, Change>> = {
  "that names no partition": (answer) => ({ ...answer, partitions: [] }),
  "about another partition": first(({ partition }) => ({ partition: partition + 1 })),
  "about another topic": first(() => ({ topic: "another" })),
  "at an offset that was another's": first(({ baseOffset }) => ({ baseOffset: baseOffset - 11 })),
  "without an offset": first(() => ({ baseOffset: -1 })),
};

describe("an answer", () => {
  for (const [name, change] of Object.entries(WRONG)) {
    test(`${name} ends the sink, and the batch is not there`, async () => {
      const { topic, openSink, batchOf } = await makeTopics(name.replaceAll(/[^a-z]/g, "-"));
      let harm = false;
      const sink = await openSink(changing((answer) => (harm ? change(answer) : answer)));
      await sink.commit(batchOf(0), signal);
      harm = true;
      const error = await refusal(sink.commit(batchOf(10), signal));
      expect(error.code).toBe("PROTOCOL_VIOLATION");
      expect(sink.closed).toBe(true);
      expect(byKey(await readTopic(client, topic))).toEqual(byKey(recordsOf(topic, 0, 10)));
    });
  }

  test("that is lost leaves the batch to the next sink, which writes it once", async () => {
    const { topic, openSink, batchOf } = await makeTopics("lost");
    const sink = await openSink(
      changing(() => {
        throw new PetrelError("DEADLINE_EXCEEDED", "the answer was lost");
      }),
    );
    expect((await refusal(sink.commit(batchOf(0), signal))).code).toBe("DEADLINE_EXCEEDED");
    expect(sink.closed).toBe(true);
    const next = await openSink(client);
    await next.commit(batchOf(0), signal);
    await next.close();
    expect(byKey(await readTopic(client, topic))).toEqual(byKey(recordsOf(topic, 0, 10)));
  });
});
