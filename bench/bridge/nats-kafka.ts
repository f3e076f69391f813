/**
 * nats-io/nats-kafka, the bridge people find first: built from its pinned Go module, once, into .tools; run
 * against the same stream and broker. Its connector for JetStream sends one message at a time, and its key
 * is the subject it was configured with: a connector per subject is what gives it keys, and the most speed.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureTopics } from "../../bridge/mod.ts";
import { PetrelError, systemClock } from "../../core/mod.ts";
import { buildWithGo, type ModulePin } from "../../deploy/mod.ts";
import { peakMegabytesOf } from "../memory.ts";
import type { BenchContext, Run } from "../run.ts";
import { openTrail, PARTITIONS, RECORD_BYTES_MAX, type Site } from "./site.ts";

/** The newest that its tags have. */
const PIN: ModulePin = {
  version: "1.4.2",
  module: "github.com/nats-io/nats-kafka",
  mainPackage: ".",
  sum: "h1:SDZJg2e96xvrR/6wOGlRtln360XLftiHTrs3al69eWg=",
};
const NAME = "nats-kafka";
const TOOLS_DIR = join(import.meta.dir, "../../.tools");

const RUN_TIMEOUT_MS = 180_000;
const POLL_MS = 50;

/** Its executable; built when it is not there. Throws UNAVAILABLE with the reason it cannot be. */
export async function ensureNatsKafka({ signal, onProgress }: BenchContext): Promise<string> {
  const path = join(TOOLS_DIR, NAME, `${NAME}-${PIN.version}`);
  if (existsSync(path)) return path;
  await mkdir(join(TOOLS_DIR, NAME), { recursive: true });
  const workDir = await mkdtemp(join(TOOLS_DIR, `.new-${NAME}-`));
  try {
    const onStep = (_kind: string, text: string) => onProgress(`${NAME}: ${text}`);
    const context = { packageName: NAME, workDir, outDir: workDir, onProgress: onStep, signal };
    await buildWithGo(PIN, context);
    await rename(join(workDir, NAME), path);
    return path;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

export interface Order {
  /** Records that stand behind a later one of their key. */
  readonly outOfOrder: number;
}

/** One run, to a topic of its own. Throws unless all of the stream is there, each message once. */
export async function runNatsKafka(
  program: string,
  site: Site,
  of: { readonly topic: string; readonly subjects: readonly string[]; readonly messages: number },
  { signal }: BenchContext,
): Promise<Run & Order> {
  const { topic, subjects, messages } = of;
  await using opened = await openTrail(site.brokers, topic, signal);
  const { client, reader } = opened;
  const specs = [{ topic, partitions: PARTITIONS, recordBytesMax: RECORD_BYTES_MAX }];
  await client.withAdmin((admin) => ensureTopics(admin, specs, { create: true, signal }), signal);
  const stored = async () =>
    (await reader.offsetsOf(topic, signal)).reduce((sum, { latest }) => sum + latest, 0);

  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "petrel-bench-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const config = join(dir, "nats-kafka.conf");
  await writeFile(config, configText(site, topic, subjects));
  const child = Bun.spawn([program, "-c", config], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    signal,
    killSignal: "SIGKILL",
  });
  stack.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const deadlineMs = performance.now() + RUN_TIMEOUT_MS;
  let first: { readonly count: number; readonly ms: number } | undefined;
  let count = 0;
  while (count < messages) {
    if (child.exitCode !== null)
      throw new PetrelError("INTERNAL", `${NAME} ended with exit code ${child.exitCode}`);
    if (performance.now() > deadlineMs)
      throw new PetrelError("DEADLINE_EXCEEDED", `${NAME}: ${count} of ${messages} messages`);
    await systemClock.sleep(POLL_MS, signal);
    count = await stored();
    if (count > 0) first ??= { count, ms: performance.now() };
  }
  const seconds = (performance.now() - (first?.ms ?? 0)) / 1_000;
  const peak = await peakMegabytesOf(child.pid);
  const { records, outOfOrder } = await readBack(opened, topic, signal);
  const rate = (messages - (first?.count ?? 0)) / seconds;
  return { work: { records }, cost: { rate, peak }, outOfOrder };
}

/** JSON is a form of its configuration. */
function configText(site: Site, topic: string, subjects: readonly string[]): string {
  const connect = subjects.map((subject, index) => ({
    type: "JetStreamToKafka",
    id: `${topic}-${index}`,
    brokers: site.brokers,
    topic,
    subject,
    durablename: `${topic}-${index}`,
    balancer: "hash",
    keytype: "subject",
  }));
  return JSON.stringify({ nats: { servers: [site.url] }, jetstream: { maxwait: 5_000 }, connect });
}

/** Counts the messages by their keys, and those that are out of order. Throws for one that is there twice. */
async function readBack(
  { reader }: Awaited<ReturnType<typeof openTrail>>,
  topic: string,
  signal: AbortSignal,
): Promise<{ records: number; outOfOrder: number }> {
  let records = 0;
  let outOfOrder = 0;
  const seen = new Set<string>();
  const last = new Map<string, number>();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const read = { topic, partition, fromOffset: 0, to: "end", signal } as const;
    for await (const { key, value } of reader.readPartition(read)) {
      const found = /^{"id":"(agent-\d+)-\S*\.e(\d+)"/.exec(value.toString("latin1", 0, 300));
      const nth = Number(found?.[2]);
      const id = `${found?.[1]} ${nth}`;
      if (seen.has(id)) throw new PetrelError("INTERNAL", `${NAME}: ${id} is there twice`);
      seen.add(id);
      // With one connector all have one key: the order of each agent's is looked at all the same.
      const of = `${key} ${found?.[1]}`;
      if (!(nth > (last.get(of) ?? -1))) outOfOrder++;
      last.set(of, Math.max(nth, last.get(of) ?? -1));
      records++;
    }
  }
  return { records, outOfOrder };
}
