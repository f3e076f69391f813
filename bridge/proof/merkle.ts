/**
 * The Merkle tree of RFC 6962 section 2.1, grown at its right end: SHA-256, a leaf is hashed with a zero
 * byte before it and an inner node with a one, so that neither can pass for the other.
 *
 * The tree keeps its frontier alone, the roots of its full subtrees, largest first: at most 53 hashes
 * whatever its size. `Bun.SHA256.hash` is the fastest of the runtime's hashers for both lengths hashed
 * here, 65 bytes and about 1 KB.
 */
import { PetrelError } from "../../core/mod.ts";
import type { KafkaRecord } from "../kafka/record.ts";
import { HASH_BYTES } from "../ledger.ts";

const LEAF_PREFIX = 0;
const NODE_PREFIX = 1;
const NEWLINE = 10;
/** Sizes are safe integers, so a tree has at most 53 full subtrees. */
const DEPTH_MAX = 53;
/** UTF-8 needs at most three bytes for a UTF-16 unit. */
const BYTES_PER_UNIT_MAX = 3;

let leafScratch = Buffer.alloc(16_384);
const nodeScratch = new Uint8Array(1 + 2 * HASH_BYTES);

/**
 * Hash of a record as a leaf: SHA-256(0x00 || head || "\n" || value), the head being
 * `JSON.stringify([topic, key, timestampMs, [[header, value] … sorted by name]])` in UTF-8. JSON text
 * holds no bare newline, so no two records have the same leaf data.
 */
export function leafHash(record: KafkaRecord): Uint8Array {
  const { value } = record;
  const names = sortedNames(record.headers);
  const plainEnd = writePlainHead(record, names);
  let end = plainEnd ?? writeHead(record, names);
  leafScratch[0] = LEAF_PREFIX;
  leafScratch[end++] = NEWLINE;
  reserve(end + value.length, end);
  leafScratch.set(value, end);
  return sha256(leafScratch.subarray(0, end + value.length));
}

/** Writes the head behind the prefix; returns where it ends. */
function writeHead({ topic, key, timestampMs, headers }: KafkaRecord, names: readonly string[]) {
  const pairs = names.map((name) => [name, headers[name]]);
  const head = JSON.stringify([topic, key, timestampMs, pairs]);
  reserve(2 + head.length * BYTES_PER_UNIT_MAX, 0);
  return 1 + leafScratch.write(head, 1, "utf8");
}

/**
 * The same for printable ASCII without quotes and backslashes, which is what nearly every record has:
 * a third of the time. Undefined when there is anything else.
 */
function writePlainHead(
  { topic, key, timestampMs, headers }: KafkaRecord,
  names: readonly string[],
): number | undefined {
  if (!Number.isSafeInteger(timestampMs)) return undefined;
  let bytes = topic.length + key.length + PUNCTUATION_BYTES_MAX;
  for (const name of names)
    bytes += name.length + (headers[name]?.length ?? 0) + PUNCTUATION_BYTES_MAX;
  reserve(bytes, 0);
  let end = writePlain('["', 1, true);
  end = writePlain(topic, end);
  end = writePlain('","', end, true);
  end = writePlain(key, end);
  end = writePlain(`",${timestampMs},[`, end, true);
  for (let index = 0; index < names.length && end > 0; index++) {
    const name = names[index] ?? "";
    end = writePlain(index === 0 ? '["' : ',["', end, true);
    end = writePlain(name, end);
    end = writePlain('","', end, true);
    end = writePlain(headers[name] ?? "", end);
    end = writePlain('"]', end, true);
  }
  end = writePlain("]]", end, true);
  return end > 0 ? end : undefined;
}

const PUNCTUATION_BYTES_MAX = 40;
const QUOTE = 34;
const BACKSLASH = 92;

/** Returns where it ends, or 0 for a text JSON would write otherwise, and for a place of 0. */
function writePlain(text: string, from: number, isJson = false): number {
  if (from === 0) return 0;
  const { length } = text;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    const isPlain = code >= 32 && code < 127 && code !== QUOTE && code !== BACKSLASH;
    if (!isPlain && !isJson) return 0;
    leafScratch[from + at] = code;
  }
  return from + length;
}

