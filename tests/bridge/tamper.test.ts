/**
 * Somebody with access to the disks changes what was said, and leaves everything well formed: a byte of a
 * value in Kafka's own segment, with its checksum; a message of the AUDIT stream. Verifying names it.
 */
import { expect } from "bun:test";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32c } from "../../bridge/kafka/crc32c.ts";
import { KafkaReader, leafIndexOf, type StoredRecord } from "../../bridge/mod.ts";
import { Stage } from "../chaos/stage.ts";
import { auditVerify } from "../chaos/verify.ts";
import { makeWorld, TOPICS, type World } from "../chaos/world.ts";
import { testWithKafka } from "../support/kafka.ts";
import { until } from "../support/until.ts";

const test = await testWithKafka();
const { signal } = new AbortController();
const TOPIC = `${TOPICS.prefix}.responses`;
const ENVELOPES = 300;
/** From the beginning of a value on; the byte after them is changed: it is in the envelope's id. */
const KEPT_BYTES = 40;
const RUN_MS_MAX = 180_000;

test(
  "a changed byte in Kafka, one in JetStream, and a removed message are found and named",
  async () => {
    await using world = await makeWorld();
    await carrySome(world);
    expect(await auditVerify(world)).toMatchObject({ isIntact: true, signed: true });

    const victim = await someRecord(world);
    const { topic, partition, offset } = victim;
    await changeByte(world, victim);
    const changed = await auditVerify(world);
    expect(changed.reports[0]?.findings).toMatchObject([
      { kind: "changed", leaf: leafIndexOf(victim), place: `${topic}/${partition}/${offset}` },
    ]);
    await changeByte(world, victim);
    expect((await auditVerify(world)).isIntact).toBe(true);

    const mend = await changeStream(world);
    const cut = await auditVerify(world);
    expect(cut.reports[0]?.findings).toMatchObject([{ kind: "replay-differs" }]);
    await mend();
    expect((await auditVerify(world)).isIntact).toBe(true);

    await removeMessage(world, seqOf(victim));
    const removed = await auditVerify(world);
    expect(removed.reports[0]?.findings).toMatchObject([{ kind: "replay-differs" }]);
    expect(removed.reports[0]?.findings[0]?.leaf).toBeLessThanOrEqual(leafIndexOf(victim) ?? -1);
    world.drop();
  },
  RUN_MS_MAX,
);

async function carrySome(world: World): Promise<void> {
  await using stage = new Stage(world, { seed: 1, bridges: 1 });
  stage.watch(() => {});
  await stage.until("the agents are ready", () => stage.areAgentsReady);
  stage.callers.pace = 300;
  await stage.until("enough is said", () => stage.truth.envelopes >= ENVELOPES);
  expect(await stage.stopAgents()).toEqual([]);
  await stage.carried();
  expect(await stage.stopBridges()).toEqual([]);
}

/** A response in the middle of its partition that began a pack. */
async function someRecord({ client }: World): Promise<StoredRecord> {
  const reader = new KafkaReader({ client });
  const range = { topic: TOPIC, partition: 0, fromOffset: "earliest", to: "end", signal } as const;
  const records: StoredRecord[] = [];
  for await (const record of reader.readPartition(range)) records.push(record);
  await reader.close();
  const found = records[Math.floor(records.length / 2)];
  if (!found) throw new Error(`${TOPIC}[0] is empty`);
  return { ...found, value: Buffer.from(found.value) };
}

/** The message of the stream that a record comes from. */
function seqOf({ headers }: StoredRecord): number {
  return Number(/^AUDIT:(\d+)\./.exec(headers.ce_id ?? "")?.[1]);
}

/** Flips a bit of the record's value on the broker's disk, and mends its batch's checksum. */
async function changeByte({ kafka }: World, record: StoredRecord): Promise<void> {
  const { topic, partition, value, headers } = record;
  const file = join(kafka.logDir(), `${topic}-${partition}`, `${"0".repeat(20)}.log`);
  await kafka.stop();
  const log = await readFile(file);
  // A record's headers follow its value, of which the beginning is enough: the rest may be changed.
  const valueAt = log.lastIndexOf(value.subarray(0, KEPT_BYTES), log.indexOf(`${headers.ce_id}`));
  let [batchAt, nextAt] = [0, 0];
  while (nextAt <= valueAt) {
    batchAt = nextAt;
    nextAt += 12 + log.readInt32BE(batchAt + 8);
  }
  const at = valueAt + KEPT_BYTES;
  log.writeUInt8(log.readUInt8(at) ^ 1, at);
  log.writeUInt32BE(crc32c(log, batchAt + 21, nextAt), batchAt + 17);
  await writeFile(file, log);
  await kafka.restart();
}

/** Flips a bit of a message on nats-server's disk; resolves with what puts everything back. */
async function changeStream({ dir, nats }: World): Promise<() => Promise<void>> {
  const messages = join(nats.storeDir, "jetstream/$G/streams/AUDIT/msgs");
  const backup = join(dir, "backup");
  await nats.kill9();
  await cp(messages, backup, { recursive: true });
  const file = join(messages, "1.blk");
  const block = await readFile(file);
  const at = block.indexOf('"messageId"', block.length / 2);
  block.writeUInt8(block.readUInt8(at + 1) ^ 1, at + 1);
  await writeFile(file, block);
  await nats.restart();
  return async () => {
    await nats.kill9();
    await rm(messages, { recursive: true });
    await cp(backup, messages, { recursive: true });
    await nats.restart();
  };
}

/**
 * Removes a message of a stream that denies it, and leaves every other with its number and time: through
 * a copy that denies nothing, and a copy of that one under the old name.
 */
async function removeMessage(world: World, seq: number): Promise<void> {
  const access = await world.access();
  const { streams } = access.jsm;
  const { config, state } = await streams.info("AUDIT");
  const copied = (name: string) =>
    until(
      `${name} is copied`,
      async () => (await streams.info(name)).state.last_seq === state.last_seq,
    );
  await streams.add({ name: "COPY", mirror: { name: "AUDIT" } });
  await copied("COPY");
  await streams.update("COPY", { mirror: undefined, subjects: ["copy"] });
  await streams.deleteMessage("COPY", seq);
  await streams.delete("AUDIT");
  const { subjects, ...settings } = config;
  await streams.add({ ...settings, name: "AUDIT", mirror: { name: "COPY" } });
  await copied("AUDIT");
  await streams.update("AUDIT", { mirror: undefined, subjects });
  await streams.delete("COPY");
  await access.close();
}
