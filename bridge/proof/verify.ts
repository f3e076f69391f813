/**
 * Verifies the audit trail of one tree in one pass, with memory that does not grow with it:
 *
 *  1. every checkpoint is signed by a key in use at its time, of this tree, and no smaller than the last;
 *  2. the ledger is whole, its hashes give its frontiers, and its tree has the root of every checkpoint,
 *     so that each checkpoint's tree is the beginning of the next one's;
 *  3. every record is its leaf, in its partition and in order, and no leaf is without a record;
 *  4. where a replay of JetStream is given, it gives the same leaves.
 *
 * It reads iterables, not Kafka, and never writes.
 */
import { asPetrelError, type Clock, PetrelError, systemClock } from "../../core/mod.ts";
import type { LedgerEntry } from "../ledger.ts";
import { LedgerChain } from "./chain.ts";
import { CheckpointWalk, type PlacedNote } from "./checkpoints.ts";
import { type Finding, type FindingKind, Findings } from "./findings.ts";
import type { MergedRecord } from "./merge.ts";
import type { Verifier } from "./note.ts";
import { RecordCheck } from "./records.ts";
import { ReplayCheck, type Replayed } from "./replay.ts";

export interface Trail {
  /** `<stream>.<shard>`. */
  readonly tree: string;
  /** The tree's entries in order; one that could not be read comes as its error. */
  readonly ledger: AsyncIterable<LedgerEntry | PetrelError>;
  /** The tree's records, from mergeByLeaf. */
  readonly records: AsyncIterable<MergedRecord>;
  /** Checkpoints as Kafka holds them, in order. */
  readonly checkpoints: AsyncIterable<PlacedNote>;
  /** Checkpoints as they were kept outside Kafka, in order. */
  readonly outside?: AsyncIterable<PlacedNote>;
  /** Leaf hashes recomputed from JetStream. */
  readonly replayed?: Replayed;
  /** Keys that may sign, with their times; from loadVerifiers. */
  readonly verifiers: readonly Verifier[];
  /** The partition that a key of a topic belongs to. */
  readonly partitionOf: (topic: string, key: string) => number;
}

export interface VerifyOptions {
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Trees that share the topics of records, checkpoints and the file. */
  readonly otherTrees?: readonly string[];
  /** How far clocks may be apart; default five minutes. */
  readonly skewMs?: number;
  /** The newest checkpoint may be this old when leaves have come after it; default: any age. */
  readonly checkpointAgeMsMax?: number;
  /** Records of leaves written before this time may be gone by retention; default: none may. */
  readonly retainedFromMs?: number;
  /** True when the trail may grow while it is read; records beyond the ledger's end are then only counted. */
  readonly isLive?: boolean;
  /** Findings that are named; default 100. */
  readonly findingsMax?: number;
  /** Told how many leaves are verified, after each entry. */
  readonly onProgress?: (leaves: number) => void;
}

export interface VerifyReport {
  readonly tree: string;
  /**
   * True when nothing was found. What no checkpoint covers agrees with itself alone: a trail without
   * checkpoints is intact too, with all of it in `unsignedTail`.
   */
  readonly isIntact: boolean;
  /** Leaf at which the ledger begins: above 0, retention has deleted what was before it. */
  readonly first: number;
  /** Leaves in the tree. */
  readonly size: number;
  /** From this leaf on, each hash is bound to the checkpoints; those before it are the ledger's word. */
  readonly provenFrom: number;
  /** Leaves under the last good checkpoint. */
  readonly provenTo: number;
  /** Leaves after the last good checkpoint: not signed yet, which is no error. */
  readonly unsignedTail: number;
  /** Records equal to their leaf hash. */
  readonly matched: number;
  /** Leaves whose records retention may have deleted. */
  readonly expired: number;
  /** Records of leaves before the ledger's beginning, or in a hole of it. */
  readonly uncompared: number;
  /** Records beyond the ledger's end, of a live trail. */
  readonly beyond: number;
  /** Checkpoints the ledger agrees with; those of one size and root count once. */
  readonly checkpoints: number;
  /** Checkpoints of sizes that the ledger no longer tells a root of. */
  readonly uncheckable: number;
  /** Leaves equal to their replay; absent when there was none. */
  readonly replayed?: number;
  /** The first findings, by leaf. */
  readonly findings: readonly Finding[];
  /** Findings of each kind, those without a name included. */
  readonly counts: Readonly<Partial<Record<FindingKind, number>>>;
}

