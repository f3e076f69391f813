/** The bridge between a real JetStream and a Kafka that fails as planned: once, in order, or refused. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { headers as makeHeaders } from "@nats-io/nats-core";
import * as fc from "fast-check";
import { AuditAccess, packRecords } from "../../a2a/mod.ts";
import { decodeLedger } from "../../bridge/ledger.ts";
import {
  type BridgeOptions,
  CheckpointWriter,
  type Fact,
  runBridge,
  Status,
  stateStore,
} from "../../bridge/mod.ts";
import { leafHash, Tree } from "../../bridge/proof/merkle.ts";
import { type PetrelError, silentLogger, systemClock } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { type Fault, MemoryKafka, plainRecorder } from "./memory-kafka.ts";
import { record } from "./mirror/world.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

let nats: NatsServer;
let access: AuditAccess;
let kafka: MemoryKafka;
let pack = 0;
let reported = 0;

beforeEach(async () => {
  nats = await startNats();
  access = await AuditAccess.open({
    servers: [nats.url],
    name: "bridge",
    log: silentLogger,
    retentionDays: 1,
  });
  kafka = new MemoryKafka();
  pack = 0;
  reported = 0;
});

afterEach(async () => {
  await access.close();
  await nats[Symbol.asyncDispose]();
});

/** Stores a pack of one sender with these ids, reported by the caller. */
async function publish(...ids: readonly string[]): Promise<void> {
  const header = makeHeaders();
  header.set("petrel-pack", `1 s ${++pack} ${(reported += ids.length)} 0 open`);
  const data = packRecords(ids.map((id) => record({ id, kind: "request" })));
  await access.js.publish("audit.sre.i.0", data, { headers: header });
}
interface Running {
  readonly alarms: Fact[];
  readonly status: Status;
  stop(): Promise<void>;
  readonly ended: Promise<void>;
}

async function start(over: Partial<BridgeOptions> = {}): Promise<Running> {
  const abort = new AbortController();
  const alarms: Fact[] = [];
  const status = new Status(0);
  const bucket = await access.snapshots();
  const options: BridgeOptions = {
    js: access.js,
    jsm: access.jsm,
    kv: await access.leases(),
    shard: 0,
    instance: `i${Math.random()}`,
    leaseTermMs: 900,
    newSink: () => kafka.newSink(),
    trail: kafka.trail,
    ledgerTopic: "ledger",
    recorder: plainRecorder,
    bodies: { put: async () => {} },
    states: stateStore(bucket, silentLogger),
    stateEveryMs: 50,
    checkpoints: new CheckpointWriter({
      topic: "checkpoints",
      sign: undefined,
      everyMs: 1_000,
      clock: systemClock,
      log: silentLogger,
    }),
    mirror: { stream: "AUDIT", horizonMs: 900_000, silenceMs: 300_000, isWhole: true },
    status,
    batchRecords: 10,
    batchBytes: 1_000_000,
    lingerMs: 5,
    idleMs: 200,
    onAlarm: (fact) => alarms.push(fact),
    clock: systemClock,
    log: silentLogger,
    ...over,
  };
  const ended = runBridge(options, abort.signal);
  ended.catch(() => {});
  const stop = async () => {
    abort.abort();
    await ended.catch(() => {});
  };
  return { alarms, status, stop, ended };
}

const written = () => kafka.records.map(({ value }) => value.toString());

/** What must hold of all that Kafka holds: every leaf once, in order, as the ledger says. */
function expectWhole(ids: readonly string[]): void {
  expect(written()).toEqual([...ids]);
  const tree = new Tree();
  for (const [leaf, one] of kafka.records.entries()) {
    expect(Number(one.headers.ce_sequence)).toBe(leaf);
    tree.append(leafHash(one));
  }
  const last = kafka.ledger.at(-1);
  if (!last) throw new Error("no ledger");
  const entry = decodeLedger(last.value, "test");
  expect(entry.size).toBe(ids.length);
  expect(Buffer.from(entry.frontier)).toEqual(Buffer.from(tree.frontier));
}

