/**
 * The bridge: AUDIT messages in, Kafka transactions out, one shard per instance of this class.
 *
 * A session fences whoever wrote before, takes up where the ledger in Kafka says, and carries batch after
 * batch, each with its ledger entry in one transaction. Any error ends the session; the next one starts
 * from the ledger again. That is all there is to exactly-once: nothing is remembered that Kafka did not
 * commit.
 */
import type { KV } from "@nats-io/kv";
import { asPetrelError, type Clock, type Logger, type PetrelError } from "../core/mod.ts";
import type { CheckpointWriter } from "./checkpoints.ts";
import { type Batch, Filling } from "./filling.ts";
import type { KafkaRecord } from "./kafka/record.ts";
import { acquireLease } from "./lease.ts";
import { encodeLedger } from "./ledger.ts";
import type { Fact } from "./mirror/fact.ts";
import { readMessages } from "./reader.ts";
import type { Recorder } from "./recorder.ts";
import { type Resumed, type ResumeOptions, resume, type Written } from "./resume.ts";
import type { Status } from "./status.ts";
import type { BodyStore } from "./stores.ts";

/** What the bridge needs of Kafka: one transaction per batch. */
export interface Sink {
  /** Fences every earlier writer of this shard, and resolves what it left open. */
  open(signal: AbortSignal): Promise<void>;
  /** Writes all of it, or nothing. After an error the sink is of no more use. */
  commit(
    batch: {
      readonly records: readonly KafkaRecord[];
      readonly ledger: KafkaRecord & { readonly partition: number };
      readonly extra: readonly KafkaRecord[];
    },
    signal: AbortSignal,
  ): Promise<unknown>;
  close(): Promise<void>;
}

export interface BridgeOptions extends Omit<ResumeOptions, "signal"> {
  readonly kv: KV;
  /** This process, in the lease. */
  readonly instance: string;
  readonly leaseTermMs: number;
  readonly newSink: () => Sink;
  readonly ledgerTopic: string;
  readonly recorder: Recorder;
  readonly bodies: BodyStore;
  readonly checkpoints: CheckpointWriter;
  readonly status: Status;
  readonly batchRecords: number;
  readonly batchBytes: number;
  readonly lingerMs: number;
  /** Without records, how often the place in the stream is written all the same. */
  readonly idleMs: number;
  /** Between two copies of the mirror's state: what a restart has to read again at most. */
  readonly stateEveryMs: number;
  /**
   * Told of everything that shows the audit is not whole: before it is in Kafka, so that no crash swallows it.
   * Once a process; one that dies before the commit leaves it to be told again by the next.
   */
  readonly onAlarm: (fact: Fact) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const BACKOFF_FIRST_MS = 100;
const BACKOFF_CAP_MS = 15_000;
/** More than a batch holds. */
const TOLD_MAX = 20_000;

/** Carries the shard until `signal` aborts. Throws only what no retry can mend. */
export async function runBridge(options: BridgeOptions, signal: AbortSignal): Promise<void> {
  const { kv, shard, instance: holder, leaseTermMs: termMs, clock, log } = options;
  const onAlarm = onceEach(options.onAlarm);
  while (!signal.aborted) {
    const lease = { kv, key: `lease.${shard}`, holder, termMs, clock, log };
    const held = await acquireLease(lease, signal).catch(ignoreAbort(signal));
    if (!held) return;
    try {
      await carry({ ...options, onAlarm }, AbortSignal.any([signal, held.signal]));
    } finally {
      await held.release();
      options.status.standby();
    }
  }
}

/** Passes a fact on the first time: the batch it is in may be tried many times. */
function onceEach(onAlarm: (fact: Fact) => void): (fact: Fact) => void {
  const told = new Set<string>();
  return (fact) => {
    const { seq, index } = fact.place;
    const name = `${fact.kind} ${fact.kind === "gap" ? fact.reason : ""} ${seq}.${index}`;
    if (told.has(name)) return;
    if (told.size === TOLD_MAX) for (const oldest of told.keys().take(1)) told.delete(oldest);
    told.add(name);
    onAlarm(fact);
  };
}

/** Sessions, one after the other, with a backoff that grows while none gets anything done. */
async function carry(options: BridgeOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, status } = options;
  let waitMs = BACKOFF_FIRST_MS;
  while (!signal.aborted) {
    const before = status.committed;
    try {
      await session(options, signal);
    } catch (error) {
      if (signal.aborted) return;
      const known = asPetrelError(error, "INTERNAL", "bridge");
      if (isHopeless(known)) throw known;
      if (status.committed > before) waitMs = BACKOFF_FIRST_MS;
      status.failed(known);
      log.warn("bridge.restart", { error: known, waitMs });
      await clock.sleep(waitMs * (0.5 + Math.random() / 2), signal).catch(() => {});
      waitMs = Math.min(waitMs * 2, BACKOFF_CAP_MS);
    }
  }
}

