/**
 * Folds the ledger into a tree and holds that against the ledger's own frontiers and against signed
 * checkpoints.
 *
 * When the hashes of an entry do not give its frontier, one of the two was changed. Both readings are
 * carried on until the next entry, or a checkpoint, agrees with one of them.
 */
import { HASH_BYTES, type LedgerEntry } from "../ledger.ts";
import type { Findings } from "./findings.ts";
import { isSame, subtreeSizes, Tree } from "./merkle.ts";
import type { Checkpoint } from "./note.ts";
import type { Mismatch } from "./records.ts";

/** A signed checkpoint and where it was found. */
export interface Signed {
  readonly checkpoint: Checkpoint;
  readonly place: string;
}

/** The tree as the doubtful entry's frontier has it. */
interface Doubt {
  readonly first: number;
  readonly end: number;
  readonly other: Tree;
}

export class LedgerChain {
  readonly #name: string;
  readonly #skewMs: number;
  readonly #findings: Findings;
  #tree: Tree | undefined;
  /** The tree before the entry at hand, and the hashes taken since. */
  #before: Tree | undefined;
  #hashes: Uint8Array = new Uint8Array();
  #doubt: Doubt | undefined;
  #nextSeq = 0;
  #good: Signed | undefined;
  /** First of the checkpoints, since the last good one, that the ledger disagrees with. */
  #bad: Signed | undefined;
  #badCount = 0;
  #entry: LedgerEntry | undefined;
  /** First leaf of the ledger. */
  first = 0;
  /** From this leaf on hashes are bound to checkpoints; before it the frontier stands for them. */
  provenFrom = 0;
  goodCount = 0;
  /** Checkpoints of a size at which the ledger tells no root. */
  uncheckable = 0;

  constructor(name: string, skewMs: number, findings: Findings) {
    this.#name = name;
    this.#skewMs = skewMs;
    this.#findings = findings;
  }

  /** Leaves in the ledger. */
  get size(): number {
    return this.#tree?.size ?? 0;
  }

  /** The last checkpoint that the ledger agrees with. */
  get good(): Signed | undefined {
    return this.#good;
  }

  /** Names an entry that could not be read. */
  unreadable(problem: string): void {
    this.#tampered(`an entry after leaf ${this.size} cannot be read: ${problem}`);
  }

  /** True when the entry goes on with the ledger, perhaps after a hole; otherwise it is named and left out. */
  accepts(entry: LedgerEntry): boolean {
    const { tree, first, size, hashes, frontier } = entry;
    const what = `the entry of leaves ${first} to ${size}`;
    if (tree !== this.#name) {
      this.#tampered(`${what} is of the tree "${tree}"`);
    } else if (
      hashes.length !== (size - first) * HASH_BYTES ||
      frontier.length !== subtreeSizes(size).length * HASH_BYTES
    ) {
      this.#tampered(`${what} has not as many hashes as it says`, first, size);
    } else if (first < this.size) {
      this.#tampered(`${what} stands again: the ledger is at ${this.size}`, first, size);
    } else {
      return true;
    }
    return false;
  }

