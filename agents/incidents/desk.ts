/**
 * The incident desk: takes every verdict, decides in the book what it means, and has it told. Several SRE
 * agents have one each over the same book; what one that died had still to do is done by another.
 */
import { type Clock, type Logger, newId } from "../../core/mod.ts";
import type { Verdict } from "../sre/records.ts";
import type { Book, Head, Pending } from "./book.ts";
import { advance } from "./life.ts";
import type { Circumstances, LifeRules } from "./rules.ts";
import { sightingOf } from "./sighting.ts";
import type { Maintenance } from "./silences.ts";
import type { IncidentStore } from "./store.ts";
import type { Seeing, Teller } from "./teller.ts";

export interface DeskOptions {
  readonly store: IncidentStore;
  readonly teller: Teller;
  readonly rules: LifeRules;
  readonly maintenance: readonly Maintenance[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly owner: string;
  /** Whether a process is known to be gone. */
  readonly isGone: (owner: string) => boolean;
}

/** What a verdict came to. */
export interface Taken extends Seeing {
  /** Incidents that the window showed or changed. */
  readonly incidents: readonly Head[];
  /** What this verdict changed. */
  readonly changes: readonly { readonly head: Head; readonly change: Pending }[];
}

export class IncidentDesk {
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /**
   * Takes a verdict over everything there is to look at, once however often it comes. Throws what the
   * store throws. `isAsked`: somebody asked for it, as {@link sightingOf} has it.
   */
  async take(verdict: Verdict, isAsked = false): Promise<Taken> {
    const { store, teller } = this.#options;
    const sighting = sightingOf(verdict, isAsked);
    const book = await store.changeBook((known) =>
      advance(withoutExpired(known, this.#nowMs()), sighting, this.circumstances(known)),
    );
    const changes = book.heads.flatMap((head) =>
      head.pending
        .filter(({ investigation }) => investigation === verdict.id)
        .map((change) => ({ head, change })),
    );
    return { incidents: shownIn(book, verdict), changes, ...teller.see(book) };
  }

  /** Does what is left to do: of this process, and of those that are gone. Throws what the store throws. */
  async resume(): Promise<void> {
    const { store, teller, owner, isGone, log } = this.#options;
    const found = await store.book();
    const isOrphaned = (change: Pending) => change.owner !== owner && isGone(change.owner);
    const orphans = found.heads.flatMap(({ pending }) => pending.filter(isOrphaned));
    if (orphans.length > 0) log.info("incidents.taken_over", { changes: orphans.length });
    const book =
      orphans.length === 0
        ? found
        : await store.changeBook((now) => adopted(now, owner, isOrphaned));
    teller.see(book);
  }

  /** What deciding needs beside the book and the occasion. */
  circumstances(book: Book): Circumstances {
    const { rules, maintenance, owner } = this.#options;
    return { rules, maintenance, owner, newId, silences: book.silences, nowMs: this.#nowMs() };
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}

/** A silence that is over is forgotten a day later: windows are caught up. */
const SILENCE_KEPT_MS = 86_400_000;

function withoutExpired(book: Book, nowMs: number): Book {
  const silences = book.silences.filter(({ until }) => Date.parse(until) + SILENCE_KEPT_MS > nowMs);
  return silences.length === book.silences.length ? book : { ...book, silences };
}

function shownIn(book: Book, { window }: Verdict): Head[] {
  return book.heads.filter(
    ({ state, lastWindow }) =>
      state !== "closed" && lastWindow.start === window.start && lastWindow.end === window.end,
  );
}

function adopted(book: Book, owner: string, isOrphaned: (change: Pending) => boolean): Book {
  const heads = book.heads.map((head) => ({
    ...head,
    pending: head.pending.map((one) => (isOrphaned(one) ? { ...one, owner } : one)),
  }));
  return { ...book, heads };
}
