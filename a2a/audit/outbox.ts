/**
 * The outbox: every envelope a process sends or receives, on its way to the AUDIT stream.
 *
 * A record stands in a journal on disk when {@link Outbox.report} returns, so it survives the death of
 * the process; the next one of the same name sends it. The journals are bounded: a full one makes its
 * owner wait for a moment, then drops, counts and says so in every pack. It never parses a body.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import type { JetStreamClient } from "@nats-io/jetstream";
import { headers as makeHeaders, type NatsConnection } from "@nats-io/nats-core";
import { type Clock, type Logger, limits, PetrelError, parseTraceparent } from "../../core/mod.ts";
import { auditSubject } from "../subjects.ts";
import { adoptJournals } from "./adopt.ts";
import { journalFileName, makeOutboxDir, SELF } from "./folder.ts";
import { type Flight, JOURNAL_BYTES_MIN, Journal } from "./journal.ts";
import { Lane, type LaneCounts } from "./lane.ts";
import { formatPackHeader, PACK_HEADER } from "./pack.ts";
import type { AuditRecord } from "./record.ts";

/** strict: an envelope is stored before it leaves. async: it is in the journal before it leaves. */
export type AuditMode = "async" | "strict";

export interface OutboxOptions {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  /** Our own name, and this process: the subject of what we report. */
  readonly name: string;
  readonly instance: string;
  /** Addresses without credentials: a journal is sent where it belongs. */
  readonly servers: readonly string[];
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly mode?: AuditMode;
  /** Lanes, each with a journal of its own. The same in every process of a mesh. */
  readonly shards?: number;
  /** Of all journals of this process together. */
  readonly bytesMax?: number;
  /** How long a publish may wait for its acknowledgement before it is sent again. */
  readonly ackTimeoutMs?: number;
}

/** What an outbox has done so far. `reported === stored + pending`, always; what was lost is in neither. */
export type OutboxCounts = LaneCounts;

const TICK_MS = limits.BEAT_MS / 5;
/** Journals are looked for at the start and this often: an owner may be dead for certain only later. */
const ADOPT_EVERY_TICKS = 30;

