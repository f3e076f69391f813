/**
 * A lane: one journal's way into the AUDIT stream. One pack is in flight at a time, so a sender's packs
 * are stored in their order; what is reported meanwhile travels together in the next one. A pack goes
 * out under the same id until it is acknowledged. A lane whose journal was adopted, because this process
 * was frozen and held to be dead, leaves it to its heir and goes on in a new one, as a new sender.
 */
import { type Clock, type Logger, limits, messageOf, PetrelError } from "../../core/mod.ts";
import type { Flight, Journal } from "./journal.ts";
import type { AuditRecord } from "./record.ts";

export interface LaneOptions {
  readonly journal: Journal;
  /** The journal to go on with when ours was adopted. A lane without it ends there. */
  readonly renew?: () => Journal;
  /** Resolves when the pack is stored. */
  readonly publish: (flight: Flight, msgID: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LaneCounts {
  readonly reported: number;
  readonly stored: number;
  readonly pending: number;
  readonly retries: number;
  readonly lost: number;
}

/** A record that found no room. Taken when there is, dropped when its time is over. */
interface Waiter {
  readonly record: AuditRecord;
  /** It would rather be dropped than hold its owner up. */
  readonly mayDrop: boolean;
  readonly taken: (place: Place | undefined) => void;
}

/** A record that was taken: the how many-th of this lane, and where it ends in its journal. */
interface Place {
  nth: number;
  readonly journal: Journal;
  readonly end: number;
}

/**
 * Records gather this long for a pack that nobody waits for: they are safe in the journal, and a pack
 * costs the same whether it holds one or a hundred.
 */
const GATHER_MS = 10;
const RETRY_MS_MAX = 5_000;
/** A longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Lane {
  readonly #options: LaneOptions;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<Waiter>();
  /** Those who wait for their record to be stored, in order. */
  #unstored: { readonly place: Place; readonly stored: (isStored: boolean) => void }[] = [];
  #journal: Journal;
  #waitingBytes = 0;
  #taken: number;
  #stored = 0;
  #retries = 0;
  /** Lost while there was no journal to count it in, and what earlier journals counted. */
  #lostUncounted = 0;
  #lostBefore = 0;
  #isHomeless = false;
  #pump: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again: (() => void) | undefined;
  #isDropping = false;
  /** Nothing is taken any more. */
  #isClosed = false;
  /** The end is stored. */
  #isEnded = false;
  #lastSentMs: number;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#journal = options.journal;
    this.#taken = options.journal.pending;
    this.#lastSentMs = options.clock.nowMs();
  }

  get counts(): LaneCounts {
    const reported = this.#taken + this.#waiting.size;
    return {
      reported,
      stored: this.#stored,
      pending: reported - this.#stored,
      retries: this.#retries,
      lost: this.#lostBefore + this.#lostUncounted + this.#journal.lost,
    };
  }

  /** Who sends what is reported now. */
  get sender(): string {
    return this.#journal.identity.sender;
  }

