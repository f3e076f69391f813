import { beforeAll, describe, expect, spyOn, test } from "bun:test";
import type { KafkaClient } from "../../../bridge/kafka/client.ts";
import { partitionOf } from "../../../bridge/kafka/partition.ts";
import { KafkaReader } from "../../../bridge/kafka/reader.ts";
import { KafkaSink, nextSequence, type SinkOptions } from "../../../bridge/kafka/sink.ts";
import { type SharedKafka, sharedKafka } from "../../support/kafka.ts";
import { byKey, clientOf, ledgerOf, readTopic, recordOf, recordsOf, refusal } from "./support.ts";

const PARTITIONS = 3;
const { signal } = new AbortController();

let kafka: SharedKafka;
let client: KafkaClient;

beforeAll(async () => {
  kafka = await sharedKafka();
  client = await clientOf(kafka.brokers);
}, 60_000);

/** A topic of three partitions and a ledger of one, and the sinks that write to them. */
async function makeTopics(name: string, config: Readonly<Record<string, string>> = {}) {
  const topic = `${kafka.prefix}${name}`;
  const ledger = `${topic}-ledger`;
  await kafka.createTopics([{ topic, partitions: PARTITIONS, config }, { topic: ledger }]);
  const openSink = async (options: Partial<SinkOptions> = {}) => {
    const topics = new Map([
      [topic, PARTITIONS],
      [ledger, 1],
    ]);
    const sink = new KafkaSink({ client, transactionalId: topic, topics, ...options });
    await sink.open(signal);
    return sink;
  };
  return { topic, ledger, openSink };
}

test("a batch is read back as it was written: keys, headers, times, order within a partition", async () => {
  const { topic, ledger, openSink } = await makeTopics("roundtrip");
  const sink = await openSink();
  const records = recordsOf(topic, 0, 500);
  const receipt = await sink.commit({ records, ledger: ledgerOf(ledger, 500) }, signal);
  await sink.close();

  const stored = await readTopic(client, topic);
  expect(byKey(stored)).toEqual(byKey(records));
  for (const { partition, offset, ...record } of stored) {
    expect(partition).toBe(partitionOf(record.key, PARTITIONS));
    expect(offset).toBeGreaterThanOrEqual(0);
    expect(records).toContainEqual(record);
  }
  expect(receipt.sends).toBe(new Set(stored.map(({ partition }) => partition)).size + 1);
});

test("record batches go to the brokers from where they were written: kafkajs does not copy them", async () => {
  // @ts-expect-error kafkajs has no types below its entry
  const { default: Encoder } = await import("kafkajs/src/protocol/encoder.js");
  const encoder: { writeBufferInternal(bytes: Buffer): void } = Encoder.prototype;
  const copied = spyOn(encoder, "writeBufferInternal");
  const { topic, ledger, openSink } = await makeTopics("uncopied");
  const sink = await openSink();
  const records = recordsOf(topic, 0, 500);
  await sink.commit({ records, ledger: ledgerOf(ledger, 500) }, signal);
  await sink.close();
  const lengths = copied.mock.calls.map(([bytes]) => bytes.length);
  copied.mockRestore();
  expect(lengths.length).toBeGreaterThan(0);
  expect(Math.max(...lengths)).toBeLessThan(2_000);
});

test("extra records and the ledger stand behind the records, in the partition they name", async () => {
  const { topic, ledger, openSink } = await makeTopics("extra");
  const sink = await openSink();
  const extra = [{ ...recordOf(topic, 1), partition: 2 }];
  await sink.commit(
    { records: [recordOf(topic, 0)], ledger: ledgerOf(topic, 7, 2), extra },
    signal,
  );
  await sink.close();
  const stored = await readTopic(client, topic);
  const last = stored.filter(({ partition }) => partition === 2).slice(-2);
  expect(last.map(({ key }) => key)).toEqual(["context-1", "tree"]);
  expect(await readTopic(client, ledger)).toEqual([]);
});

for (const compression of ["gzip", "zstd"] as const) {
  test(`compressed with ${compression}, in several sends per partition, nothing is missing`, async () => {
    const { topic, ledger, openSink } = await makeTopics(compression);
    const sink = await openSink({ compression, batchBytesMax: 5_000 });
    const receipts = [];
    for (let from = 0; from < 600; from += 200) {
      const batch = { records: recordsOf(topic, from, 200, 300), ledger: ledgerOf(ledger, from) };
      receipts.push(await sink.commit(batch, signal));
    }
    await sink.close();
    expect(byKey(await readTopic(client, topic))).toEqual(byKey(recordsOf(topic, 0, 600, 300)));
    expect(receipts[0]?.sends).toBeGreaterThan(3 * PARTITIONS);
  });
}

