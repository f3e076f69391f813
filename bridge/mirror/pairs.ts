/**
 * Joins the two reports of an envelope by its id. The first one is news, the second confirms it; what
 * stays open past the horizon is marked, and may still be confirmed later. Memory is bounded: the oldest
 * entry of a full table goes first.
 */
import type { AuditRecord } from "../../a2a/mod.ts";

type Side = AuditRecord["side"];

/** A report whose other half is still awaited. */
export interface Open {
  readonly side: Side;
  readonly digest: string;
  readonly seq: number;
  readonly index: number;
  /** Stream time of the first report, milliseconds since the epoch. */
  readonly timeMs: number;
}

export type Match =
  | { readonly kind: "new" }
  | { readonly kind: "confirms" }
  | { readonly kind: "copy" }
  | { readonly kind: "late"; readonly first: Open }
  | { readonly kind: "conflict"; readonly first: Open };

export interface SavedPairs {
  readonly open: Iterable<readonly [string, Open]>;
  readonly marked: Iterable<readonly [string, Open]>;
  readonly closed: Iterable<readonly [string, Open]>;
}

const OPEN_MAX = 200_000;
const MARKED_MAX = 100_000;
/** Copies of a report come soon after it, or not at all: copies of packs are dropped before. */
const CLOSED_MIN = 20_000;
/** The oldest go together, for one at a time costs as much as all else that is done here. */
const CLOSED_MAX = CLOSED_MIN + 5_000;

export class Pairs {
  /** In the order of their first reports. */
  readonly #open: Map<string, Open>;
  readonly #marked: Map<string, Open>;
  readonly #closed: Map<string, Open>;

  constructor(saved: SavedPairs = { open: [], marked: [], closed: [] }) {
    this.#open = new Map(saved.open);
    this.#marked = new Map(saved.marked);
    this.#closed = new Map(saved.closed);
  }

  get saved(): SavedPairs {
    return { open: this.#open, marked: this.#marked, closed: this.#closed };
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Takes a report. `isAlone`: no other end will report it (task events, alarms). */
  take(id: string, report: Open, isAlone: boolean): Match {
    const first = this.#open.get(id);
    if (first) return this.#second(id, first, report, this.#open, "confirms");
    const marked = this.#marked.get(id);
    if (marked) return this.#second(id, marked, report, this.#marked, "late");
    const closed = this.#closed.get(id);
    if (closed)
      return closed.digest === report.digest
        ? { kind: "copy" }
        : { kind: "conflict", first: closed };
    if (isAlone) this.#close(id, report);
    else this.#open.set(id, report);
    return { kind: "new" };
  }

  /** Entries to be marked now: older than `beforeMs`, or more than there is room for. */
  expire(beforeMs: number): [string, Open][] {
    const expired: [string, Open][] = [];
    for (const [id, first] of this.#open) {
      if (first.timeMs >= beforeMs && this.#open.size <= OPEN_MAX) break;
      this.#open.delete(id);
      this.#marked.set(id, first);
      expired.push([id, first]);
    }
    if (this.#marked.size > MARKED_MAX) trim(this.#marked, MARKED_MAX);
    return expired;
  }

  #second(
    id: string,
    first: Open,
    report: Open,
    from: Map<string, Open>,
    match: "confirms" | "late",
  ): Match {
    const isSame = first.digest === report.digest;
    if (first.side === report.side) return isSame ? { kind: "copy" } : { kind: "conflict", first };
    from.delete(id);
    this.#close(id, first);
    if (!isSame) return { kind: "conflict", first };
    return match === "late" ? { kind: "late", first } : { kind: "confirms" };
  }

  #close(id: string, first: Open): void {
    this.#closed.set(id, first);
    if (this.#closed.size > CLOSED_MAX) trim(this.#closed, CLOSED_MIN);
  }
}

/** Leaves the last `count` entries. */
function trim(map: Map<string, Open>, count: number): void {
  for (const id of map.keys().take(map.size - count)) map.delete(id);
}
