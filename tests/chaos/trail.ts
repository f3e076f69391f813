/** What a run left in Kafka and in JetStream, read and counted. */
import type { AuditAccess } from "../../a2a/mod.ts";
import { type AuditRecord, unpack } from "../../a2a/mod.ts";
import {
  decodeLedger,
  type KafkaClient,
  KafkaReader,
  leafHash,
  leafIndexOf,
  ledgerTopicOf,
  Mirror,
  readMessages,
  type StoredRecord,
  Tree,
  topicsOf,
} from "../../bridge/mod.ts";
import { parseTraceparent } from "../../core/mod.ts";
import { MIRROR, recorderOf, TOPICS } from "./world.ts";

/** The records of one call, as its trace id joins them. */
export interface CallRecords {
  requests: number;
  responses: number;
  /** Numbers of its frames, in the order they were met. */
  readonly frames: number[];
}

/** Everything in the topics of records, as a read_committed consumer sees it. */
export class KafkaView {
  records = 0;
  /** Envelopes and ids that stand there more than once; records that go back in their partition. */
  readonly twice: string[] = [];
  readonly disordered: string[] = [];
  readonly envelopes = new Set<string>();
  readonly calls = new Map<string, CallRecords>();
  /** Highest event number of each task, and how many there are. */
  readonly taskEvents = new Map<string, { count: number; highest: number }>();
  /** Notices by what they say. */
  readonly notices = new Map<string, number>();
  readonly gaps: { readonly reason: string; readonly missing: number | undefined }[] = [];
  /** Leaf hashes by leaf. */
  readonly #hashes: Uint8Array[] = [];
  readonly #ids = new Set<string>();

  take(record: StoredRecord): void {
    this.records++;
    const { headers } = record;
    const leaf = leafIndexOf(record) ?? -1;
    const id = headers.ce_id ?? "";
    if (this.#ids.has(id) || this.#hashes[leaf] !== undefined) this.twice.push(id);
    this.#ids.add(id);
    this.#hashes[leaf] = leafHash(record);
    const type = headers.ce_type ?? "";
    if (type.startsWith("petrel.audit.")) this.#takeNotice(type, record);
    else this.#takeEnvelope(type, headers);
  }

  /** Leaves without a record. */
  get holes(): number {
    let holes = 0;
    for (let leaf = 0; leaf < this.#hashes.length; leaf++) if (!this.#hashes[leaf]) holes++;
    return holes;
  }

  /** The root of the tree over what is here. */
  get tree(): Tree {
    const tree = new Tree();
    for (const hash of this.#hashes) if (hash) tree.append(hash);
    return tree;
  }

  hashAt(leaf: number): Uint8Array | undefined {
    return this.#hashes[leaf];
  }

  #takeEnvelope(type: string, headers: StoredRecord["headers"]): void {
    const envelope = headers.ce_envelopeid ?? "";
    if (this.envelopes.has(envelope)) this.twice.push(envelope);
    this.envelopes.add(envelope);
    const [, task, event] = /^(.+)\.e(\d+)$/.exec(envelope) ?? [];
    if (task !== undefined) {
      const known = this.taskEvents.get(task) ?? { count: 0, highest: 0 };
      const highest = Math.max(known.highest, Number(event));
      this.taskEvents.set(task, { count: known.count + 1, highest });
      return;
    }
    const traceId = parseTraceparent(headers.ce_traceparent ?? headers.traceparent)?.traceId ?? "";
    const call = this.calls.get(traceId) ?? { requests: 0, responses: 0, frames: [] };
    this.calls.set(traceId, call);
    if (type.endsWith(".request.v1")) call.requests++;
    else if (type.endsWith(".response.v1")) call.responses++;
    else call.frames.push(Number(/\.(\d+)$/.exec(envelope)?.[1]));
  }

  #takeNotice(type: string, { value }: StoredRecord): void {
    const kind = /^petrel\.audit\.(\w+)\.v1$/.exec(type)?.[1] ?? type;
    this.notices.set(kind, (this.notices.get(kind) ?? 0) + 1);
    if (kind !== "gap") return;
    const { reason, missing }: { reason: string; missing?: number } = JSON.parse(String(value));
    this.gaps.push({ reason, missing });
  }
}

export async function readKafka(client: KafkaClient, signal: AbortSignal): Promise<KafkaView> {
  const view = new KafkaView();
  const reader = new KafkaReader({ client });
  try {
    for (const topic of topicsOf(TOPICS)) {
      for (const { partition } of await reader.offsetsOf(topic, signal)) {
        let last = -1;
        const range = { topic, partition, fromOffset: "earliest", to: "end", signal } as const;
        for await (const record of reader.readPartition(range)) {
          view.take(record);
          const leaf = leafIndexOf(record) ?? -1;
          if (leaf <= last) view.disordered.push(`${topic}/${partition}/${record.offset}`);
          last = leaf;
        }
      }
    }
  } finally {
    await reader.close();
  }
  return view;
}

/** Where the last committed ledger entry says the bridge is. */
export async function lastLedger(reader: KafkaReader, signal: AbortSignal) {
  const record = await reader.lastRecord(ledgerTopicOf(TOPICS), 0, signal);
  return record && decodeLedger(record.value, "the last ledger entry");
}

interface Ends {
  caller: number;
  agent: number;
}

/** What the stream holds, and what a mirror that never saw it before makes of it. */
export interface StreamView {
  readonly tree: Tree;
  /** Every envelope that is reported at least once. */
  readonly envelopes: ReadonlySet<string>;
  /** Envelopes of each call, by its trace id, that each end reports. */
  readonly ends: ReadonlyMap<string, Ends>;
  readonly reports: number;
  readonly packs: number;
  /** The first leaf that is another in Kafka. */
  readonly differs: number | undefined;
}

/** Mirrors the stream up to, and without, `toSeq`, and compares with what is in Kafka. */
export async function readStream(
  { js, jsm }: AuditAccess,
  kafka: KafkaView,
  nextSeq: number,
  signal: AbortSignal,
): Promise<StreamView> {
  const mirror = new Mirror(MIRROR, { nextSeq: 1 });
  const recorder = recorderOf();
  const tree = new Tree();
  const envelopes = new Set<string>();
  const ends = new Map<string, Ends>();
  const sides = new Set<string>();
  let [reports, packs] = [0, 0];
  let differs: number | undefined;
  const read = { js, jsm, toSeq: nextSeq - 1, follow: false, signal };
  for await (const message of readMessages(read)) {
    packs++;
    for (const report of unpack(message.data).records) {
      reports++;
      envelopes.add(report.id);
      addEnd(ends, sides, report);
    }
    for (const fact of mirror.accept(message)) {
      const hash = leafHash(recorder.record(fact, "AUDIT.0", tree.size).record);
      const known = kafka.hashAt(tree.size);
      if (!known || Buffer.compare(hash, known) !== 0) differs ??= tree.size;
      tree.append(hash);
    }
  }
  return { tree, envelopes, ends, reports, packs, differs };
}

/** Counts an envelope of a call for the end that reports it, once; a task's events have but one end. */
function addEnd(ends: Map<string, Ends>, sides: Set<string>, report: AuditRecord): void {
  const { id, side, kind, traceparent } = report;
  const known = `${side} ${id}`;
  if (kind === "task" || sides.has(known)) return;
  sides.add(known);
  const traceId = parseTraceparent(traceparent)?.traceId ?? "";
  const both = ends.get(traceId) ?? { caller: 0, agent: 0 };
  both[side]++;
  ends.set(traceId, both);
}
