/**
 * Writes a trail as a bridge does, without a JetStream before it: mirror, redaction, records, leaves, a
 * ledger entry in every transaction, a signed checkpoint in the last.
 */
import { z } from "zod";
import {
  encodeLedger,
  ensureTopics,
  KafkaSink,
  kafkaClient,
  leafHash,
  ledgerTopicOf,
  loadSigner,
  Mirror,
  makeEncoder,
  makeRecorder,
  originOf,
  signCheckpoint,
  Tree,
  topicsOf,
} from "../../bridge/mod.ts";
import { makeRedactor, silentLogger } from "../../core/mod.ts";
import { answer, readTask } from "../worker.ts";
import { LAYOUT, PARTITIONS, RECORD_BYTES_MAX, TREE } from "./site.ts";
import { callStream } from "./stream.ts";

export const WriteTask = z.object({
  brokers: z.array(z.string()),
  prefix: z.string(),
  /** The private key of the checkpoint. */
  keyFile: z.string(),
  envelopes: z.number(),
  bodyBytes: z.number(),
});
export type WriteTask = z.infer<typeof WriteTask>;

export const Written = z.object({ records: z.number() });

const BATCH_RECORDS = 2_000;
const TIMEOUT_MS = 30_000;
const BEGIN_MS = Date.UTC(2026, 2, 13, 14, 20);

type Records = ReturnType<ReturnType<typeof makeEncoder>>[];

class Writer {
  readonly tree = new Tree();
  readonly #task: WriteTask;
  readonly #sink: KafkaSink;
  #records: Records = [];
  #hashes: Uint8Array[] = [];
  #first = 0;

  constructor(task: WriteTask, sink: KafkaSink) {
    this.#task = task;
    this.#sink = sink;
  }

  get isFull(): boolean {
    return this.#records.length >= BATCH_RECORDS;
  }

  add(record: Records[number]): void {
    const hash = leafHash(record);
    this.tree.append(hash);
    this.#hashes.push(hash);
    this.#records.push(record);
  }

  async commit(nextSeq: number, extra: Records = []): Promise<void> {
    const { tree } = this;
    const atMs = Date.now();
    const { size, frontier } = tree;
    const hashes = Buffer.concat(this.#hashes);
    const place = { tree: TREE.tree, first: this.#first, size, nextSeq, atMs };
    const ledger = {
      topic: ledgerTopicOf(this.#task),
      partition: TREE.shard,
      key: TREE.tree,
      value: encodeLedger({ ...place, hashes, frontier }),
      headers: {},
      timestampMs: atMs,
    };
    const batch = { records: this.#records, ledger, extra };
    this.#records = [];
    this.#hashes = [];
    this.#first = size;
    await this.#sink.commit(batch, new AbortController().signal);
  }
}

async function write(task: WriteTask): Promise<z.infer<typeof Written>> {
  const { signal } = new AbortController();
  const { brokers, prefix, envelopes, bodyBytes } = task;
  const settings = { brokers, clientId: "petrel-bench", timeoutMs: TIMEOUT_MS };
  const client = await kafkaClient(settings, silentLogger);
  const checkpoints = `${prefix}.checkpoints`;
  const one = [ledgerTopicOf({ prefix }), checkpoints];
  const specs = [...topicsOf({ prefix, layout: LAYOUT }), ...one].map((topic) => ({
    topic,
    partitions: one.includes(topic) ? 1 : PARTITIONS,
    recordBytesMax: RECORD_BYTES_MAX,
  }));
  await client.withAdmin((admin) => ensureTopics(admin, specs, { create: true, signal }), signal);
  const topics = new Map(specs.map(({ topic, partitions }) => [topic, partitions]));
  const sink = new KafkaSink({ client, transactionalId: `${prefix}.bridge.0`, topics });
  await sink.open(signal);
  const recorder = makeRecorder({
    redactor: makeRedactor({ key: new Uint8Array(32).fill(7) }),
    encode: makeEncoder({ prefix, layout: LAYOUT, content: "binary", encoding: "json" }),
    valueBytesMax: RECORD_BYTES_MAX,
  });
  const mirrorOptions = { stream: "AUDIT", horizonMs: 900_000, silenceMs: 300_000, isWhole: true };
  const mirror = new Mirror(mirrorOptions, { nextSeq: 1 });
  const writer = new Writer(task, sink);
  let seq = 0;
  for (const { subject, header: pack, data } of callStream(envelopes, bodyBytes)) {
    const timeMs = BEGIN_MS + seq;
    for (const fact of mirror.accept({ seq: ++seq, subject, pack, data, timeMs }))
      writer.add(recorder.record(fact, TREE.tree, writer.tree.size).record);
    if (writer.isFull) await writer.commit(seq + 1);
  }
  await writer.commit(seq + 1);
  await writer.commit(seq + 1, [await checkpointOf(task, writer.tree, seq + 1)]);
  await sink.close();
  return { records: writer.tree.size };
}

/** In a transaction after the last record's, so that it speaks of what is there. */
async function checkpointOf({ prefix, keyFile }: WriteTask, tree: Tree, nextSeq: number) {
  const state = { origin: originOf(TREE.tree), size: tree.size, root: tree.root() };
  const note = signCheckpoint({ ...state, atMs: Date.now(), nextSeq }, [await loadSigner(keyFile)]);
  const headers = { "content-type": "text/plain; charset=utf-8" };
  const value = Buffer.from(note);
  return {
    topic: `${prefix}.checkpoints`,
    key: TREE.tree,
    value,
    headers,
    timestampMs: Date.now(),
  };
}

if (import.meta.main) answer(await write(readTask(WriteTask)));