describe("the bridge", () => {
  test("carries what is there and what comes, and goes on where it stopped", async () => {
    await publish("a", "b");
    const first = await start();
    await until("carried", () => kafka.records.length === 2);
    await publish("c");
    await until("carried", () => kafka.records.length === 3);
    await first.stop();
    await publish("d", "e");
    const second = await start();
    await until("carried", () => kafka.records.length === 5);
    await second.stop();
    expectWhole(["a", "b", "c", "d", "e"]);
  });

  test("whatever fails before, in or after a commit: everything once, in order", async () => {
    const ids: string[] = [];
    const running = await start();
    // A ledger to begin with: records without any are refused.
    await publish("first");
    ids.push("first");
    await until("carried", () => kafka.ledger.length > 0);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<Fault>("before", "after", "half", undefined), { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 4 }),
        async (faults, packs) => {
          kafka.faults.push(...faults);
          for (const size of packs) {
            const some = Array.from({ length: size }, (_, at) => `e${ids.length + at}`);
            ids.push(...some);
            await publish(...some);
          }
          await until("carried", () => kafka.records.length >= ids.length);
        },
      ),
      { seed, numRuns: 10, endOnFailure: true },
    );
    kafka.faults.length = 0;
    await running.stop();
    expectWhole(ids);
  });

  test("started twice: one works, the other takes over when it stops", async () => {
    const one = await start();
    await publish("a");
    await until("carried", () => kafka.records.length === 1);
    const two = await start();
    await publish("b");
    await until("carried", () => kafka.records.length === 2);
    expect(two.status.snapshot.phase).toBe("standby");
    await one.stop();
    await publish("c");
    await until("carried", () => kafka.records.length === 3);
    await two.stop();
    expectWhole(["a", "b", "c"]);
  });

  test("Kafka away: it tries on, says so, and catches up", async () => {
    kafka.isAway = true;
    const running = await start();
    await publish("a");
    await until("it said so", () => running.status.snapshot.failures >= 2);
    expect(running.status.snapshot).toMatchObject({ phase: "waiting", records: 0 });
    kafka.isAway = false;
    await until("caught up", () => kafka.records.length === 1);
    await running.stop();
    expectWhole(["a"]);
  });

  test("what retention took is a gap on record, and an alarm", async () => {
    await publish("a");
    const first = await start();
    await until("carried", () => kafka.records.length === 1);
    await first.stop();
    for (const id of ["b", "c", "d"]) await publish(id);
    await access.jsm.streams.update("AUDIT", { max_msgs: 1 });
    const second = await start();
    await until("carried", () => written().includes("d"));
    await second.stop();
    const [stream, packs] = second.alarms;
    expect(stream).toMatchObject({ kind: "gap", reason: "stream", from: 2, to: 3 });
    expect(packs).toMatchObject({ kind: "gap", reason: "packs", from: 2, to: 3, missing: 2 });
    expect(kafka.records.map(({ headers }) => headers.kind)).toEqual([
      "envelope",
      "gap",
      "gap",
      "envelope",
    ]);
  });
});

test("an alarm goes out before its batch is committed, once a process, and again after a crash in between", async () => {
  await publish("a");
  pack++;
  await publish("b");
  kafka.faults.push("before", "before", "before");
  const first = await start();
  await until("it was tried again and again", () => first.status.snapshot.failures >= 2);
  expect(kafka.records).toEqual([]);
  expect(first.alarms).toMatchObject([{ kind: "gap", reason: "packs", from: 2, to: 2 }]);
  kafka.isAway = true;
  await first.stop();
  kafka.isAway = false;
  const second = await start();
  await until("carried", () => written().includes("b"));
  await second.stop();
  expect(first.alarms).toHaveLength(1);
  expect(second.alarms).toEqual(first.alarms);
});

describe("a place that cannot be right is refused", () => {
  async function refusal(): Promise<PetrelError> {
    const running = await start();
    return failureOf(running.ended);
  }

  test("records without a ledger: it does not begin at 1 in silence", async () => {
    await publish("a");
    kafka.records.push({
      topic: "t",
      key: "k",
      value: Buffer.from("old"),
      headers: {},
      timestampMs: 0,
    });
    const error = await refusal();
    expect(error).toMatchObject({ code: "CONFIG_INVALID" });
    expect(error.message).toContain("its checkpoint is gone");
    expect(error.message).toContain("--resume-from");
  });

  test("a checkpoint from the future", async () => {
    for (const id of ["a", "b", "c"]) await publish(id);
    const first = await start();
    await until("carried", () => kafka.records.length === 3);
    await first.stop();
    await access.jsm.streams.delete("AUDIT");
    await access.jsm.streams.add({ name: "AUDIT", subjects: ["audit.>"] });
    await publish("d");
    const error = await refusal();
    expect(error.message).toContain("from the future");
  });

  test("unless an operator says where to go on: a new tree, and a gap on record", async () => {
    for (const id of ["a", "b", "c"]) await publish(id);
    kafka.records.push({
      topic: "t",
      key: "k",
      value: Buffer.from("old"),
      headers: {},
      timestampMs: 0,
    });
    const running = await start({ resumeFrom: 3 });
    await until("carried", () => written().includes("c"));
    await running.stop();
    expect(kafka.records[1]).toMatchObject({ key: "AUDIT.0.3", headers: { kind: "gap" } });
    expect(running.alarms[0]).toMatchObject({ reason: "resumed", from: 1, to: 2 });
  });

  test("a ledger that is none", async () => {
    await publish("a");
    kafka.ledger.push({
      topic: "ledger",
      partition: 0,
      offset: 0,
      key: "k",
      value: Buffer.from("{}"),
      headers: {},
      timestampMs: 0,
    });
    const running = await start();
    await until("it said so", () => running.status.snapshot.failures > 0);
    expect(running.status.snapshot.lastError).toContain("ledger/0 offset 0");
    await running.stop();
  });
});

test("the mirror's state is restored from its copy, and the facts that follow are the same", async () => {
  const first = await start();
  for (let at = 0; at < 30; at++) await publish(`a${at}`, `b${at}`);
  await until("carried", () => kafka.records.length === 60);
  await systemClock.sleep(100);
  await publish("last");
  await until("carried", () => kafka.records.length === 61);
  await first.stop();
  await publish("a0");
  await publish("next");
  const second = await start();
  await until("carried", () => written().includes("next"));
  await second.stop();
  expect(written().filter((id) => id === "a0")).toHaveLength(1);
});