/** Makes room; the first `kept` bytes stay. */
function reserve(bytes: number, kept: number): void {
  if (bytes <= leafScratch.length) return;
  const larger = Buffer.alloc(2 * bytes);
  leafScratch.copy(larger, 0, 0, kept);
  leafScratch = larger;
}

/** Names of records that were made the same way, as they stand and sorted. */
const orders: { readonly names: readonly string[]; readonly sorted: readonly string[] }[] = [];
const ORDERS_MAX = 16;

function sortedNames(headers: KafkaRecord["headers"]): readonly string[] {
  const names = Object.keys(headers);
  for (const order of orders) if (areSame(order.names, names)) return order.sorted;
  const sorted = names.toSorted();
  if (orders.length === ORDERS_MAX) orders.shift();
  orders.push({ names, sorted });
  return sorted;
}

function areSame(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
}

/** Hash of an inner node: SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeScratch[0] = NODE_PREFIX;
  nodeScratch.set(left, 1);
  nodeScratch.set(right, 1 + HASH_BYTES);
  return sha256(nodeScratch);
}

function sha256(data: Uint8Array | string): Uint8Array {
  const hash = new Uint8Array(HASH_BYTES);
  Bun.SHA256.hash(data, hash);
  return hash;
}

export class Tree {
  #size: number;
  #depth: number;
  readonly #roots = new Uint8Array(DEPTH_MAX * HASH_BYTES);

  /** An empty tree, or the one of `size` leaves with that frontier. Throws PROTOCOL_VIOLATION when they do not fit. */
  constructor(size = 0, frontier: Uint8Array = new Uint8Array()) {
    const depth = subtreeSizes(size).length;
    if (frontier.length !== depth * HASH_BYTES) {
      throw new PetrelError(
        "PROTOCOL_VIOLATION",
        `a tree of ${size} leaves has a frontier of ${depth} hashes, not of ${frontier.length} bytes`,
        { size },
      );
    }
    this.#size = size;
    this.#depth = depth;
    this.#roots.set(frontier);
  }

  /** Leaves in the tree. */
  get size(): number {
    return this.#size;
  }

  /** Roots of the full subtrees, largest first; a copy. */
  get frontier(): Uint8Array {
    return this.#roots.slice(0, this.#depth * HASH_BYTES);
  }

  /** Adds one leaf by its hash; subtrees of one size become one, as carries do in binary addition. */
  append(hash: Uint8Array): void {
    if (hash.length !== HASH_BYTES)
      throw new PetrelError("INTERNAL", `a leaf hash has ${HASH_BYTES} bytes, not ${hash.length}`);
    let node = hash;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2)
      node = nodeHash(this.#rootAt(--this.#depth), node);
    this.#roots.set(node, this.#depth++ * HASH_BYTES);
    this.#size++;
  }

  /** Adds leaves whose hashes stand one after the other. */
  appendAll(hashes: Uint8Array): void {
    for (const hash of hashesOf(hashes)) this.append(hash);
  }

  /** The Merkle tree hash; SHA-256 of nothing for the empty tree. */
  root(): Uint8Array {
    if (this.#depth === 0) return sha256("");
    let node: Uint8Array = this.#rootAt(this.#depth - 1).slice();
    for (let at = this.#depth - 2; at >= 0; at--) node = nodeHash(this.#rootAt(at), node);
    return node;
  }

  copy(): Tree {
    return new Tree(this.#size, this.frontier);
  }

  #rootAt(index: number): Uint8Array {
    return this.#roots.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }
}

/** Sizes of a tree's full subtrees, largest first: the powers of two that add up to its size. */
export function subtreeSizes(size: number): number[] {
  const sizes: number[] = [];
  for (let rest = size, power = 1; rest > 0; rest = Math.floor(rest / 2), power *= 2)
    if (rest % 2 === 1) sizes.unshift(power);
  return sizes;
}

/** Views of hashes that stand one after the other. Throws PROTOCOL_VIOLATION when one is cut. */
export function* hashesOf(hashes: Uint8Array): Generator<Uint8Array> {
  if (hashes.length % HASH_BYTES !== 0)
    throw new PetrelError("PROTOCOL_VIOLATION", `hashes: ${hashes.length} bytes end in mid-hash`);
  for (let at = 0; at < hashes.length; at += HASH_BYTES) yield hashes.subarray(at, at + HASH_BYTES);
}

/** Equality of public hashes: nothing here is a secret, so time may tell. */
export function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