  /**
   * Takes a record. Undefined at once while there is room; otherwise a promise that resolves when the
   * record is taken, or dropped and counted after OUTBOX_WAIT_MS. Once one was dropped nobody waits
   * any more until there is room again. Throws CANCELLED when the lane is closed.
   */
  report(record: AuditRecord): Promise<void> | undefined {
    if (this.#append(record)) return this.#wake(this.#gatherMs);
    if (this.#isDropping || this.#isCrowded(record)) return this.#drop();
    return this.#reportLate(record);
  }

  /**
   * Resolves when the record is stored. Throws OVERLOADED when it is not by `deadlineMs`; unless it is
   * on its way already, it will not be stored later either.
   */
  async store(record: AuditRecord, deadlineMs: number): Promise<void> {
    const leftMs = () => deadlineMs - this.#options.clock.nowMs();
    const left = () => Math.max(0, Math.min(leftMs(), TIMER_MS_MAX));
    let place = this.#append(record);
    if (!place && !this.#isCrowded(record)) place = await this.#whenRoom(record, left(), false);
    if (place && (await this.#whenStored(place, left()))) return;
    const { pending } = this.counts;
    if (place) this.#withdraw(place);
    throw new PetrelError(
      "OVERLOADED",
      `audit: envelope ${record.id} could not be stored in time`,
      { id: record.id, pending },
    );
  }

  /** Sends what waits, again if it is on its way: the connection is back. */
  resend(): void {
    this.#again?.();
    this.#wake(0);
  }

  /** To be called now and then: says that the sender lives when it has nothing else to say. */
  tick(nowMs: number): void {
    this.#isHomeless = false;
    if (this.#journal.isAdopted && !this.#goOn()) return;
    const journal = this.#journal;
    journal.touch(nowMs);
    const isBusy = this.#pump !== undefined || journal.pending > 0 || journal.flight !== undefined;
    if (isBusy || this.#isClosed || nowMs - this.#lastSentMs < limits.BEAT_MS) return;
    journal.take("beat");
    this.#wake(0);
  }

  /** Sends all that is pending and the end, then removes the journal. False when it was stopped before. */
  async finish(): Promise<boolean> {
    while (!this.#stop.signal.aborted) {
      this.#wake(0);
      await this.#pump;
      const journal = this.#journal;
      const isQuiet = journal.pending === 0 && this.#waiting.size === 0 && !journal.flight;
      // A sender that never sent anything has nothing to end.
      if (this.#isEnded || (journal.packs === 0 && isQuiet)) {
        this.#isClosed = true;
        journal.remove();
        return true;
      }
      if (journal.isAdopted && !this.#goOn()) return false;
      if (journal !== this.#journal || !isQuiet) continue;
      this.#isClosed = true;
      journal.take("end");
    }
    return false;
  }

  /** Sends no more. What is not stored stays in the journal. */
  stop(): void {
    this.#isClosed = true;
    this.#stop.abort();
    clearTimeout(this.#timer);
    for (const waiter of this.#waiting) this.#leave(waiter, undefined);
    this.#fail();
  }

  async #reportLate(record: AuditRecord): Promise<void> {
    if (!(await this.#whenRoom(record, limits.OUTBOX_WAIT_MS, true))) this.#drop();
  }

  #append(record: AuditRecord): Place | undefined {
    if (this.#isClosed) throw new PetrelError("CANCELLED", "audit: the outbox is closed");
    // Whoever waits was here first.
    const place = this.#waiting.size > 0 ? undefined : this.#write(record);
    if (place && this.#isDropping) {
      this.#isDropping = false;
      this.#options.log.warn("audit.outbox_room", { lost: this.counts.lost });
    }
    return place;
  }

  #write(record: AuditRecord): Place | undefined {
    if (!this.#journal.append(record)) {
      const isElsewhere = this.#journal.isAdopted && this.#goOn() && this.#journal.append(record);
      if (!isElsewhere) return undefined;
    }
    const journal = this.#journal;
    return { nth: ++this.#taken, journal, end: journal.tail };
  }

  /**
   * Our journal is its heir's, and so is what it held. Begins a new one; false when that cannot be had,
   * which is tried again at the next tick.
   */
  #goOn(): boolean {
    const { renew, log } = this.#options;
    if (this.#isHomeless) return false;
    if (!renew) {
      this.stop();
      return false;
    }
    const old = this.#journal;
    const { pending } = old;
    try {
      this.#journal = renew();
    } catch (error) {
      this.#isHomeless = true;
      log.error("audit.no_journal", { error });
      return false;
    }
    const { sender } = old.identity;
    log.warn("audit.journal_taken", { sender, pending, goesOnAs: this.sender });
    this.#taken = this.#stored;
    this.#lostBefore += old.lost;
    this.#journal.lose(this.#lostUncounted);
    this.#lostUncounted = 0;
    this.#fail();
    this.#admit();
    return true;
  }

  #drop(): undefined {
    const { log } = this.#options;
    if (!this.#journal.lose()) this.#lostUncounted++;
    if (this.#isDropping) return;
    this.#isDropping = true;
    log.error("audit.outbox_full", { path: this.#journal.path, lost: this.counts.lost });
    // From now on nobody waits who need not.
    for (const waiter of this.#waiting) if (waiter.mayDrop) this.#leave(waiter, undefined);
  }

  /** Bounds what waits in memory for room in the journal. */
  #isCrowded(record: AuditRecord): boolean {
    return this.#waitingBytes + record.bytes > this.#journal.bytes / 4;
  }

  #whenRoom(record: AuditRecord, waitMs: number, mayDrop: boolean): Promise<Place | undefined> {
    const { promise, resolve } = Promise.withResolvers<Place | undefined>();
    const waiter = { record, mayDrop, taken: resolve };
    const timer = setTimeout(() => this.#leave(waiter, undefined), waitMs);
    this.#waiting.add(waiter);
    this.#waitingBytes += record.bytes;
    return promise.finally(() => clearTimeout(timer));
  }

  #leave(waiter: Waiter, place: Place | undefined): void {
    if (!this.#waiting.delete(waiter)) return;
    this.#waitingBytes -= waiter.record.bytes;
    waiter.taken(place);
  }

  /** Room was made: those who waited longest go first. */
  #admit(): void {
    for (const waiter of this.#waiting) {
      const place = this.#write(waiter.record);
      if (!place) return;
      this.#leave(waiter, place);
    }
  }

  /** Resolves with whether the record was stored within `waitMs`. */
  #whenStored(place: Place, waitMs: number): Promise<boolean> {
    this.#wake(0);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), waitMs);
    this.#unstored.push({ place, stored: resolve });
    return promise.finally(() => clearTimeout(timer));
  }

  /** Nobody who waits for a record will hear that it is stored. */
  #fail(): void {
    for (const { stored } of this.#unstored) stored(false);
    this.#unstored = [];
  }

  /** Takes back a record whose envelope will never leave, if it is not on its way yet. */
  #withdraw({ nth, journal, end }: Place): void {
    if (journal !== this.#journal || !journal.withdraw(end)) return;
    this.#taken--;
    this.#unstored = this.#unstored.filter(({ place }) => place.nth !== nth);
    for (const { place } of this.#unstored) if (place.nth > nth) place.nth--;
  }

  #wake(afterMs: number): undefined {
    if (this.#pump || this.#stop.signal.aborted) return;
    if (afterMs > 0) {
      this.#timer ??= setTimeout(() => this.#wake(0), afterMs);
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pump = this.#send().finally(() => {
      this.#pump = undefined;
      if (this.#journal.pending > 0 && !this.#journal.isAdopted) this.#wake(this.#gatherMs);
    });
  }

  get #gatherMs(): number {
    const isAwaited = this.#unstored.length > 0;
    return isAwaited || this.#journal.hasFullPack ? 0 : GATHER_MS;
  }

  /** Sends one pack. */
  async #send(): Promise<void> {
    const journal = this.#journal;
    const flight = journal.flight ?? journal.take("open");
    if (!flight || !(await this.#deliver(flight))) return;
    if (flight.kind === "end") {
      // It stays in the journal until that is removed: whoever finds it says the same goodbye again.
      this.#isEnded = true;
      return;
    }
    // Adopted meanwhile: the heir has sent the same pack, or will, and it is counted there.
    if (!journal.acknowledge()) return;
    this.#lastSentMs = this.#options.clock.nowMs();
    this.#stored += flight.records;
    this.#admit();
    while ((this.#unstored[0]?.place.nth ?? Infinity) <= this.#stored) {
      this.#unstored.shift()?.stored(true);
    }
  }

  /** Publishes until the pack is acknowledged; false when the lane was stopped before. */
  async #deliver(flight: Flight): Promise<boolean> {
    const { publish, clock, log } = this.#options;
    const { signal } = this.#stop;
    const msgID = `${flight.sender}.${flight.pack}`;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const { promise: again, resolve } = Promise.withResolvers<"again">();
      this.#again = () => resolve("again");
      const stop = this.#again;
      signal.addEventListener("abort", stop, { once: true });
      try {
        if ((await Promise.race([publish(flight, msgID), again])) !== "again") return true;
      } catch (error) {
        this.#retries++;
        const { records } = flight;
        log.warn("audit.retry", { msgID, attempt, records, error: messageOf(error) });
        const waitMs = Math.min(RETRY_MS_MAX, 50 * 2 ** Math.min(attempt, 10));
        await Promise.race([clock.sleep(waitMs * (0.5 + Math.random() / 2), signal), again]).catch(
          () => {},
        );
      } finally {
        signal.removeEventListener("abort", stop);
      }
    }
    return false;
  }
}