describe("fencing", () => {
  test("a second sink closes the first, whose open transaction is gone", async () => {
    const { topic, ledger, openSink } = await makeTopics("fence");
    const first = await openSink();
    await first.commit({ records: recordsOf(topic, 0, 10), ledger: ledgerOf(ledger, 10) }, signal);
    const second = await openSink();
    const late = first.commit(
      { records: recordsOf(topic, 10, 10), ledger: ledgerOf(ledger, 20) },
      signal,
    );
    const error = await refusal(late);
    expect(error.code).toBe("CONFLICT");
    expect(error.message).toContain(topic);
    expect(first.closed).toBe(true);

    await second.commit(
      { records: recordsOf(topic, 10, 10), ledger: ledgerOf(ledger, 20) },
      signal,
    );
    await second.close();
    expect(byKey(await readTopic(client, topic))).toEqual(byKey(recordsOf(topic, 0, 20)));
  });

  test("a closed sink is not used again", async () => {
    const { topic, ledger, openSink } = await makeTopics("closed");
    const sink = await openSink();
    await sink.close();
    const error = await refusal(
      sink.commit({ records: recordsOf(topic, 0, 1), ledger: ledgerOf(ledger, 1) }, signal),
    );
    expect(error.code).toBe("INTERNAL");
  });

  test("two commits at once are refused, and the first is not harmed", async () => {
    const { topic, ledger, openSink } = await makeTopics("overlap");
    const sink = await openSink();
    const first = sink.commit(
      { records: recordsOf(topic, 0, 10), ledger: ledgerOf(ledger, 10) },
      signal,
    );
    const second = sink.commit(
      { records: recordsOf(topic, 10, 1), ledger: ledgerOf(ledger, 11) },
      signal,
    );
    expect((await refusal(second)).code).toBe("INTERNAL");
    await first;
    await sink.close();
    expect(await readTopic(client, topic)).toHaveLength(10);
  });
});

describe("a transaction that fails", () => {
  test("is invisible to committed readers of ours and of Java, and seen by uncommitted ones", async () => {
    const { topic, ledger, openSink } = await makeTopics("aborted");
    const tight = `${topic}-tight`;
    await kafka.createTopics([{ topic: tight, config: { "max.message.bytes": "1000" } }]);
    const topics = new Map([
      [topic, PARTITIONS],
      [ledger, 1],
      [tight, 1],
    ]);
    const before = await openSink({ topics });
    await before.commit({ records: recordsOf(topic, 0, 5), ledger: ledgerOf(ledger, 5) }, signal);
    const records = [...recordsOf(topic, 5, 5), recordOf(tight, 0, 5_000)];
    const error = await refusal(before.commit({ records, ledger: ledgerOf(ledger, 10) }, signal));
    expect(error.code).toBe("TOO_LARGE");
    expect(error.message).toContain(tight);
    const after = await openSink({ topics });
    await after.commit({ records: recordsOf(topic, 10, 5), ledger: ledgerOf(ledger, 15) }, signal);
    await after.close();

    const expected = byKey([...recordsOf(topic, 0, 5), ...recordsOf(topic, 10, 5)]);
    expect(byKey(await readTopic(client, topic))).toEqual(expected);
    expect(sorted(await consoleRead(topic, "read_committed"))).toEqual(
      sorted(Object.values(expected).flat()),
    );
    expect(sorted(await consoleRead(topic, "read_uncommitted"))).toEqual(
      Array.from({ length: 15 }, (_, index) => index),
    );
  }, 60_000);

  test("leaves the last committed ledger to be found behind it, however many failed", async () => {
    const { topic, ledger, openSink } = await makeTopics("ledger");
    const sink = await openSink();
    await sink.commit({ records: recordsOf(topic, 0, 5), ledger: ledgerOf(ledger, 5) }, signal);
    await sink.close();
    for (let attempt = 0; attempt < 12; attempt++) {
      const failing = await openSink({ batchBytesMax: 1_000 });
      const records = [ledgerOf(ledger, 100 + attempt), recordOf(topic, 5, 2_000)];
      const error = await refusal(failing.commit({ records, ledger: ledgerOf(ledger, 6) }, signal));
      expect(error.code).toBe("TOO_LARGE");
    }
    const reader = new KafkaReader({ client });
    const last = await reader.lastRecord(ledger, 0, signal);
    await reader.close();
    expect(last?.value.toString()).toBe('{"next":5}');
  }, 60_000);

  test("with the caller's signal is cancelled, and the next sink goes on", async () => {
    const { topic, ledger, openSink } = await makeTopics("cancel");
    const sink = await openSink();
    const stop = new AbortController();
    const batch = { records: recordsOf(topic, 0, 2_000, 1_000), ledger: ledgerOf(ledger, 1) };
    const work = sink.commit(batch, stop.signal);
    stop.abort();
    expect((await refusal(work)).code).toBe("CANCELLED");
    const next = await openSink();
    await next.commit({ records: recordsOf(topic, 0, 10), ledger: ledgerOf(ledger, 10) }, signal);
    await next.close();
    expect(byKey(await readTopic(client, topic))).toEqual(byKey(recordsOf(topic, 0, 10)));
  });
});

test("a topic with another number of partitions is not written to", async () => {
  const { topic, openSink } = await makeTopics("count");
  const error = await refusal(openSink({ topics: new Map([[topic, 6]]) }));
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).toBe(`kafka: ${topic} has ${PARTITIONS} partitions, not 6`);
});

test("sequence numbers go on at 0 after the largest", () => {
  expect(nextSequence(2 ** 31 - 1, 1)).toBe(0);
  expect(nextSequence(2 ** 31 - 3, 5)).toBe(2);
  expect(nextSequence(0, 5)).toBe(5);
});

/** What Java's own consumer sees. */
async function consoleRead(topic: string, isolation: string): Promise<number[]> {
  const out = await kafka.run("org.apache.kafka.tools.consumer.ConsoleConsumer", [
    "--topic",
    topic,
    "--from-beginning",
    "--timeout-ms",
    "4000",
    "--consumer-property",
    `isolation.level=${isolation}`,
  ]);
  return out
    .split("\n")
    .filter((line) => /^\d+ *$/.test(line))
    .map(Number);
}

function sorted(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}