/** What is wrong with the set-up stays wrong; everything else may pass. */
function isHopeless(error: PetrelError): boolean {
  return error.code === "CONFIG_INVALID" || error.code === "USAGE";
}

async function session(options: BridgeOptions, outer: AbortSignal): Promise<void> {
  const ending = new AbortController();
  const signal = AbortSignal.any([outer, ending.signal]);
  const sink = options.newSink();
  try {
    options.status.starting();
    await sink.open(signal);
    const resumed = await resume({ ...options, signal });
    options.status.carrying(resumed.mirror.nextSeq, resumed.tree.size);
    const filling = new Filling({
      ...resumed,
      recorder: options.recorder,
      clock: options.clock,
      recordsMax: options.batchRecords,
      bytesMax: options.batchBytes,
      lingerMs: options.lingerMs,
    });
    const parts = [
      pump(options, resumed, filling, signal),
      commitAll(options, resumed, filling, sink, signal),
    ];
    try {
      await Promise.race(parts);
    } finally {
      ending.abort();
      await Promise.allSettled(parts);
    }
  } finally {
    ending.abort();
    await sink.close();
  }
}

/** Stream to batch: reads on while the batch before is written. */
async function pump(
  options: BridgeOptions,
  { mirror, facts }: Resumed,
  filling: Filling,
  signal: AbortSignal,
): Promise<void> {
  if (facts.length > 0) await filling.add(facts, signal);
  const { js, jsm, filter } = options;
  const read = { js, jsm, fromSeq: mirror.nextSeq, follow: true, signal };
  for await (const message of readMessages(filter === undefined ? read : { ...read, filter }))
    await filling.add(mirror.accept(message), signal);
}

/** Batch to Kafka. What follows a commit never holds the next one up for long. */
async function commitAll(
  options: BridgeOptions,
  { treeName, written }: Resumed,
  filling: Filling,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  const { bodies, checkpoints, states, status, clock, idleMs } = options;
  let savedMs = 0;
  while (!signal.aborted) {
    const isStateDue = clock.nowMs() - savedMs >= options.stateEveryMs;
    const batch = await filling.take(idleMs, isStateDue, signal);
    for (const fact of batch.alarms) options.onAlarm(fact);
    const checkpoint = checkpoints.due(treeName, batch);
    if (batch.isEmpty && !checkpoint) continue;
    await Promise.all(batch.bodies.map((body) => bodies.put(body, signal)));
    const extra = checkpoint ? [checkpoint.record] : [];
    const ledger = ledgerRecord(options, treeName, batch);
    const records = recordsOf(batch, written);
    await sink.commit({ records, ledger, extra }, signal);
    status.committedBatch(batch);
    if (checkpoint) checkpoints.publish(checkpoint);
    if (!batch.state) continue;
    savedMs = clock.nowMs();
    states.save(options.shard, batch.state);
  }
}

/** The batch's records, but for those a half-ended transaction has left in Kafka. */
function recordsOf(
  { records, first }: Batch,
  written: Written | undefined,
): readonly KafkaRecord[] {
  return written && first <= written.upTo ? records.filter((one) => !written.has(one)) : records;
}

function ledgerRecord(
  { ledgerTopic: topic, shard: partition, clock }: BridgeOptions,
  tree: string,
  batch: Batch,
): KafkaRecord & { partition: number } {
  const atMs = clock.nowMs();
  const value = encodeLedger({ ...batch, tree, atMs });
  return { topic, partition, key: tree, value, headers: {}, timestampMs: atMs };
}

function ignoreAbort(signal: AbortSignal) {
  return (error: unknown): undefined => {
    if (!signal.aborted) throw error;
  };
}
