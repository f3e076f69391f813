import { expect, test } from "bun:test";
import { join } from "node:path";
import * as fc from "fast-check";
import { type KafkaServer, startKafka } from "../../support/kafka.ts";
import { byKey, clientOf, readTopic, recordsOf } from "./support.ts";

const SEED = Number(process.env.PETREL_TEST_SEED);
const TOPIC = "records";
const LEDGER = "ledger";
const PARTITIONS = 3;
const TOTAL = 6_000;
const BATCH = 50;
const WRITER_KILLS = 6;
const BROKER_KILLS = 2;
const COMMITS_MAX = 8;

test("every record is there once, in order, though writer and broker are killed -9", async () => {
  await using kafka = await startKafka();
  await kafka.createTopics([{ topic: TOPIC, partitions: PARTITIONS }, { topic: LEDGER }]);
  for (const { victim, commits } of plan()) {
    await using writer = startWriter(kafka.brokers);
    if (victim === undefined) expect(await writer.ended()).toBe(0);
    else await writer.commits(commits);
    if (victim === "broker") await killBroker(kafka, writer);
  }
  const stored = await readTopic(await clientOf(kafka.brokers), TOPIC);
  expect(byKey(stored)).toEqual(byKey(recordsOf(TOPIC, 0, TOTAL)));
}, 180_000);

/** Who is killed, after how many commits; the last writer ends its work. */
function plan(): readonly { victim: "writer" | "broker" | undefined; commits: number }[] {
  const all = Array.from({ length: WRITER_KILLS + BROKER_KILLS }, (_, index) =>
    index < BROKER_KILLS ? ("broker" as const) : ("writer" as const),
  );
  const { length } = all;
  const order = fc.shuffledSubarray(all, { minLength: length, maxLength: length });
  const commits = fc.array(fc.integer({ min: 1, max: COMMITS_MAX }), {
    minLength: length,
    maxLength: length,
  });
  const [drawn] = fc.sample(fc.tuple(order, commits), { seed: SEED, numRuns: 1 });
  const [victims = [], counts = []] = drawn ?? [];
  const kills = victims.map((victim, index) => ({ victim, commits: counts[index] ?? 1 }));
  return [...kills, { victim: undefined, commits: 0 }];
}

/** The writer lives on and finds its way back. */
async function killBroker(kafka: KafkaServer, writer: Writer): Promise<void> {
  await kafka.kill9();
  await kafka.restart();
  await writer.commits(1);
}

interface Writer extends AsyncDisposable {
  /** Resolves when it has committed this often from now on, or ended. */
  commits(count: number): Promise<void>;
  ended(): Promise<number>;
}

function startWriter(brokers: readonly string[]): Writer {
  const args = [brokers.join(), TOPIC, PARTITIONS, LEDGER, TOTAL, BATCH].map(String);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "writer.ts"), ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const lines = child.stdout.values();
  return {
    async commits(count) {
      for (let seen = 0; seen < count; ) {
        const { value, done } = await lines.next();
        if (done) return;
        seen += new TextDecoder().decode(value).split("\n").length - 1;
      }
    },
    async ended() {
      for (let done = false; !done; ) ({ done = false } = await lines.next());
      return child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
