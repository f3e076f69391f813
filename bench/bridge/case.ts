/**
 * `bridge`: the AUDIT stream, filled beforehand, carried to a real Kafka exactly once, beside kafkajs's
 * idempotent producer sending the same records in the same batches. Rates are from the first commit to
 * the last. After every run the trail is verified: each record is its leaf, in its partition and order.
 */
import { ensureTopics, topicsOf } from "../../bridge/mod.ts";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { type BenchContext, checkWork, Run, runRounds } from "../run.ts";
import { runBridge, runVerify } from "./command.ts";
import type { Filled, FillTask } from "./fill.ts";
import type { KafkajsTask, Sends } from "./kafkajs.ts";
import { ensureNatsKafka, runNatsKafka } from "./nats-kafka.ts";
import {
  BODY_BYTES,
  fillStream,
  LAYOUT,
  openTrail,
  PARTITIONS,
  RECORD_BYTES_MAX,
  type Site,
  TREE,
  withSite,
} from "./site.ts";
import type { StepsTask } from "./steps.ts";
import { eventSubjects } from "./stream.ts";

const ENVELOPES = 100_000;

const SEND_TIMEOUT_MS = 300_000;
const STEPS_TIMEOUT_MS = 120_000;

const EVENTS = 60_000;
const AGENTS = 8;
const STEPS_ENVELOPES = 40_000;
/** Of one record, in the order they are done; redaction is a part of the record. */
const STEPS = [
  { name: "mirror", unit: "us" },
  { name: "record", unit: "us" },
  { name: "redact", unit: "us" },
  { name: "leaf", unit: "us" },
] as const;

const RATE = { name: "envelopes", unit: "envelopes/s", of: "rate" } as const;
const CPU = { name: "cpu", unit: "us/envelope" } as const;
const PEAK = { name: "peak", unit: "MB" } as const;

export function benchBridge(context: BenchContext, envelopes = ENVELOPES): Promise<Figure[]> {
  return withSite("bridge", context, async (site) => {
    const filled = await fill(site, { of: "calls", envelopes, bodyBytes: BODY_BYTES }, context);
    // What kafkajs is given, and the bridge's first run, which is not measured.
    const from = "reference";
    await carry(site, from, { ...filled, envelopes }, context);
    let runs = 0;
    const sent = (sends: Sends) => () =>
      sendWithKafkajs(site, { from, to: `run-${++runs}`, sends }, envelopes, context);
    const sides = {
      petrel: () => carry(site, `run-${++runs}`, { ...filled, envelopes }, context),
      partition: sent("partition"),
      batch: sent("batch"),
    };
    const { petrel, partition, batch } = await runRounds("bridge", sides, context);
    return [
      ...figuresOf("bridge", [RATE, CPU], petrel, partition),
      ...figuresOf("bridge-plain", [RATE, CPU], petrel, batch),
      ...figuresOf("bridge", [PEAK], petrel),
    ];
  });
}

/**
 * The same bridge beside nats-io/nats-kafka: one envelope a message, from several agents. No figures, and a
 * line that says why, where it cannot be built.
 */
export async function benchNatsKafka(context: BenchContext, envelopes = EVENTS): Promise<Figure[]> {
  const { signal, onProgress } = context;
  const program = await ensureNatsKafka(context).catch((error: unknown) => {
    signal.throwIfAborted();
    onProgress(`nats-kafka: skipped: ${messageOf(error, 300)}`);
    return undefined;
  });
  if (program === undefined) return [];
  return withSite("nats-kafka", context, async (site) => {
    const task = { of: { agents: AGENTS }, envelopes, bodyBytes: BODY_BYTES };
    const filled = await fill(site, task, context);
    const { messages } = filled;
    let runs = 0;
    let outOfOrder = 0;
    const peer = (subjects: readonly string[]) => async () => {
      const of = { topic: `peer-${++runs}`, subjects, messages };
      const run = await runNatsKafka(program, site, of, context);
      outOfOrder += run.outOfOrder;
      return { work: run.work, cost: run.cost };
    };
    const sides = {
      petrel: () => carry(site, `run-${++runs}`, { ...filled, envelopes }, context),
      subjects: peer(eventSubjects(AGENTS)),
      single: peer(["audit.>"]),
    };
    const { petrel, subjects, single } = await runRounds("nats-kafka", sides, context);
    onProgress(`nats-kafka: ${outOfOrder} of its records out of order within their keys`);
    const rate = { ...RATE, name: "messages", unit: "messages/s" };
    return [
      ...figuresOf("nats-kafka", [rate, PEAK], petrel, subjects),
      ...figuresOf("nats-kafka-one", [rate], petrel, single),
    ];
  });
}