const SKEW_MS = 300_000;
const FINDINGS_MAX = 100;

/**
 * Verifies a trail to its end and reports what was found. Throws what the iterables throw, CANCELLED when
 * the signal aborts; what is wrong with the trail is a finding, never an error.
 */
export async function verifyTrail(
  trail: Trail,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const pass = new Pass(trail, options);
  try {
    for await (const entry of trail.ledger) {
      if (options.signal?.aborted)
        throw asPetrelError(options.signal.reason, "CANCELLED", "verifying the audit trail");
      await pass.take(entry);
    }
    return await pass.finish();
  } finally {
    await pass.close();
  }
}

/** One run over a trail: the parts, and the order in which they see an entry. */
class Pass {
  readonly #trail: Trail;
  readonly #options: VerifyOptions;
  readonly #nowMs: number;
  readonly #findings: Findings;
  readonly #chain: LedgerChain;
  readonly #records: RecordCheck;
  readonly #checkpoints: CheckpointWalk;
  readonly #replay: ReplayCheck | undefined;

  constructor(trail: Trail, options: VerifyOptions) {
    const { tree, verifiers, partitionOf } = trail;
    const { skewMs = SKEW_MS, otherTrees = [], isLive = false } = options;
    const { retainedFromMs = Number.NEGATIVE_INFINITY } = options;
    const nowMs = (options.clock ?? systemClock).nowMs();
    const findings = new Findings(options.findingsMax ?? FINDINGS_MAX);
    this.#trail = trail;
    this.#options = options;
    this.#nowMs = nowMs;
    this.#findings = findings;
    this.#chain = new LedgerChain(tree, skewMs, findings);
    const checking = { partitionOf, retainedFromMs, isLive };
    this.#records = new RecordCheck(trail.records, checking, findings);
    const walking = { tree, otherTrees, verifiers, nowMs, skewMs };
    this.#checkpoints = new CheckpointWalk(trail.checkpoints, trail.outside, walking, findings);
    this.#replay = trail.replayed && new ReplayCheck(trail.replayed, findings);
  }

  async take(entry: LedgerEntry | PetrelError): Promise<void> {
    if (entry instanceof PetrelError) {
      this.#chain.unreadable(entry.message);
    } else if (this.#chain.accepts(entry)) {
      this.#chain.fold(entry, await this.#records.compare(entry));
      await this.#checkUpTo(entry.size);
      await this.#replay?.compare(entry);
      this.#options.onProgress?.(entry.size);
    }
  }

  async finish(): Promise<VerifyReport> {
    const [chain, records, findings] = [this.#chain, this.#records, this.#findings];
    await records.finish();
    await this.#checkUpTo(chain.size);
    await this.#checkpoints.finish(chain.size);
    chain.finish();
    this.#checkAge();
    const provenTo = chain.good?.checkpoint.size ?? 0;
    return {
      tree: this.#trail.tree,
      isIntact: findings.isEmpty,
      first: chain.first,
      size: chain.size,
      provenFrom: chain.provenFrom,
      provenTo,
      unsignedTail: chain.size - Math.max(chain.first, provenTo),
      matched: records.matched,
      expired: records.expired,
      uncompared: records.uncompared,
      beyond: records.beyond,
      checkpoints: chain.goodCount,
      uncheckable: chain.uncheckable,
      replayed: this.#replay?.compared,
      findings: findings.named,
      counts: findings.counts,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#records.close(), this.#checkpoints.close(), this.#replay?.close()]);
  }

  async #checkUpTo(size: number): Promise<void> {
    for (;;) {
      const group = await this.#checkpoints.next(size);
      if (group.length === 0) return;
      for (const signed of group) this.#chain.check(signed);
    }
  }

  #checkAge(): void {
    const { good, size } = this.#chain;
    const oldestMs = this.#nowMs - (this.#options.checkpointAgeMsMax ?? Infinity);
    if (!good || good.checkpoint.size === size || good.checkpoint.atMs >= oldestMs) return;
    const time = new Date(good.checkpoint.atMs).toISOString();
    const message = `the newest checkpoint, at ${good.place}, is of ${time}: too old for the leaves after it`;
    this.#findings.add({ kind: "checkpoint-expired", place: good.place, message });
  }
}
