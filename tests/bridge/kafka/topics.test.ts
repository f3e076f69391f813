import { beforeAll, expect, test } from "bun:test";
import type { KafkaClient } from "../../../bridge/kafka/client.ts";
import { batchBytesMaxOf, ensureTopics, type TopicSpec } from "../../../bridge/kafka/topics.ts";
import { type SharedKafka, sharedKafka } from "../../support/kafka.ts";
import { clientOf, refusal } from "./support.ts";

const { signal } = new AbortController();
const BODY_BYTES_MAX = 524_288;

let kafka: SharedKafka;
let client: KafkaClient;

beforeAll(async () => {
  kafka = await sharedKafka();
  client = await clientOf(kafka.brokers);
}, 60_000);

function ensure(specs: readonly TopicSpec[], create = true) {
  return client.withAdmin((admin) => ensureTopics(admin, specs, { create, signal }), signal);
}

function spec(topic: string, partitions = 2): TopicSpec {
  return { topic: `${kafka.prefix}${topic}`, partitions, recordBytesMax: BODY_BYTES_MAX };
}

/** A topic made by somebody else. */
async function madeTopic(name: string, config: Readonly<Record<string, string>>) {
  const made = spec(name);
  await kafka.createTopics([{ topic: made.topic, partitions: 2, config }]);
  return made;
}

test("what is missing is made, for ever and with room for the largest record", async () => {
  const large = { ...spec("large"), recordBytesMax: 4_000_000 };
  const short = { ...spec("short", 1), retentionMs: 86_400_000 };
  const report = await ensure([spec("plain"), large, short]);
  expect(report.created).toEqual([spec("plain").topic, large.topic, short.topic]);
  expect(report.warnings).toEqual([
    `${short.topic}: retention.ms is 86400000: older records leave Kafka`,
  ]);
  const out = await kafka.run("kafka.admin.ConfigCommand", [
    "--describe",
    "--entity-type",
    "topics",
    "--entity-name",
    large.topic,
  ]);
  expect(out).toContain("retention.ms=-1");
  expect(out).toContain("cleanup.policy=delete");
  expect(out).toContain("message.timestamp.type=CreateTime");
  const [, bytes] = /max\.message\.bytes=(\d+)/.exec(out) ?? [];
  expect(Number(bytes)).toBeGreaterThan(batchBytesMaxOf(4_000_000));
});

test("what is there already is left as it is, also when two make it at once", async () => {
  const specs = [spec("twice"), spec("again")];
  const reports = await Promise.all([ensure(specs), ensure(specs)]);
  const created = reports.flatMap((report) => report.created);
  expect(created.toSorted()).toEqual(specs.map(({ topic }) => topic).toSorted());
  expect((await ensure(specs)).created).toEqual([]);
});

test("all that is missing is named when nothing may be made", async () => {
  const there = spec("there");
  await ensure([there]);
  const error = await refusal(ensure([spec("gone-a"), there, spec("gone-b")], false));
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).toContain(`${spec("gone-a").topic}, ${spec("gone-b").topic};`);
});

test("another number of partitions is refused, and not put right", async () => {
  await ensure([spec("six", 6)]);
  const error = await refusal(ensure([spec("six", 3)]));
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).toContain(`${spec("six").topic}: partitions is 6, expected 3`);
  expect((await ensure([spec("six", 6)])).created).toEqual([]);
});

const UNFIT: readonly (readonly [setting: string, value: string])[] = [
  ["cleanup.policy", "compact"],
  ["cleanup.policy", "compact,delete"],
  ["message.timestamp.type", "LogAppendTime"],
  ["compression.type", "lz4"],
  ["max.message.bytes", "100000"],
];

for (const [setting, value] of UNFIT) {
  test(`a topic with ${setting}=${value} is refused`, async () => {
    const name = `unfit-${setting}-${value.replace(",", "-")}`;
    const made = await madeTopic(name, { [setting]: value });
    const error = await refusal(ensure([made]));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain(`${made.topic}: ${setting} is ${value}, expected`);
  });
}

test("more replicas than there are brokers is a configuration that cannot be", async () => {
  const made = spec("replicas");
  const work = client.withAdmin(
    (admin) => ensureTopics(admin, [made], { create: true, replication: 3, signal }),
    signal,
  );
  const error = await refusal(work);
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).toContain(made.topic);
});