  /** Takes an accepted entry, and says of each mismatch which side was changed. */
  fold(entry: LedgerEntry, mismatches: readonly Mismatch[]): void {
    this.#checkOrder(entry);
    this.#entry = entry;
    if (!this.#tree && entry.first === 0) this.#tree = new Tree();
    if (!this.#tree || entry.first > this.#tree.size) {
      this.#anchor(entry);
      this.#blameRecords(mismatches);
      return;
    }
    this.#before = this.#tree.copy();
    this.#hashes = entry.hashes;
    this.#tree.appendAll(entry.hashes);
    this.#doubt?.other.appendAll(entry.hashes);
    this.#settleBy(entry.frontier, (tree) => tree.frontier);
    if (this.#doubt) this.#settle(this.#doubt, "its hashes, or its frontier, were changed");
    if (isSame(this.#tree.frontier, entry.frontier)) this.#blameRecords(mismatches);
    else this.#contradicted(entry, mismatches);
  }

  /** Holds a signed checkpoint, no larger than the ledger, against the ledger. */
  check(signed: Signed): void {
    const { size, root } = signed.checkpoint;
    if (size === this.size) this.#settleBy(root, (tree) => tree.root());
    const actual = this.#rootAt(size);
    if (!actual) {
      this.uncheckable++;
    } else if (!isSame(actual, root)) {
      this.#disagrees(signed);
    } else {
      this.#goodCheckpoint(signed);
    }
  }

  /** Says what is still open at the end. */
  finish(): void {
    if (this.#doubt) this.#settle(this.#doubt, "its hashes, or its frontier, were changed");
    if (!this.#bad) return;
    const from = this.#good?.checkpoint.size ?? this.first;
    const { checkpoint, place } = this.#bad;
    const after = this.#good ? `the checkpoint of ${from} leaves is right` : "none is right";
    const others = this.#badCount > 1 ? `, and ${this.#badCount - 1} after it` : "";
    const message = `leaves ${from} to ${checkpoint.size}: the ledger gives another root than the signed checkpoint at ${place}${others}; ${after}`;
    this.#findings.add({ kind: "ledger-tampered", leaf: from, end: checkpoint.size, message });
  }

  #checkOrder(entry: LedgerEntry): void {
    const { first, size, nextSeq, atMs } = entry;
    const what = `the entry of leaves ${first} to ${size}`;
    const signed = this.#good?.checkpoint;
    const isAfter = signed && size > signed.size;
    const leastSeq = Math.max(this.#nextSeq, isAfter ? signed.nextSeq : 0);
    if (nextSeq < leastSeq)
      this.#tampered(`${what} goes back to sequence ${nextSeq} after ${leastSeq}`, first, size);
    if (isAfter && atMs < signed.atMs - this.#skewMs)
      this.#tampered(`${what} is older than the checkpoint before it`, first, size);
    this.#nextSeq = Math.max(this.#nextSeq, nextSeq);
  }

  /** Starts from an entry's frontier: the ledger has no hashes of what is before it. */
  #anchor(entry: LedgerEntry): void {
    if (this.#doubt) this.#settle(this.#doubt, "its hashes, or its frontier, were changed");
    if (this.#tree) {
      const { size } = this.#tree;
      this.#tampered(
        `the entries of leaves ${size} to ${entry.first} are missing`,
        size,
        entry.first,
      );
    } else {
      this.first = entry.first;
      this.provenFrom = entry.size;
    }
    this.#tree = new Tree(entry.size, entry.frontier);
    this.#before = undefined;
  }

  /** An entry's hashes do not give its frontier. */
  #contradicted(entry: LedgerEntry, mismatches: readonly Mismatch[]): void {
    const mended = this.#before?.copy();
    // A copy: slice() of a Buffer would be a view.
    const hashes = new Uint8Array(entry.hashes);
    for (const { leaf, hash } of mismatches) hashes.set(hash, (leaf - entry.first) * HASH_BYTES);
    mended?.appendAll(hashes);
    if (mismatches.length > 0 && mended && isSame(mended.frontier, entry.frontier)) {
      this.#tree = mended;
      this.#hashes = hashes;
      for (const { leaf, place } of mismatches)
        this.#tampered(
          `the hash of leaf ${leaf} was changed; the record at ${place} is right`,
          leaf,
        );
      return;
    }
    this.#blameRecords(mismatches);
    const other = new Tree(entry.size, entry.frontier);
    this.#doubt = { first: entry.first, end: entry.size, other };
  }

  /** Ends a doubt when one of its readings gives `told`. */
  #settleBy(told: Uint8Array, reading: (tree: Tree) => Uint8Array): void {
    const [doubt, tree] = [this.#doubt, this.#tree];
    if (!doubt || !tree) return;
    if (isSame(reading(tree), told)) {
      this.#settle(doubt, "its frontier was changed; its hashes are right");
    } else if (isSame(reading(doubt.other), told)) {
      this.#settle(doubt, "its hashes were changed; its frontier is right");
      this.#tree = doubt.other;
      this.#before = undefined;
    }
  }

  #settle({ first, end }: Doubt, verdict: string): void {
    this.#doubt = undefined;
    this.#tampered(`the entry of leaves ${first} to ${end}: ${verdict}`, first, end);
  }

  #rootAt(size: number): Uint8Array | undefined {
    if (size === this.#tree?.size) return this.#tree.root();
    if (size === 0) return new Tree().root();
    const tree = this.#before?.copy();
    if (!tree || size < tree.size || size > this.size) return undefined;
    tree.appendAll(this.#hashes.subarray(0, (size - tree.size) * HASH_BYTES));
    return tree.root();
  }

  #goodCheckpoint(signed: Signed): void {
    const { checkpoint, place } = signed;
    if (this.#bad) {
      const { size } = this.#bad.checkpoint;
      const message = `the checkpoint at ${this.#bad.place} has another root for ${size} leaves than the ledger, which the checkpoint at ${place} confirms`;
      this.#findings.add({ kind: "checkpoint-invalid", place: this.#bad.place, message });
      this.#findings.count("checkpoint-invalid", this.#badCount - 1);
      this.#bad = undefined;
      this.#badCount = 0;
    }
    const { size, nextSeq } = checkpoint;
    if (size === this.#entry?.size && nextSeq < this.#entry.nextSeq) {
      const problem = `is at sequence ${this.#entry.nextSeq}, the checkpoint at ${place} at ${nextSeq}`;
      this.#tampered(`the entry before leaf ${size} ${problem}`, this.#entry.first, size);
    }
    this.goodCount++;
    this.#good = signed;
  }

  #disagrees(signed: Signed): void {
    const { size } = signed.checkpoint;
    if (this.#good && this.#good.checkpoint.size >= size) {
      const message = `the checkpoint at ${signed.place} has another root for ${size} leaves than the one at ${this.#good.place}`;
      this.#findings.add({ kind: "checkpoint-invalid", place: signed.place, message });
      return;
    }
    this.#bad ??= signed;
    this.#badCount++;
  }

  #blameRecords(mismatches: readonly Mismatch[]): void {
    for (const { leaf, place, home } of mismatches) {
      if (home === undefined) {
        const message = `leaf ${leaf} at ${place}: the record is not what its hash says`;
        this.#findings.add({ kind: "changed", leaf, place, message });
      } else {
        const message = `leaf ${leaf} stands at ${place}: it belongs to the topic ${home}`;
        this.#findings.add({ kind: "moved", leaf, place, message });
      }
    }
  }

  #tampered(message: string, leaf?: number, end?: number): void {
    this.#findings.add({ kind: "ledger-tampered", message, leaf, end });
  }
}
