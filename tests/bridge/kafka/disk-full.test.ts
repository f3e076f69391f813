/** The broker's disk is a small tmpfs; making one needs root. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KafkaReader } from "../../../bridge/kafka/reader.ts";
import { KafkaSink } from "../../../bridge/kafka/sink.ts";
import { PetrelError } from "../../../core/mod.ts";
import { startKafka } from "../../support/kafka.ts";
import { until } from "../../support/until.ts";
import { byKey, clientOf, ledgerOf, readTopic, recordsOf, refusal } from "./support.ts";

const { signal } = new AbortController();
const BATCH = 500;
const BATCHES_MAX = 1_000;
const RECORD_BYTES = 2_000;

interface SmallDisk extends AsyncDisposable {
  readonly dir: string;
  enlarge(): Promise<void>;
}

/** Undefined where this user may not mount. */
async function smallDisk(): Promise<SmallDisk | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-disk-"));
  const mount = (options: string) =>
    Bun.spawn(["mount", "-t", "tmpfs", "-o", options, "none", dir]).exited;
  const remove = () => rm(dir, { recursive: true, force: true });
  if (process.getuid?.() !== 0 || (await mount("size=48m")) !== 0) {
    await remove();
    return undefined;
  }
  return {
    dir,
    async enlarge() {
      expect(await mount("remount,size=256m")).toBe(0);
    },
    async [Symbol.asyncDispose]() {
      await Bun.spawn(["umount", "-l", dir]).exited;
      await remove();
    },
  };
}

const mayMount = await (async () => {
  await using disk = await smallDisk();
  if (!disk) console.error("disk-full.test.ts: skipped: mounting a small disk needs root");
  return disk !== undefined;
})();

test.skipIf(!mayMount)(
  "a full disk is UNAVAILABLE, and once there is room nothing is missing",
  async () => {
    await using disk = await smallDisk();
    if (!disk) throw new Error("the disk could not be mounted again");
    await using kafka = await startKafka({
      extraProperties: { "log.dirs": join(disk.dir, "data"), "log.index.size.max.bytes": "65536" },
    });
    await kafka.createTopics([{ topic: "t", partitions: 2 }, { topic: "ledger" }]);
    const client = await clientOf(kafka.brokers, 3_000);
    const openSink = async () => {
      const topics = new Map([
        ["t", 2],
        ["ledger", 1],
      ]);
      const sink = new KafkaSink({ client, transactionalId: "full", topics });
      await sink.open(signal);
      return sink;
    };
    const write = async (sink: KafkaSink, from: number) => {
      const records = recordsOf("t", from, BATCH, RECORD_BYTES);
      await sink.commit({ records, ledger: ledgerOf("ledger", from + BATCH) }, signal);
      return from + BATCH;
    };
    const sink = await openSink();
    const filling = (async () => {
      for (let next = 0; next < BATCHES_MAX * BATCH; ) next = await write(sink, next);
    })();
    const error = await refusal(filling);
    expect(["UNAVAILABLE", "DEADLINE_EXCEEDED"]).toContain(error.code);
    expect(sink.closed).toBe(true);

    await disk.enlarge();
    await kafka.kill9();
    await kafka.restart();
    const again = await eventually(openSink);
    const reader = new KafkaReader({ client });
    const last = await reader.lastRecord("ledger", 0, signal);
    await reader.close();
    const next = await write(again, JSON.parse(last?.value.toString() ?? '{"next":0}').next);
    await again.close();
    expect(byKey(await readTopic(client, "t"))).toEqual(
      byKey(recordsOf("t", 0, next, RECORD_BYTES)),
    );
  },
  120_000,
);

/** The coordinator loads what it kept before it answers. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  let made: { readonly value: T } | undefined;
  await until("the broker serves again", async () => {
    try {
      made = { value: await work() };
      return true;
    } catch (error) {
      if (error instanceof PetrelError && error.retry === "later") return false;
      throw error;
    }
  });
  if (!made) throw new Error("nothing was made");
  return made.value;
}
