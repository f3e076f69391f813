/**
 * The senders of the stream, by their counters: drops a pack that was stored twice, finds packs that
 * are missing, and senders that fell silent. A sender is one outbox lane; its packs are stored in order.
 */
import type { PackHeader } from "../../a2a/mod.ts";

export interface Sender {
  readonly reporter: string;
  /** Number of the last pack. */
  readonly pack: number;
  /** Records in all packs so far, and records its outbox had to drop. */
  readonly reported: number;
  readonly lost: number;
  /** Stream time of its last pack, milliseconds since the epoch. */
  readonly lastMs: number;
  readonly ended: boolean;
  /** Its silence has been told. */
  readonly silent: boolean;
}

export interface Hole {
  readonly reason: "packs" | "count" | "dropped";
  readonly from: number;
  readonly to: number;
  readonly missing: number | undefined;
}

/** What became of a pack: a copy of one that is known, or news, with what is missing before it. */
export type Accepted =
  | { readonly isCopy: true }
  | { readonly isCopy: false; readonly holes: Hole[] };

const SENDERS_MAX = 100_000;
const ENDED_KEPT_MS = 86_400_000;

export class Senders {
  /** In the order of their last packs, so that the first is the one that was silent longest. */
  readonly #known = new Map<string, Sender>();

  constructor(saved: Iterable<readonly [string, Sender]> = []) {
    for (const [id, sender] of saved) this.#known.set(id, sender);
  }

  entries(): IterableIterator<[string, Sender]> {
    return this.#known.entries();
  }

  /** Takes the next pack of a sender. `records` is what the pack really holds. */
  accept(header: PackHeader, reporter: string, records: number, timeMs: number): Accepted {
    const last = this.#known.get(header.sender);
    if (last && header.pack <= last.pack) return { isCopy: true };
    const holes = holesBefore(header, last ?? NOTHING, records);
    this.#known.delete(header.sender);
    this.#known.set(header.sender, {
      reporter,
      pack: header.pack,
      reported: header.reported,
      lost: header.lost,
      lastMs: timeMs,
      ended: header.kind === "end",
      silent: false,
    });
    if (this.#known.size > SENDERS_MAX) this.#forgetOne();
    return { isCopy: false, holes };
  }

  /** Senders whose silence is to be told now; each is named once. Forgets those that ended long ago. */
  silentSince(beforeMs: number): [string, Sender][] {
    const found: [string, Sender][] = [];
    for (const [id, sender] of this.#known) {
      if (sender.lastMs >= beforeMs) break;
      if (sender.ended || sender.silent) {
        if (sender.ended && sender.lastMs < beforeMs - ENDED_KEPT_MS) this.#known.delete(id);
        continue;
      }
      this.#known.set(id, { ...sender, silent: true });
      found.push([id, sender]);
    }
    return found;
  }

  #forgetOne(): void {
    for (const id of this.#known.keys().take(1)) this.#known.delete(id);
  }
}

const NOTHING = { pack: 0, reported: 0, lost: 0 };

function holesBefore(
  header: PackHeader,
  last: Pick<Sender, "pack" | "reported" | "lost">,
  records: number,
): Hole[] {
  const holes: Hole[] = [];
  const expected = last.pack + 1;
  const missing = header.reported - records - last.reported;
  if (header.pack > expected)
    holes.push({ reason: "packs", from: expected, to: header.pack - 1, missing });
  else if (missing !== 0)
    holes.push({ reason: "count", from: header.pack, to: header.pack, missing });
  const lost = header.lost - last.lost;
  if (lost !== 0)
    holes.push({ reason: "dropped", from: header.pack, to: header.pack, missing: lost });
  return holes;
}
