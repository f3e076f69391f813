/**
 * Where a session takes up: the last committed ledger entry says which message is next and what the tree
 * was; the mirror's state comes from its last copy, brought up to the ledger by reading the stream again.
 * A place that cannot be right is refused: nothing begins at 1 in silence.
 */
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { AUDIT_STREAM } from "../a2a/mod.ts";
import { type Clock, type Logger, messageOf, PetrelError } from "../core/mod.ts";
import type { KafkaRecord, StoredRecord } from "./kafka/record.ts";
import { decodeLedger, type LedgerEntry } from "./ledger.ts";
import type { Fact } from "./mirror/fact.ts";
import { Mirror, type MirrorOptions } from "./mirror/mirror.ts";
import { decodeState, type MirrorState } from "./mirror/state.ts";
import { Tree } from "./proof/merkle.ts";
import { readMessages } from "./reader.ts";
import type { StateStore } from "./stores.ts";

/** What a start has to know of Kafka. */
export interface Trail {
  /** The last committed ledger record of a shard. */
  lastLedger(shard: number, signal: AbortSignal): Promise<StoredRecord | undefined>;
  /** True when nothing was ever written: to the shard's ledger, and to the topics of the records. */
  isUntouched(shard: number, signal: AbortSignal): Promise<boolean>;
  /**
   * The records beyond the ledger's `size` that Kafka has nevertheless. A transaction is all or nothing, but
   * a broker that is killed while it ends one may have ended it in some partitions only.
   */
  writtenAlready(tree: string, size: number, signal: AbortSignal): Promise<Written | undefined>;
}

/** Records that are in Kafka although the ledger does not know them. */
export interface Written {
  /** The last leaf among them. */
  readonly upTo: number;
  has(record: KafkaRecord): boolean;
}

