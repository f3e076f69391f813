/**
 * Inclusion and consistency proofs: made as RFC 6962 sections 2.1.1 and 2.1.2 define them, verified by
 * the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2.
 *
 * A proof is a list of roots of disjoint ranges of leaves. The recursion of the RFC is run over ranges,
 * without hashes; then the leaf hashes pass once, in order, each through the one range it belongs to.
 * Memory is that of one frontier and of the proof.
 *
 * A proof binds a leaf to a root, and a root to a root. The sizes are the checkpoint's word: take size
 * and root from one signed checkpoint.
 */
import { PetrelError } from "../../core/mod.ts";
import { HASH_BYTES } from "../ledger.ts";
import { hashesOf, isSame, nodeHash, subtreeSizes, Tree } from "./merkle.ts";

/** Leaf hashes in order, from leaf `first` on. */
export interface LeafSource {
  /** Index of the first leaf that {@link hashes} brings. */
  readonly first: number;
  /** The tree of the leaves before `first`; empty when `first` is 0. */
  readonly frontier: Uint8Array;
  /** One or more hashes of 32 bytes at a time, as a ledger entry holds them. */
  readonly hashes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Leaves from `first` up to, and without, `end`. */
interface Range {
  readonly first: number;
  readonly end: number;
}

/**
 * Proof that leaf `index` is in the tree of `size` leaves: PATH(m, D[n]) of RFC 6962 section 2.1.1.
 * Throws QUERY_REFUSED when there is no such leaf, INCOMPLETE when the source does not reach that far.
 */
export async function proveInclusion(
  source: LeafSource,
  index: number,
  size: number,
): Promise<Uint8Array[]> {
  if (!(index >= 0 && index < size) || !isCount(index) || !isCount(size))
    throw refused(`there is no leaf ${index} in a tree of ${size}`);
  const ranges: Range[] = [];
  let [first, end] = [0, size];
  while (end - first > 1) {
    const middle = first + splitOf(end - first);
    if (index < middle) {
      ranges.unshift({ first: middle, end });
      end = middle;
    } else {
      ranges.unshift({ first, end: middle });
      first = middle;
    }
  }
  return rootsOf(source, ranges);
}

/**
 * Proof that the tree of `first` leaves is the beginning of the tree of `second`: PROOF(m, D[n]) of
 * RFC 6962 section 2.1.2; empty when they are one, or the first has no leaf. Throws as
 * {@link proveInclusion}.
 */
export async function proveConsistency(
  source: LeafSource,
  first: number,
  second: number,
): Promise<Uint8Array[]> {
  if (!isCount(first) || !isCount(second) || first > second)
    throw refused(`a tree of ${second} leaves cannot go on from one of ${first}`);
  const ranges: Range[] = [];
  if (first === 0 || first === second) return [];
  let [start, end] = [0, second];
  while (end !== first) {
    const middle = start + splitOf(end - start);
    if (first <= middle) {
      ranges.unshift({ first: middle, end });
      end = middle;
    } else {
      ranges.unshift({ first: start, end: middle });
      start = middle;
    }
  }
  if (start > 0) ranges.unshift({ first: start, end });
  return rootsOf(source, ranges);
}

/** True when `proof` shows that `leaf` is the one with `index` in the tree of `size` leaves under `root`. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isCount(index) || !isCount(size) || index >= size || !areHashes([leaf, root, ...proof]))
    return false;
  const path = new Climb(index, size - 1);
  let node = leaf;
  for (const sibling of proof) {
    if (path.isAtTop) return false;
    node = path.isRight ? nodeHash(sibling, node) : nodeHash(node, sibling);
    path.up();
  }
  return path.isAtTop && isSame(node, root);
}

/** True when `proof` shows that the tree of `first` leaves is the beginning of the tree of `second`. */
export function verifyConsistency(
  first: number,
  firstRoot: Uint8Array,
  second: number,
  secondRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isCount(first) || !isCount(second) || first > second) return false;
  if (!areHashes([firstRoot, secondRoot, ...proof])) return false;
  if (first === second) return proof.length === 0 && isSame(firstRoot, secondRoot);
  if (first === 0) return proof.length === 0 && isSame(firstRoot, new Tree().root());
  const isFull = subtreeSizes(first).length === 1;
  const [start, ...siblings] = isFull ? [firstRoot, ...proof] : proof;
  if (start === undefined || proof.length === 0) return false;
  const path = new Climb(first - 1, second - 1);
  path.skipRight();
  let [firstNode, secondNode] = [start, start];
  for (const sibling of siblings) {
    if (path.isAtTop) return false;
    if (path.isRight) {
      firstNode = nodeHash(sibling, firstNode);
      secondNode = nodeHash(sibling, secondNode);
    } else {
      secondNode = nodeHash(secondNode, sibling);
    }
    path.up();
  }
  return path.isAtTop && isSame(firstNode, firstRoot) && isSame(secondNode, secondRoot);
}

