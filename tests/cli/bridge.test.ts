/** The whole bridge, as `petrel up --role bridge` wires it, between a real NATS and a real Kafka. */
import { afterEach, beforeEach, describe, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { headers as makeHeaders } from "@nats-io/nats-core";
import { AuditAccess, type AuditRecord, packRecords } from "../../a2a/mod.ts";
import {
  decodeRecord,
  type Fact,
  generateKey,
  KafkaReader,
  KafkaSink,
  kafkaClient,
  Mirror,
  newKeyring,
  readMessages,
  type StoredRecord,
  saveKey,
  topicsOf,
} from "../../bridge/mod.ts";
import { run as verify } from "../../cli/audit/verify.ts";
import { type ServedBridge, serveBridge } from "../../cli/bridge.ts";
import { kafkaOf, mirrorOptionsOf, recorderOf } from "../../cli/kafka.ts";
import { type Config, parseConfig, silentLogger } from "../../core/mod.ts";
import { record } from "../bridge/mirror/world.ts";
import { failureOf } from "../support/failure.ts";
import { sharedKafka, testWithKafka } from "../support/kafka.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";

const test = await testWithKafka();

const CARD = "4111 1111 1111 1111";
const MAIL = "anna@bank.example";

let nats: NatsServer;
let access: AuditAccess;
let dir: string;
let stack: AsyncDisposableStack;
let kafka: Awaited<ReturnType<typeof sharedKafka>>;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  kafka = await sharedKafka();
  nats = stack.use(await startNats());
  dir = await mkdtemp(join(tmpdir(), "petrel-bridge-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  await saveKey(join(dir, "key"), KEY);
  await writeFile(join(dir, "keyring"), newKeyring(KEY.vkey, 0));
  await writeFile(join(dir, "redaction"), new Uint8Array(32).fill(7));
  access = await AuditAccess.open({
    servers: [nats.url],
    name: "cli",
    log: silentLogger,
    retentionDays: 1,
  });
  stack.defer(() => access.close());
});

afterEach(() => stack.disposeAsync());

const KEY = generateKey("petrel/test");

interface Over {
  readonly bridge?: object;
  readonly audit?: object;
}

function configText({ bridge, audit }: Over = {}): string {
  return JSON.stringify({
    nats: { servers: [nats.url] },
    kafka: { brokers: kafka.brokers },
    audit: { redaction: { key_file: join(dir, "redaction") }, ...audit },
    bridge: {
      topics: { prefix: `${kafka.prefix}audit`, partitions: 3 },
      checkpoint: {
        every: "100ms",
        key_file: join(dir, "key"),
        file: join(dir, "checkpoints.jsonl"),
      },
      ...bridge,
    },
  });
}

function configOf(over: Over = {}): Config {
  return parseConfig(configText(over), {}, "test");
}

/** A sender whose packs are in the stream. */
class Lane {
  #pack = 0;
  #reported = 0;
  readonly reporter: string;
  readonly shard: number;

  constructor(reporter: string, shard = 0) {
    this.reporter = reporter;
    this.shard = shard;
  }

  send(...records: readonly AuditRecord[]): Promise<number> {
    return this.sendRaw(packRecords(records), records.length);
  }

  async sendRaw(data: Uint8Array, count: number, pack?: string): Promise<number> {
    const header = makeHeaders();
    this.#reported += count;
    header.set("petrel-pack", pack ?? `1 s${this.shard} ${++this.#pack} ${this.#reported} 0 open`);
    const subject = `audit.${this.reporter}.i1.${this.shard}`;
    return (await access.js.publish(subject, data, { headers: header })).seq;
  }
}

async function serve(config: Config, resumeFrom?: number): Promise<ServedBridge> {
  const stop = new AbortController();
  const options = resumeFrom === undefined ? {} : { resumeFrom };
  const bridge = await serveBridge(config, silentLogger, options, stop.signal);
  bridge.done.catch(() => {});
  stack.defer(async () => {
    stop.abort();
    await bridge.done.catch(() => {});
  });
  return bridge;
}

async function carried(bridge: ServedBridge): Promise<void> {
  await until("the bridge has carried all", async () => {
    const { state } = await access.jsm.streams.info("AUDIT");
    return bridge.status().every(({ nextSeq }) => nextSeq > state.last_seq);
  });
}

async function recordsIn(topics: readonly string[]): Promise<StoredRecord[]> {
  const client = await kafkaClient({
    brokers: kafka.brokers,
    clientId: "test",
    timeoutMs: 10_000,
  });
  const reader = new KafkaReader({ client });
  const { signal } = new AbortController();
  const found: StoredRecord[] = [];
  try {
    for (const topic of topics)
      for (const { partition } of await reader.offsetsOf(topic, signal))
        for await (const one of reader.readPartition({
          topic,
          partition,
          fromOffset: "earliest",
          to: "end",
          signal,
        }))
          found.push({ ...one, value: Buffer.from(one.value) });
  } finally {
    await reader.close();
  }
  return found.toSorted((a, b) =>
    (a.headers.ce_sequence ?? "").localeCompare(b.headers.ce_sequence ?? ""),
  );
}

const allRecords = (config: Config) => recordsIn(topicsOf(config.bridge.topics));
const typesOf = (records: readonly StoredRecord[]) =>
  records.map(({ headers: { ce_type: type } }) => type?.replace(/^petrel\./, ""));

async function verified(over: Over = {}): Promise<number> {
  const file = join(dir, "petrel.yaml");
  await writeFile(file, configText(over));
  const words = ["--config", file, "--keys", join(dir, "keyring"), "--against-jetstream", "--json"];
  return verify(words, new AbortController().signal);
}

describe("records in Kafka", () => {
  test("both ends' reports are one record each, redacted, keyed, in their topics, and proven", async () => {
    const config = configOf();
    const [sre, splunk] = [new Lane("sre"), new Lane("splunk")];
    const asked = (side: AuditRecord["side"]) =>
      record({
        id: "call-1",
        side,
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: "call-1",
          method: "SendMessage",
          params: { message: { contextId: "ctx-1", parts: [{ text: `${CARD} ${MAIL}` }] } },
        }),
      });
    await sre.send(asked("caller"));
    await splunk.send(asked("agent"));
    const bridge = await serve(config);
    await carried(bridge);
    const records = await allRecords(config);
    expect(typesOf(records)).toEqual(["a2a.SendMessage.request.v1"]);
    const [one] = records;
    if (!one) throw new Error("no record");
    expect(one.topic).toBe(`${config.bridge.topics.prefix}.requests`);
    expect(one.key).toBe("ctx-1");
    expect(one.headers).toMatchObject({
      ce_envelopeid: "call-1",
      ce_reportedby: "caller",
      ce_caller: "sre",
      ce_agent: "splunk",
      ce_redaction: "petrel-redact/2+k1",
      ce_id: "AUDIT:1.0",
    });
    const text = one.value.toString();
    expect(text).not.toContain("4111");
    expect(text).not.toContain(MAIL);
    expect(text).toMatch(/\[card:\w+\] \[email:\w+\]/);
    await until("signed", async () => (await verified()) === 0);
  });

  test("a body of 900 kB is a stub with its hash, and lies redacted in the object store", async () => {
    const config = configOf();
    const body = JSON.stringify({ params: { text: `${CARD} `.repeat(45_000) } });
    await new Lane("sre").send(record({ id: "big", body }));
    await carried(await serve(config));
    const [stub] = await allRecords(config);
    const { event } = decodeRecord(stub as StoredRecord);
    const { dataref = "", datasha256 = "", databytes } = event.extensions;
    expect(dataref).toBe(`nats-object:PETREL_AUDIT_BODIES/${datasha256}`);
    expect(stub?.value.length).toBe(0);
    const kept = await (await access.bodies()).getBlob(datasha256);
    if (!kept) throw new Error("no body");
    expect(Bun.SHA256.hash(kept, "hex")).toBe(datasha256);
    expect(kept.length).toBe(Number(databytes));
    expect(Buffer.from(kept).toString()).not.toContain("4111");
    await until("signed", async () => (await verified()) === 0);
  });

  test("what is wrong is parked or kept as what it is, and holds nothing up", async () => {
    const config = configOf();
    const sre = new Lane("sre");
    await sre.send(record({ id: "no-json", body: `not json ${CARD}` }));
    await sre.sendRaw(new TextEncoder().encode(`junk ${CARD}`), 0, "2 s0 9 9 0 open");
    await sre.sendRaw(new TextEncoder().encode(`junk\n${CARD}`), 1);
    await sre.send(record({ id: "forged", caller: "metrics" }));
    const injected = packRecords([record({ id: "x" })]);
    const text = Buffer.from(injected)
      .toString()
      .replace('"id":"x"', '"id":"x\\r\\nce_type: evil"');
    await sre.sendRaw(new TextEncoder().encode(text), 1);
    await sre.send(record({ id: "same" }), record({ id: "same", body: `{"other":"${CARD}"}` }));
    await sre.send(record({ id: "good" }));
    await carried(await serve(config));
    const records = await allRecords(config);
    expect(typesOf(records)).toEqual([
      "a2a.SendMessage.request.v1",
      "audit.poison.v1",
      "audit.poison.v1",
      "audit.poison.v1",
      "audit.poison.v1",
      "a2a.SendMessage.request.v1",
      "audit.conflict.v1",
      "a2a.SendMessage.request.v1",
    ]);
    const parked = records.filter(({ topic }) => topic.endsWith(".dlq"));
    expect(parked).toHaveLength(4);
    for (const one of records) {
      expect(one.value.toString()).not.toContain("4111");
      for (const value of Object.values(one.headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
    }
    expect(records[0]?.headers["content-type"]).toStartWith("text/plain");
    await until("signed", async () => (await verified()) === 0);
  });

  test("structured, in one topic: the same facts", async () => {
    const over = {
      bridge: {
        content: "structured",
        topics: { prefix: `${kafka.prefix}one`, partitions: 2, layout: "one" },
        checkpoint: { every: "100ms", key_file: join(dir, "key") },
      },
    };
    const config = configOf(over);
    await new Lane("sre").send(record({ id: "a" }), record({ id: "b", kind: "response" }));
    await carried(await serve(config));
    const records = await allRecords(config);
    expect(new Set(records.map(({ topic }) => topic))).toEqual(new Set([`${kafka.prefix}one`]));
    expect(records.map((one) => decodeRecord(one).event.type)).toEqual([
      "petrel.a2a.SendMessage.request.v1",
      "petrel.a2a.SendMessage.response.v1",
    ]);
    await until("signed", async () => (await verified(over)) === 0);
  });
});

test("what a half-ended transaction left in Kafka is not written again", async () => {
  const config = configOf({ bridge: { topics: { prefix: `${kafka.prefix}half`, partitions: 2 } } });
  const lane = new Lane("sre");
  await lane.send(record({ id: "a" }), record({ id: "b" }));
  const stop = new AbortController();
  const first = await serveBridge(config, silentLogger, {}, stop.signal);
  await carried(first);
  stop.abort();
  await first.done;
  await lane.send(record({ id: "c" }), record({ id: "d" }));
  await writeBehindTheLedger(config, "c");
  await carried(await serve(config));
  const records = await allRecords(config);
  expect(records.map(({ headers: { ce_envelopeid: id } }) => id)).toEqual(["a", "b", "c", "d"]);
});

/** One record of the stream, as the bridge makes it, without the ledger entry it belongs to. */
async function writeBehindTheLedger(config: Config, id: string): Promise<void> {
  const { signal } = new AbortController();
  const mirror = new Mirror(mirrorOptionsOf(config), { nextSeq: 1 });
  const recorder = await recorderOf(config, signal);
  const { js, jsm } = access;
  const facts: Fact[] = [];
  for await (const message of readMessages({ js, jsm, follow: false, signal }))
    facts.push(...mirror.accept(message));
  const leaf = facts.findIndex((fact) => fact.kind === "envelope" && fact.record.id === id);
  const { record: made } = recorder.record(facts[leaf] as Fact, "AUDIT.0", leaf);
  const elsewhere = `${kafka.prefix}elsewhere`;
  await kafka.createTopics([{ topic: elsewhere }]);
  const sink = new KafkaSink({
    client: await kafkaOf(config, silentLogger),
    transactionalId: elsewhere,
    topics: new Map([
      [made.topic, config.bridge.topics.partitions],
      [elsewhere, 1],
    ]),
  });
  await sink.open(signal);
  const ledger = { ...made, topic: elsewhere, partition: 0 };
  await sink.commit({ records: [made], ledger }, signal);
  await sink.close();
}

describe("several", () => {
  test("bridges share the work by shards: each record once, each shard its own proven tree", async () => {
    const over = { audit: { shards: 2, redaction: { key_file: join(dir, "redaction") } } };
    const config = configOf(over);
    const [one, two] = [await serve(config), await serve(config)];
    const lanes = [new Lane("sre", 0), new Lane("sre", 1)];
    for (let at = 0; at < 20; at++)
      for (const [shard, lane] of lanes.entries())
        await lane.send(record({ id: `e${shard}.${at}` }));
    await until("all are there", async () => (await allRecords(config)).length === 40);
    const records = await allRecords(config);
    expect(new Set(records.map(({ headers: { ce_envelopeid: id } }) => id)).size).toBe(40);
    expect(new Set(records.map(({ headers: { ce_tree: tree } }) => tree))).toEqual(
      new Set(["AUDIT.0", "AUDIT.1"]),
    );
    const carrying = [...one.status(), ...two.status()].filter(({ phase }) => phase === "carrying");
    expect(carrying.map(({ shard }) => shard).toSorted((a, b) => a - b)).toEqual([0, 1]);
    await until("signed", async () => (await verified(over)) === 0);
  });
});

describe("a start that cannot be right is refused", () => {
  test("another number of partitions", async () => {
    await carried(await serve(configOf()));
    const other = configOf({
      bridge: { topics: { prefix: `${kafka.prefix}audit`, partitions: 5 } },
    });
    const error = await failureOf((await serve(other)).done);
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toMatch(/audit\.requests.*3.*5/);
  });

  test("a ledger that is gone, until an operator says where to go on", async () => {
    const config = configOf({ bridge: { topics: { prefix: `${kafka.prefix}gone` } } });
    const lane = new Lane("sre");
    for (const id of ["a", "b", "c"]) await lane.send(record({ id }));
    const stop = new AbortController();
    const first = await serveBridge(config, silentLogger, {}, stop.signal);
    await carried(first);
    stop.abort();
    await first.done;
    const topic = `${kafka.prefix}gone.ledger`;
    const offsets = join(dir, "offsets.json");
    await writeFile(
      offsets,
      JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: -1 }] }),
    );
    await kafka.run("org.apache.kafka.tools.DeleteRecordsCommand", ["--offset-json-file", offsets]);
    const error = await failureOf((await serve(config)).done);
    expect(error.message).toContain("its checkpoint is gone");
    await lane.send(record({ id: "d" }));
    await carried(await serve(config, 4));
    const records = await recordsIn([
      `${kafka.prefix}gone.notices`,
      `${kafka.prefix}gone.requests`,
    ]);
    const trees = records.filter(({ headers: { ce_tree: tree } }) => tree === "AUDIT.0.4");
    expect(typesOf(trees)).toContain("audit.gap.v1");
    expect(trees.map(({ headers: { ce_envelopeid: id } }) => id)).toContain("d");
  });
});

test("its metrics can be read", async () => {
  const config = configOf({
    bridge: {
      topics: { prefix: `${kafka.prefix}metrics` },
      metrics: { port: 0 },
    },
  });
  await new Lane("sre").send(record({ id: "a" }));
  const bridge = await serve(config);
  await carried(bridge);
  const text = await (await fetch(bridge.metricsUrl ?? "")).text();
  expect(text).toContain('petrel_bridge_records_total{shard="0"} 1\n');
  expect(text).toContain('petrel_bridge_carrying{shard="0"} 1\n');
  expect(text).toContain("# TYPE petrel_bridge_lag_messages gauge");
});
