/**
 * The mirror's state as bytes, so that a bridge that starts need not read the stream from its beginning.
 * It is a cache: whatever it says could be had by reading the stream again, and the ledger has the last
 * word on where the mirror stands.
 */
import { z } from "zod";
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { Open, SavedPairs } from "./pairs.ts";
import type { Sender } from "./senders.ts";

/** A {@link Mirror}'s state. */
export interface MirrorState {
  /** The tree its facts went to, and that tree's leaves. */
  readonly tree: string;
  readonly size: number;
  readonly nextSeq: number;
  readonly nowMs: number;
  readonly lookedMs: number;
  readonly senders: Iterable<readonly [string, Sender]>;
  readonly pairs: SavedPairs;
}

const SavedOpen = z.tuple([
  z.string(),
  z.enum(["caller", "agent"]),
  z.string(),
  z.number(),
  z.number(),
  z.number(),
]);
const Saved = z.strictObject({
  v: z.literal(1),
  tree: z.string(),
  size: z.number().int().min(0),
  nextSeq: z.number().int().min(1),
  nowMs: z.number(),
  lookedMs: z.number(),
  senders: z.array(
    z.tuple([
      z.string(),
      z.strictObject({
        reporter: z.string(),
        pack: z.number(),
        reported: z.number(),
        lost: z.number(),
        lastMs: z.number(),
        ended: z.boolean(),
        silent: z.boolean(),
      }),
    ]),
  ),
  open: z.array(SavedOpen),
  marked: z.array(SavedOpen),
  closed: z.array(SavedOpen),
});

/** The state as compressed JSON. */
export function encodeState(state: MirrorState): Uint8Array {
  const { tree, size, nextSeq, nowMs, lookedMs, senders, pairs } = state;
  const rows = (saved: Iterable<readonly [string, Open]>) =>
    Array.from(saved, ([id, one]) => [id, one.side, one.digest, one.seq, one.index, one.timeMs]);
  const json = JSON.stringify({
    v: 1,
    tree,
    size,
    nextSeq,
    nowMs,
    lookedMs,
    senders: [...senders],
    open: rows(pairs.open),
    marked: rows(pairs.marked),
    closed: rows(pairs.closed),
  });
  return Bun.zstdCompressSync(json, { level: 1 });
}

/** Reads a state back. Throws PROTOCOL_VIOLATION when it is none. */
export function decodeState(bytes: Uint8Array): MirrorState {
  try {
    const json: unknown = JSON.parse(Bun.zstdDecompressSync(bytes).toString("utf8"));
    const { open, marked, closed, ...rest } = Saved.parse(json);
    const entries = (rows: typeof open) =>
      rows.map(([id, side, digest, seq, index, timeMs]): [string, Open] => [
        id,
        { side, digest, seq, index, timeMs },
      ]);
    return {
      ...rest,
      pairs: { open: entries(open), marked: entries(marked), closed: entries(closed) },
    };
  } catch (error) {
    throw new PetrelError("PROTOCOL_VIOLATION", `mirror state: ${messageOf(error)}`, {}, error);
  }
}