export interface ResumeOptions {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly shard: number;
  /** The shard's subjects; undefined when there is but one shard. */
  readonly filter?: string;
  readonly trail: Trail;
  readonly states: StateStore;
  readonly mirror: MirrorOptions;
  /** Set by an operator who accepts that what came before is not mirrored here. */
  readonly resumeFrom?: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Resumed {
  readonly mirror: Mirror;
  readonly tree: Tree;
  readonly treeName: string;
  /** What the trail has to say of the start itself. */
  readonly facts: readonly Fact[];
  /** What need not be written again. */
  readonly written?: Written;
}

export async function resume(options: ResumeOptions): Promise<Resumed> {
  const { shard, trail, signal, log } = options;
  const stored = await trail.lastLedger(shard, signal);
  if (!stored) return beginning(options);
  const place = `${stored.topic}/${stored.partition} offset ${stored.offset}`;
  const entry = decodeLedger(stored.value, place);
  const { state } = await options.jsm.streams.info(AUDIT_STREAM);
  if (entry.nextSeq > state.last_seq + 1) {
    if (options.resumeFrom !== undefined) return anew(options, options.resumeFrom);
    throw refused(
      `the checkpoint is from the future: it says ${entry.nextSeq}, the stream ${AUDIT_STREAM} ends at ${state.last_seq}`,
      { nextSeq: entry.nextSeq, lastSeq: state.last_seq, place },
    );
  }
  const mirror = await mirrorAt(options, entry, state.first_seq);
  const tree = new Tree(entry.size, entry.frontier);
  log.info("bridge.resumed", { shard, nextSeq: entry.nextSeq, tree: entry.tree, size: entry.size });
  const written = await trail.writtenAlready(entry.tree, entry.size, signal);
  if (written) log.warn("bridge.half_committed", { shard, size: entry.size, upTo: written.upTo });
  return {
    mirror,
    tree,
    treeName: entry.tree,
    ...(written === undefined ? {} : { written }),
    facts: goneBefore(options, entry.nextSeq, state.first_seq),
  };
}

/** No ledger: either nothing was ever written, or the checkpoint is gone. */
async function beginning(options: ResumeOptions): Promise<Resumed> {
  const { shard, trail, log, signal } = options;
  if (options.resumeFrom !== undefined) return anew(options, options.resumeFrom);
  if (!(await trail.isUntouched(shard, signal))) {
    throw refused(
      `the ledger of shard ${shard} is empty, but the topics are not: its checkpoint is gone`,
      {
        shard,
      },
    );
  }
  log.info("bridge.begins", { shard });
  const { state } = await options.jsm.streams.info(AUDIT_STREAM);
  const mirror = new Mirror(options.mirror, { nextSeq: 1 });
  const facts = goneBefore(options, 1, state.first_seq);
  return { mirror, tree: new Tree(), treeName: `${options.mirror.stream}.${shard}`, facts };
}

/**
 * The hole that retention made, where the mirror cannot see it: it has but a share of the sequences.
 * Where it has all of them, it finds the hole by itself.
 */
function goneBefore(
  { mirror: { stream, isWhole }, clock }: ResumeOptions,
  nextSeq: number,
  firstSeq: number,
): Fact[] {
  if (isWhole || firstSeq <= nextSeq) return [];
  return [
    {
      kind: "gap",
      place: { stream, seq: firstSeq, index: 0 },
      timeMs: clock.nowMs(),
      reason: "stream",
      sender: "",
      reporter: "",
      from: nextSeq,
      to: firstSeq - 1,
      missing: undefined,
    },
  ];
}

/** A new tree from a place an operator chose; the trail says so in its first record. */
function anew({ mirror: mirrorOptions, shard, log, clock }: ResumeOptions, from: number): Resumed {
  const { stream } = mirrorOptions;
  const treeName = `${stream}.${shard}.${from}`;
  log.warn("bridge.resumed_by_operator", { shard, from, tree: treeName });
  const told: Fact = {
    kind: "gap",
    place: { stream, seq: from, index: 0 },
    timeMs: clock.nowMs(),
    reason: "resumed",
    sender: "",
    reporter: "",
    from: 1,
    to: from - 1,
    missing: undefined,
  };
  const mirror = new Mirror(mirrorOptions, { nextSeq: from });
  return { mirror, tree: new Tree(), treeName, facts: [told] };
}

function refused(what: string, fields: Record<string, string | number>): PetrelError {
  return new PetrelError(
    "CONFIG_INVALID",
    `bridge: ${what}; to go on all the same, with a gap on record: petrel up --role bridge --resume-from SEQ`,
    fields,
  );
}

/** The mirror as it was when `entry` was written. */
async function mirrorAt(
  options: ResumeOptions,
  entry: LedgerEntry,
  firstSeq: number,
): Promise<Mirror> {
  const { js, jsm, filter, log, signal } = options;
  const saved = await savedState(options, entry);
  const mirror = new Mirror(options.mirror, saved ?? { nextSeq: Math.max(1, firstSeq) });
  const fromSeq = mirror.nextSeq;
  const toSeq = entry.nextSeq - 1;
  const again = { js, jsm, fromSeq, toSeq, follow: false, signal };
  let facts = 0;
  for await (const message of readMessages(filter === undefined ? again : { ...again, filter }))
    facts += mirror.accept(message).length;
  if (saved && saved.size + facts !== entry.size)
    log.error("bridge.ledger_differs", {
      fromSeq,
      toSeq,
      facts,
      expected: entry.size - saved.size,
    });
  mirror.goOnAt(entry.nextSeq);
  return mirror;
}

/** The copy of the state, unless it belongs to another tree or to a later place. */
async function savedState(
  { states, shard, log, signal }: ResumeOptions,
  entry: LedgerEntry,
): Promise<MirrorState | undefined> {
  try {
    const bytes = await states.load(shard, signal);
    if (!bytes) return undefined;
    const state = decodeState(bytes);
    const isUsable = state.tree === entry.tree && state.nextSeq <= entry.nextSeq;
    return isUsable ? state : undefined;
  } catch (error) {
    signal.throwIfAborted();
    log.warn("bridge.state_unreadable", { shard, error: messageOf(error) });
    return undefined;
  }
}
