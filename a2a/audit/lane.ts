/**
 * A lane: one journal's way into the AUDIT stream. One pack is in flight at a time, so a sender's packs
 * are stored in their order; what is reported meanwhile travels together in the next one. A pack goes
 * out under the same id until it is acknowledged.
 */
import { type Clock, type Logger, limits, messageOf, PetrelError } from "../../core/mod.ts";
import type { Flight, Journal } from "./journal.ts";
import type { AuditRecord } from "./record.ts";

export interface LaneOptions {
  readonly journal: Journal;
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
  readonly taken: (isTaken: boolean) => void;
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
  readonly #unstored: { readonly nth: number; readonly stored: (isStored: boolean) => void }[] = [];
  #waitingBytes = 0;
  #taken: number;
  #stored = 0;
  #retries = 0;
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
      lost: this.#options.journal.lost,
    };
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

  /** Resolves when the record is stored. Throws OVERLOADED when it is not by `deadlineMs`. */
  async store(record: AuditRecord, deadlineMs: number): Promise<void> {
    const leftMs = () => deadlineMs - this.#options.clock.nowMs();
    const left = () => Math.max(0, Math.min(leftMs(), TIMER_MS_MAX));
    let isTaken = this.#append(record);
    if (!isTaken && !this.#isCrowded(record)) {
      isTaken = await this.#whenRoom(record, left(), false);
    }
    if (isTaken && (await this.#whenStored(this.#taken, left()))) return;
    throw new PetrelError(
      "OVERLOADED",
      `audit: envelope ${record.id} could not be stored in time`,
      {
        id: record.id,
        pending: this.counts.pending,
      },
    );
  }

  /** Sends what waits, again if it is on its way: the connection is back. */
  resend(): void {
    this.#again?.();
    this.#wake(0);
  }

  /** To be called now and then: says that the sender lives when it has nothing else to say. */
  tick(nowMs: number): void {
    const { journal } = this.#options;
    journal.touch(nowMs);
    const isBusy = this.#pump !== undefined || journal.pending > 0 || journal.flight !== undefined;
    if (isBusy || this.#isClosed || nowMs - this.#lastSentMs < limits.BEAT_MS) return;
    journal.take("beat");
    this.#wake(0);
  }

  /** Sends all that is pending and the end, then removes the journal. False when it was stopped before. */
  async finish(): Promise<boolean> {
    const { journal } = this.#options;
    while (!this.#stop.signal.aborted) {
      this.#wake(0);
      await this.#pump;
      // A sender that never sent anything has nothing to end.
      if (this.#isEnded || (journal.packs === 0 && journal.pending === 0)) {
        this.#isClosed = true;
        journal.remove();
        return true;
      }
      if (journal.pending > 0 || this.#waiting.size > 0 || journal.flight) continue;
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
    for (const waiter of this.#waiting) this.#leave(waiter, false);
    for (const { stored } of this.#unstored) stored(false);
  }

  async #reportLate(record: AuditRecord): Promise<void> {
    if (!(await this.#whenRoom(record, limits.OUTBOX_WAIT_MS, true))) this.#drop();
  }

  #append(record: AuditRecord): boolean {
    if (this.#isClosed) throw new PetrelError("CANCELLED", "audit: the outbox is closed");
    // Whoever waits was here first.
    if (this.#waiting.size > 0 || !this.#options.journal.append(record)) return false;
    this.#taken++;
    if (this.#isDropping) {
      this.#isDropping = false;
      this.#options.log.warn("audit.outbox_room", { lost: this.counts.lost });
    }
    return true;
  }

  #drop(): undefined {
    const { journal, log } = this.#options;
    journal.lose();
    if (this.#isDropping) return;
    this.#isDropping = true;
    log.error("audit.outbox_full", { path: journal.path, lost: journal.lost });
    // From now on nobody waits who need not.
    for (const waiter of this.#waiting) if (waiter.mayDrop) this.#leave(waiter, false);
  }

  /** Bounds what waits in memory for room in the journal. */
  #isCrowded(record: AuditRecord): boolean {
    return this.#waitingBytes + record.bytes > this.#options.journal.bytes / 4;
  }

  #whenRoom(record: AuditRecord, waitMs: number, mayDrop: boolean): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = { record, mayDrop, taken: resolve };
    const timer = setTimeout(() => this.#leave(waiter, false), waitMs);
    this.#waiting.add(waiter);
    this.#waitingBytes += record.bytes;
    return promise.finally(() => clearTimeout(timer));
  }

  #leave(waiter: Waiter, isTaken: boolean): void {
    if (!this.#waiting.delete(waiter)) return;
    this.#waitingBytes -= waiter.record.bytes;
    waiter.taken(isTaken);
  }

  /** Room was made: those who waited longest go first. */
  #admit(): void {
    for (const waiter of this.#waiting) {
      if (!this.#options.journal.append(waiter.record)) return;
      this.#taken++;
      this.#leave(waiter, true);
    }
  }

  /** Resolves with whether the `nth` record was stored within `waitMs`. */
  #whenStored(nth: number, waitMs: number): Promise<boolean> {
    this.#wake(0);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), waitMs);
    this.#unstored.push({ nth, stored: resolve });
    return promise.finally(() => clearTimeout(timer));
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
      if (this.#options.journal.pending > 0) this.#wake(this.#gatherMs);
    });
  }

  get #gatherMs(): number {
    const isAwaited = this.#unstored.length > 0;
    return isAwaited || this.#options.journal.hasFullPack ? 0 : GATHER_MS;
  }

  /** Sends one pack. */
  async #send(): Promise<void> {
    const { journal, clock } = this.#options;
    const flight = journal.flight ?? journal.take("open");
    if (!flight || !(await this.#deliver(flight))) return;
    if (flight.kind === "end") {
      // It stays in the journal until that is removed: whoever finds it says the same goodbye again.
      this.#isEnded = true;
      return;
    }
    journal.acknowledge();
    this.#lastSentMs = clock.nowMs();
    this.#stored += flight.records;
    this.#admit();
    while ((this.#unstored[0]?.nth ?? Infinity) <= this.#stored) {
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