/** What a record costs before it goes to Kafka: processor time in a process of its own. */
export async function benchRecords(
  context: BenchContext,
  envelopes = STEPS_ENVELOPES,
): Promise<Figure[]> {
  const task: StepsTask = { envelopes, bodyBytes: BODY_BYTES };
  const petrel = async () => {
    await using child = startChild("bridge/steps.ts", task, context.signal);
    return await child.next(Run, STEPS_TIMEOUT_MS);
  };
  const runs = await runRounds("records", { petrel }, context);
  return figuresOf("records", STEPS, runs.petrel);
}

async function fill(
  site: Site,
  task: Omit<FillTask, "url">,
  context: BenchContext,
): Promise<Filled> {
  context.onProgress(`bridge: filling the stream with ${task.envelopes} envelopes`);
  const filled = await fillStream({ ...task, url: site.url }, context);
  const { messages, reports, bytes } = filled;
  const megabytes = Math.round(bytes / 1e6);
  context.onProgress(`bridge: ${reports} reports in ${messages} messages, ${megabytes} MB`);
  return filled;
}

/** One run of ours. Throws unless all of the stream is in Kafka, and every record is its leaf. */
export async function carry(
  site: Site,
  prefix: string,
  stream: { readonly messages: number; readonly envelopes: number },
  { signal }: BenchContext,
): Promise<Run> {
  const { messages, envelopes } = stream;
  const config = await site.configFile(prefix);
  await using opened = await openTrail(site.brokers, prefix, signal);
  const until = { prefix, nextSeq: messages + 1, reader: opened.reader };
  const { peakMegabytes, cpuMicros } = await runBridge(config, until, signal);
  const rate = await rateOf(opened.trail.ledger(TREE), envelopes);
  await runVerify(config, site.keyring, envelopes, signal);
  return {
    work: { records: envelopes },
    cost: { rate, cpu: cpuMicros / envelopes, peak: peakMegabytes },
  };
}

/** Records a second, by the times at which the bridge began to write its batches: the last one's are not in it. */
async function rateOf(
  ledger: AsyncIterable<{ first: number; size: number; atMs: number } | PetrelError>,
  records: number,
): Promise<number> {
  let firstMs: number | undefined;
  let last = { first: 0, size: 0, atMs: 0 };
  for await (const entry of ledger) {
    if (entry instanceof PetrelError) throw entry;
    if (entry.size === entry.first) continue;
    firstMs ??= entry.atMs;
    last = entry;
  }
  if (last.size !== records)
    throw new PetrelError("INCOMPLETE", `bridge: ${last.size} of ${records} records in the ledger`);
  return (last.first * 1_000) / (last.atMs - (firstMs ?? 0));
}

/** One run of kafkajs, to topics of its own. Throws unless every record is there. */
async function sendWithKafkajs(
  site: Site,
  of: Pick<KafkajsTask, "from" | "to" | "sends">,
  records: number,
  { signal }: BenchContext,
): Promise<Run> {
  await using opened = await openTrail(site.brokers, of.to, signal);
  const topics = topicsOf({ prefix: of.to, layout: LAYOUT });
  const settings = { partitions: PARTITIONS, recordBytesMax: RECORD_BYTES_MAX };
  const specs = topics.map((topic) => ({ topic, ...settings }));
  await opened.client.withAdmin(
    (admin) => ensureTopics(admin, specs, { create: true, signal }),
    signal,
  );
  const task: KafkajsTask = { ...of, brokers: [...site.brokers], partitions: PARTITIONS };
  await using child = startChild("bridge/kafkajs.ts", task, signal);
  const run = await child.next(Run, SEND_TIMEOUT_MS);
  let stored = 0;
  for (const topic of topics)
    for (const { latest } of await opened.reader.offsetsOf(topic, signal)) stored += latest;
  const label = `bridge: kafkajs, one send a ${of.sends}`;
  checkWork(label, run, { records });
  checkWork(label, { work: { stored }, cost: {} }, { stored: records });
  return run;
}
