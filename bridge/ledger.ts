/**
 * The ledger: one record per Kafka transaction, in that transaction. It holds the leaf hashes of the
 * records written with it, the tree after them, and the place in JetStream to go on from: the bridge's
 * checkpoint, and what a verifier compares the records with.
 */
import { z } from "zod";
import { messageOf, PetrelError } from "../core/mod.ts";

export const HASH_BYTES = 32;

export interface LedgerEntry {
  /** `<stream>.<shard>`. */
  readonly tree: string;
  /** Index of the first leaf of this batch. */
  readonly first: number;
  /** SHA-256 leaf hashes of the batch, one after the other. */
  readonly hashes: Uint8Array;
  /** Leaves in the tree after the batch. */
  readonly size: number;
  /** Roots of the tree's full subtrees after the batch, largest first: RFC 9162's compact range. */
  readonly frontier: Uint8Array;
  /** The first JetStream sequence that is not yet mirrored. */
  readonly nextSeq: number;
  /** When the batch was written: milliseconds since the epoch, by the bridge's clock. */
  readonly atMs: number;
}

const index = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const Wire = z.strictObject({
  v: z.literal(1),
  tree: z.string().min(1).max(300),
  first: index,
  size: index,
  hashes: z.base64(),
  frontier: z.base64(),
  nextSeq: index,
  atMs: z.number(),
});

export function encodeLedger(entry: LedgerEntry): Buffer {
  const { tree, first, size, nextSeq, atMs } = entry;
  const hashes = Buffer.from(entry.hashes).toString("base64");
  const frontier = Buffer.from(entry.frontier).toString("base64");
  return Buffer.from(JSON.stringify({ v: 1, tree, first, size, hashes, frontier, nextSeq, atMs }));
}

/** Reads an entry back. Throws PROTOCOL_VIOLATION naming `place` and what is wrong. */
export function decodeLedger(value: Buffer, place: string): LedgerEntry {
  try {
    const wire = Wire.parse(JSON.parse(value.toString("utf8")));
    const hashes = new Uint8Array(Buffer.from(wire.hashes, "base64"));
    const frontier = new Uint8Array(Buffer.from(wire.frontier, "base64"));
    if (hashes.length !== (wire.size - wire.first) * HASH_BYTES) throw new Error("hashes: length");
    if (frontier.length !== bitsSet(wire.size) * HASH_BYTES) throw new Error("frontier: length");
    return { ...wire, hashes, frontier };
  } catch (error) {
    throw new PetrelError(
      "PROTOCOL_VIOLATION",
      `ledger: ${place}: ${messageOf(error)}`,
      { place },
      error,
    );
  }
}

/** A tree of n leaves has one full subtree per bit set in n. */
function bitsSet(count: number): number {
  let bits = 0;
  for (let rest = count; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
