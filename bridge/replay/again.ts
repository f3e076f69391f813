/**
 * Leaf hashes made again from JetStream, to hold against the ledger: the same stream and the same
 * configuration give the same records, to the byte.
 *
 * What retention has taken from the stream is not there to be mirrored, and the mirror's state at a later
 * place depends on it: which reports still waited for their other half. So after a cut the comparison
 * begins where a full horizon has gone by.
 */
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { AUDIT_STREAM } from "../../a2a/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { Mirror, type MirrorOptions } from "../mirror/mirror.ts";
import { leafHash } from "../proof/merkle.ts";
import type { Replayed } from "../proof/replay.ts";
import { readMessages } from "../reader.ts";
import type { Recorder } from "../recorder.ts";

export interface AgainOptions {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly tree: string;
  /** The shard's subjects; undefined when there is but one shard. */
  readonly filter?: string;
  /** As the bridge has them. */
  readonly mirror: MirrorOptions;
  readonly recorder: Recorder;
  /** Places at which a batch ended: the next sequence, and the leaves so far; rising. */
  readonly boundaries: readonly Boundary[];
  readonly signal: AbortSignal;
}

export interface Boundary {
  readonly nextSeq: number;
  readonly size: number;
}

interface Start extends Boundary {
  /** Where the mirror begins, so that it knows enough at `nextSeq`. */
  readonly readFrom: number;
}

/**
 * The leaves of a tree as the stream gives them. Throws INCOMPLETE when the stream no longer reaches far
 * enough back for a single one.
 */
export async function replayLeaves(options: AgainOptions): Promise<Replayed> {
  const start = await startOf(options);
  return { first: start.size, hashes: hashes(options, start) };
}

async function* hashes(
  { js, jsm, tree, filter, mirror: mirrorOptions, recorder, signal }: AgainOptions,
  start: Start,
): AsyncGenerator<Uint8Array, void, undefined> {
  const mirror = new Mirror(mirrorOptions, { nextSeq: start.readFrom });
  const read = { js, jsm, fromSeq: start.readFrom, follow: false, signal };
  let leaf = start.size;
  for await (const message of readMessages(filter === undefined ? read : { ...read, filter })) {
    const facts = mirror.accept(message);
    if (message.seq < start.nextSeq) continue;
    for (const fact of facts) yield leafHash(recorder.record(fact, tree, leaf++).record);
  }
}

async function startOf(options: AgainOptions): Promise<Start> {
  const { jsm, tree, boundaries, mirror } = options;
  const { state } = await jsm.streams.info(AUDIT_STREAM);
  const begun = beginningOf(tree);
  if (state.first_seq <= begun.nextSeq) return { ...begun, readFrom: begun.nextSeq };
  const firstMs = (await timeOf(jsm, state.first_seq)) ?? 0;
  const fromMs = firstMs + mirror.horizonMs + mirror.silenceMs;
  const later = boundaries.filter(
    ({ nextSeq }) => nextSeq > state.first_seq && nextSeq <= state.last_seq,
  );
  // Times rise with the sequence: the first boundary that is late enough, by halving.
  let [low, high] = [0, later.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const timeMs = await timeOf(jsm, later[middle]?.nextSeq ?? 0);
    if (timeMs !== undefined && timeMs >= fromMs) high = middle;
    else low = middle + 1;
  }
  const found = later[low];
  if (found) return { ...found, readFrom: state.first_seq };
  throw new PetrelError(
    "INCOMPLETE",
    `${AUDIT_STREAM} begins at sequence ${state.first_seq}: nothing of ${tree} can be made again from so little`,
    { firstSeq: state.first_seq },
  );
}

/** `<stream>.<shard>` begins with the stream; one that an operator began, behind the record that says so. */
function beginningOf(tree: string): Boundary {
  const from = Number(tree.split(".")[2] ?? 0);
  return from > 0 ? { nextSeq: from, size: 1 } : { nextSeq: 1, size: 0 };
}

async function timeOf(jsm: JetStreamManager, seq: number): Promise<number | undefined> {
  return (await jsm.streams.getMessage(AUDIT_STREAM, { seq }))?.time.getTime();
}