/** The way from a leaf to the root: fn and sn of RFC 9162. Division, for sizes beyond 32 bits. */
class Climb {
  #node: number;
  #last: number;

  constructor(node: number, last: number) {
    this.#node = node;
    this.#last = last;
  }

  get isAtTop(): boolean {
    return this.#last === 0;
  }

  /** True when the sibling stands to the left; the last node of a level may have it levels above. */
  get isRight(): boolean {
    return this.#node % 2 === 1 || this.#node === this.#last;
  }

  up(): void {
    if (this.isRight) while (this.#node % 2 === 0 && this.#node !== 0) this.#shift();
    this.#shift();
  }

  skipRight(): void {
    while (this.#node % 2 === 1) this.#shift();
  }

  #shift(): void {
    this.#node = Math.floor(this.#node / 2);
    this.#last = Math.floor(this.#last / 2);
  }
}

/** Roots of disjoint ranges, in the order given. */
async function rootsOf(source: LeafSource, ranges: readonly Range[]): Promise<Uint8Array[]> {
  const rising = ranges.toSorted((one, other) => one.first - other.first);
  const roots = new Map<Range, Uint8Array>();
  let range = rising.shift();
  let tree = range && knownPart(source, range);
  const settle = () => {
    while (range && tree && range.first + tree.size === range.end) {
      roots.set(range, tree.root());
      range = rising.shift();
      tree = range && knownPart(source, range);
    }
  };
  settle();
  let leaf = source.first;
  if (range) {
    for await (const chunk of source.hashes) {
      for (const hash of hashesOf(chunk)) {
        if (range && tree && leaf >= range.first) tree.append(hash);
        leaf++;
        settle();
      }
      if (!range) break;
    }
  }
  if (range) throw incomplete(`the leaves end at ${leaf}; the proof needs them up to ${range.end}`);
  return ranges.flatMap((one) => roots.get(one) ?? []);
}

/** What the frontier before the source's first leaf tells of a range: its tree up to that leaf. */
function knownPart({ first, frontier }: LeafSource, range: Range): Tree {
  const end = Math.min(first, range.end);
  if (end <= range.first) return new Tree();
  const inside: Uint8Array[] = [];
  let at = 0;
  let covered = 0;
  for (const [place, size] of subtreeSizes(first).entries()) {
    if (at >= range.first && at + size <= end) {
      inside.push(frontier.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES));
      covered += size;
    }
    at += size;
  }
  if (range.first + covered !== end)
    throw incomplete(`leaves ${range.first} to ${end - 1} are no longer in the ledger`);
  return new Tree(covered, Buffer.concat(inside));
}

/** The largest power of two below `size`: where RFC 6962 divides a tree. */
function splitOf(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function areHashes(values: readonly Uint8Array[]): boolean {
  return values.every((value) => value.length === HASH_BYTES);
}

function refused(message: string): PetrelError {
  return new PetrelError("QUERY_REFUSED", `proof: ${message}`, { message });
}

function incomplete(message: string): PetrelError {
  return new PetrelError("INCOMPLETE", `proof: ${message}`);
}
