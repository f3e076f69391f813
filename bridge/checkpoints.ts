/**
 * Signed checkpoints on their way out: into the transaction of the batch they close, then to a file and
 * to a third party. A checkpoint says all that the ones before it said, so one that cannot be delivered
 * is replaced by the next; what could not be said is logged.
 */
import { appendFile } from "node:fs/promises";
import { type Clock, type Logger, messageOf } from "../core/mod.ts";
import type { Batch } from "./filling.ts";
import type { KafkaRecord } from "./kafka/record.ts";
import { postJson, type Webhook } from "./webhook.ts";

export interface Checkpoint {
  readonly tree: string;
  readonly size: number;
  /** The signed note. */
  readonly note: string;
  readonly record: KafkaRecord;
}

/** Signs a tree's state: the note's whole text. */
export type SignTree = (state: {
  readonly tree: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly timeMs: number;
  readonly nextSeq: number;
}) => string;

export interface CheckpointOptions {
  readonly topic: string;
  /** Without it nothing is signed. */
  readonly sign: SignTree | undefined;
  readonly everyMs: number;
  /** Appended to, one JSON line per checkpoint. */
  readonly file?: string;
  readonly webhook?: Webhook;
  readonly clock: Clock;
  readonly log: Logger;
}

export class CheckpointWriter {
  readonly #options: CheckpointOptions;
  readonly #stop = new AbortController();
  #signedMs = 0;
  #signedSize: number | undefined;
  #waiting: Checkpoint | undefined;
  #delivering: Promise<void> | undefined;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /** The checkpoint after `batch`, when it is time for one and there is something new to sign. */
  due(tree: string, batch: Pick<Batch, "size" | "root" | "nextSeq">): Checkpoint | undefined {
    const { sign, clock, everyMs, topic } = this.#options;
    const timeMs = clock.nowMs();
    if (!sign || batch.size === this.#signedSize || timeMs - this.#signedMs < everyMs)
      return undefined;
    const { size, root, nextSeq } = batch;
    const note = sign({ tree, size, root, timeMs, nextSeq });
    const headers = { "content-type": "text/plain; charset=utf-8" };
    const record = { topic, key: tree, value: Buffer.from(note), headers, timestampMs: timeMs };
    return { tree, size, note, record };
  }

  /** Hands a committed checkpoint to the file and the webhook; does not wait for them. */
  publish(checkpoint: Checkpoint): void {
    this.#signedMs = checkpoint.record.timestampMs;
    this.#signedSize = checkpoint.size;
    this.#waiting = checkpoint;
    this.#delivering ??= this.#deliver().finally(() => {
      this.#delivering = undefined;
    });
  }

  /** Waits for what is under way, at most `timeoutMs`. */
  async close(timeoutMs = 5_000): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), timeoutMs);
    await this.#delivering;
    clearTimeout(timer);
    this.#stop.abort();
  }

  async #deliver(): Promise<void> {
    const { log } = this.#options;
    while (this.#waiting && !this.#stop.signal.aborted) {
      const checkpoint = this.#waiting;
      this.#waiting = undefined;
      const ways = [this.#toFile(checkpoint), this.#toWebhook(checkpoint)];
      for (const way of await Promise.allSettled(ways)) {
        if (way.status === "fulfilled") continue;
        const error = messageOf(way.reason);
        log.error("checkpoint.undelivered", { tree: checkpoint.tree, error });
      }
    }
  }

  async #toFile({ tree, note }: Checkpoint): Promise<void> {
    const { file } = this.#options;
    if (file !== undefined)
      await appendFile(file, `${JSON.stringify({ tree, note })}\n`, { mode: 0o644 });
  }

  async #toWebhook({ tree, note }: Checkpoint): Promise<void> {
    const { webhook, clock } = this.#options;
    if (!webhook) return;
    const { signal } = this.#stop;
    await postJson(webhook, { type: "petrel.checkpoint/v1", tree, note }, { clock, signal });
  }
}
