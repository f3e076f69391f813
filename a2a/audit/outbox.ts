/**
 * The outbox: every envelope a process sends or receives, on its way to the AUDIT stream.
 *
 * Envelopes of one millisecond travel in one acknowledged publish. A pack that is not acknowledged is
 * sent again under the same message id, so it is stored once. The queue is bounded in bytes; a full
 * queue makes {@link Outbox.report} wait instead of dropping. It never parses a body.
 */
import type { JetStreamClient } from "@nats-io/jetstream";
import { type Clock, type Logger, limits, messageOf, newId, PetrelError } from "../../core/mod.ts";
import { type AuditRecord, packRecords } from "./record.ts";

export interface OutboxOptions {
  readonly js: JetStreamClient;
  readonly subject: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly bytesMax?: number;
  /** How long a publish may wait for its acknowledgement before it is sent again. */
  readonly ackTimeoutMs?: number;
}

/** What an outbox has done so far. `reported === stored + pending`, always. */
export interface OutboxCounts {
  readonly reported: number;
  readonly stored: number;
  readonly pending: number;
  readonly retries: number;
}

const PACKS_IN_FLIGHT_MAX = 4;
const META_BYTES = 300;

export class Outbox {
  readonly #options: Required<OutboxOptions>;
  readonly #id = newId();
  readonly #stop = new AbortController();
  readonly #queue: AuditRecord[] = [];
  #queuedBytes = 0;
  #reported = 0;
  #stored = 0;
  #retries = 0;
  #packs = 0;
  #inFlight = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = { bytesMax: limits.OUTBOX_BYTES_MAX, ackTimeoutMs: 5_000, ...options };
  }

  get counts(): OutboxCounts {
    const pending = this.#reported - this.#stored;
    return { reported: this.#reported, stored: this.#stored, pending, retries: this.#retries };
  }

  /**
   * Queues one record. Returns undefined at once while there is room; otherwise a promise that
   * resolves when there is. Awaiting it is what makes a full outbox slow its owner down.
   */
  report(record: AuditRecord): Promise<void> | undefined {
    this.#queue.push(record);
    this.#reported++;
    this.#queuedBytes += record.bytes + META_BYTES;
    if (this.#queue.length >= limits.PACK_RECORDS_MAX) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), 1);
    if (this.#queuedBytes <= this.#options.bytesMax) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when all that was reported is stored. Throws DEADLINE_EXCEEDED with what is left. */
  async drain(timeoutMs: number): Promise<void> {
    const deadlineMs = this.#options.clock.nowMs() + timeoutMs;
    this.#flush();
    while (this.counts.pending > 0) {
      if (this.#options.clock.nowMs() >= deadlineMs) {
        const { pending } = this.counts;
        throw new PetrelError(
          "DEADLINE_EXCEEDED",
          `audit: ${pending} envelopes not stored after ${timeoutMs} ms`,
          { pending },
        );
      }
      await this.#options.clock.sleep(2);
    }
  }

  /** Drains, then stops retrying. What could not be stored in time is named in the log. */
  async close(timeoutMs = 10_000): Promise<void> {
    try {
      await this.drain(timeoutMs);
    } catch (error) {
      this.#options.log.error("audit.lost", { error, pending: this.counts.pending });
    }
    this.#stop.abort();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#queue.length > 0 && this.#inFlight < PACKS_IN_FLIGHT_MAX) {
      const records = this.#takePack();
      this.#inFlight++;
      void this.#store(records).finally(() => {
        this.#inFlight--;
        if (this.#queue.length > 0) this.#timer ??= setTimeout(() => this.#flush(), 1);
      });
    }
  }

  #takePack(): AuditRecord[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && count < limits.PACK_RECORDS_MAX) {
      bytes += (this.#queue[count]?.bytes ?? 0) + META_BYTES;
      if (count > 0 && bytes > limits.PACK_BYTES_MAX) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #store(records: AuditRecord[]): Promise<void> {
    const { js, subject, log, clock, ackTimeoutMs } = this.#options;
    const msgID = `${this.#id}.${++this.#packs}`;
    const pack = packRecords(records);
    for (let attempt = 1; !this.#stop.signal.aborted; attempt++) {
      try {
        await js.publish(subject, pack, { msgID, timeout: ackTimeoutMs });
        this.#stored += records.length;
        break;
      } catch (error) {
        this.#retries++;
        log.warn("audit.retry", {
          msgID,
          attempt,
          records: records.length,
          error: messageOf(error),
        });
        const waitMs = Math.min(5_000, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
        await clock.sleep(waitMs, this.#stop.signal).catch(() => {});
      }
    }
    this.#release(records);
  }

  #release(records: readonly AuditRecord[]): void {
    for (const record of records) this.#queuedBytes -= record.bytes + META_BYTES;
    if (this.#queuedBytes > this.#options.bytesMax) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}
