/**
 * Replies in KV: one key per (investigation, agent, message), created once. Creating is the idempotency
 * check: a duplicate changes nothing, and a reply to another request has another key.
 */
import { type KV, KvWatchInclude } from "@nats-io/kv";
import { asPetrelError, type Logger, messageOf, unlessAborted } from "../core/mod.ts";
import { Reply } from "./protocol.ts";

export const INVESTIGATIONS_BUCKET = "PETREL_INVESTIGATIONS";

export function replyKey(investigation: string, agent: string, messageId: string): string {
  return `r.${investigation}.${agent}.${messageId}`;
}

export function isWrongSequence(error: unknown): boolean {
  return error instanceof Error && /wrong last sequence/i.test(error.message);
}

/** Writes a reply; false when this request was answered before. */
export async function writeReply(
  kv: KV,
  investigation: string,
  agent: string,
  reply: Reply,
): Promise<boolean> {
  try {
    await kv.create(replyKey(investigation, agent, reply.messageId), JSON.stringify(reply));
    return true;
  } catch (error) {
    if (isWrongSequence(error)) return false;
    throw error;
  }
}

/** All replies that arrive from now on, over one watch, handed to whoever waits for their key. */
export class ReplyDesk {
  readonly #kv: KV;
  readonly #log: Logger;
  readonly #waiting = new Map<string, (reply: Reply) => void>();
  #stop: () => void = () => {};

  constructor(kv: KV, log: Logger) {
    this.#kv = kv;
    this.#log = log;
  }

  async start(): Promise<void> {
    const watch = await this.#kv.watch({
      key: "r.>",
      include: KvWatchInclude.UpdatesOnly,
      ignoreDeletes: true,
    });
    this.#stop = () => watch.stop();
    void (async () => {
      for await (const entry of watch) this.#take(entry.key, entry.string());
    })().catch((error: unknown) => this.#log.error("replies.watch_ended", { error }));
  }

  stop(): void {
    this.#stop();
  }

  /** The reply under `key`: the one that is there already, or the next that comes. */
  async wait(key: string, signal: AbortSignal): Promise<Reply> {
    const arrived = new Promise<Reply>((resolve) => this.#waiting.set(key, resolve));
    try {
      // A look that fails costs nothing: the watch, or whoever asks again, finds what it missed.
      const present = await this.find(key).catch(() => undefined);
      return present ?? (await unlessAborted(arrived, signal));
    } finally {
      this.#waiting.delete(key);
    }
  }

  /** The reply under `key`, if it is there and well formed. Throws an error that says `later`. */
  async find(key: string): Promise<Reply | undefined> {
    const entry = await this.#kv.get(key).catch((error: unknown) => {
      throw asPetrelError(error, "INCOMPLETE", "replies cannot be read now");
    });
    return entry?.operation === "PUT" ? this.#read(key, entry.string()) : undefined;
  }

  #take(key: string, text: string): void {
    const resolve = this.#waiting.get(key);
    if (!resolve) return;
    const reply = this.#read(key, text);
    if (reply) resolve(reply);
  }

  #read(key: string, text: string): Reply | undefined {
    try {
      return Reply.parse(JSON.parse(text));
    } catch (error) {
      this.#log.warn("reply.malformed", { key, error: messageOf(error) });
      return undefined;
    }
  }
}