export class Outbox {
  readonly mode: AuditMode;
  readonly shards: number;
  readonly #options: OutboxOptions;
  readonly #stop = new AbortController();
  #lanes: readonly Lane[] = [];
  #adopted: Lane | undefined;
  #adopting: Promise<void> | undefined;
  /** Journals that are not ours to send, once they were named in the log. */
  readonly #named = new Set<string>();
  #ticks = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isOnline = true;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.mode = options.mode ?? "async";
    this.shards = options.shards ?? 1;
  }

  get counts(): OutboxCounts {
    const sum = { reported: 0, stored: 0, pending: 0, retries: 0, lost: 0 };
    for (const { counts } of this.#lanes) {
      sum.reported += counts.reported;
      sum.stored += counts.stored;
      sum.pending += counts.pending;
      sum.retries += counts.retries;
      sum.lost += counts.lost;
    }
    return sum;
  }

  /**
   * Makes the journals, once; whoever only looks around needs none. Also begins to adopt what dead
   * processes left. Throws UNAVAILABLE when the folder or the space is not there.
   */
  open(): void {
    if (this.#lanes.length > 0) return;
    this.#stop.signal.throwIfAborted();
    makeOutboxDir(this.#options.dir);
    this.#lanes = this.#journals().map((journal, shard) =>
      this.#lane(journal, () => this.#journal(shard)),
    );
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    this.#tick();
    void this.#watchConnection();
  }

  /**
   * Reports one envelope. Returns undefined at once while there is room; otherwise a promise that
   * resolves when there is, or when the record was dropped and counted. Awaiting it is what makes a
   * full outbox slow its owner down. `shardKey` is the same at both ends of a call.
   */
  report(record: AuditRecord, shardKey?: string): Promise<void> | undefined {
    return this.#laneOf(record, shardKey).report(record);
  }

  /**
   * Reports an envelope that is about to leave; it may once this resolves. In strict mode that is when
   * it is stored. Throws OVERLOADED, in strict mode, when it is not by `deadlineMs`.
   */
  reportBefore(
    record: AuditRecord,
    deadlineMs: number,
    shardKey?: string,
  ): Promise<void> | undefined {
    const lane = this.#laneOf(record, shardKey);
    return this.mode === "strict" ? lane.store(record, deadlineMs) : lane.report(record);
  }

  /** Resolves when all that was reported is stored. Throws DEADLINE_EXCEEDED with what is left. */
  async drain(timeoutMs: number): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.nowMs() + timeoutMs;
    while (this.counts.pending > 0) {
      if (clock.nowMs() >= deadlineMs) {
        const { pending } = this.counts;
        throw new PetrelError(
          "DEADLINE_EXCEEDED",
          `audit: ${pending} envelopes not stored after ${timeoutMs} ms`,
          { pending },
        );
      }
      await clock.sleep(2);
    }
  }

  /**
   * Stores what is pending, says goodbye and removes the journals. What could not be stored in time
   * stays in its journal for the next process of our name, and is named in the log.
   */
  async close(timeoutMs = 10_000): Promise<void> {
    clearInterval(this.#timer);
    const { clock, log } = this.#options;
    const { pending } = this.counts;
    // Without a connection a goodbye alone is not worth the wait: whoever adopts the journal says it.
    const waitMs = this.#isOnline || pending > 0 ? timeoutMs : 0;
    const late = new AbortController();
    const ended = Promise.all([...this.#lanes.map((lane) => lane.finish()), this.#adopting]);
    await Promise.race([ended, clock.sleep(waitMs, late.signal).catch(() => {})]);
    late.abort();
    this.#stop.abort(new PetrelError("CANCELLED", "audit: the outbox is closed"));
    for (const lane of this.#lanes) lane.stop();
    const left = this.counts.pending;
    if (left > 0) log.error("audit.left", { pending: left, dir: this.#options.dir });
  }

  /** Packs are sent again at once when the connection is back. */
  async #watchConnection(): Promise<void> {
    for await (const { type } of this.#options.nc.status()) {
      if (type === "disconnect") this.#isOnline = false;
      if (type !== "reconnect") continue;
      this.#isOnline = true;
      for (const lane of this.#lanes) lane.resend();
      this.#adopted?.resend();
    }
  }

  /** All of them or none. */
  #journals(): Journal[] {
    const journals: Journal[] = [];
    try {
      for (let shard = 0; shard < this.shards; shard++) journals.push(this.#journal(shard));
      return journals;
    } catch (error) {
      for (const journal of journals) journal.remove();
      throw error;
    }
  }

  #journal(shard: number): Journal {
    const { dir, name, instance, servers, bytesMax = limits.OUTBOX_BYTES_MAX } = this.#options;
    // Of version 4 (RFC 9562): 122 random bits. The stream knows packs by it, so nobody may guess one.
    const sender = crypto.randomUUID();
    const bytes = Math.max(JOURNAL_BYTES_MIN, Math.floor(bytesMax / this.shards));
    const path = join(dir, journalFileName({ name, sender, shard, owner: SELF }));
    const host = hostname();
    const identity = { v: 1, host, name, instance, shard, sender, servers } as const;
    return Journal.create(path, identity, bytes);
  }

  #lane(journal: Journal, renew?: () => Journal): Lane {
    const { js, clock, log, ackTimeoutMs = 5_000 } = this.#options;
    const { name, instance, shard } = journal.identity;
    const subject = auditSubject(name, instance, shard);
    const publish = async (flight: Flight, msgID: string) => {
      const headers = makeHeaders();
      headers.append(PACK_HEADER, formatPackHeader(flight));
      await js.publish(subject, flight.data, { msgID, headers, timeout: ackTimeoutMs });
    };
    return new Lane({ journal, publish, clock, log, ...(renew ? { renew } : {}) });
  }

  #laneOf(record: AuditRecord, shardKey: string | undefined): Lane {
    if (this.#lanes.length === 0) this.open();
    const shard = this.shards === 1 ? 0 : shardOf(shardKey ?? keyOf(record), this.shards);
    const lane = this.#lanes[shard];
    if (!lane) throw new PetrelError("INTERNAL", `audit: no lane for shard ${shard}`);
    return lane;
  }

  #tick(): void {
    const { clock, log } = this.#options;
    const nowMs = clock.nowMs();
    for (const lane of this.#lanes) lane.tick(nowMs);
    this.#adopted?.tick(nowMs);
    if (this.#ticks++ % ADOPT_EVERY_TICKS !== 0) return;
    this.#adopting ??= this.#adopt()
      .catch((error: unknown) => log.error("audit.adopt_failed", { error }))
      .finally(() => {
        this.#adopting = undefined;
      });
  }

  #adopt(): Promise<void> {
    const open = (journal: Journal) => (this.#adopted = this.#lane(journal));
    const options = { ...this.#options, open, named: this.#named };
    return adoptJournals(options, this.#stop.signal).finally(() => {
      this.#adopted = undefined;
    });
  }
}

/** Which lane a key belongs to. CRC-32 (ISO 3309), so that any client can know. */
export function shardOf(key: string, shards: number): number {
  return Bun.hash.crc32(key) % shards;
}

/** What a record without a key is filed under. */
function keyOf(record: AuditRecord): string {
  return parseTraceparent(record.traceparent)?.traceId ?? record.id;
}
