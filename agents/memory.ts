/**
 * What an agent learnt and must not forget over a restart: bytes under keys of its own in the bucket of
 * the investigations. Losing them costs accuracy for a while and never an answer, so a store that is away
 * is a line in the log. Several replicas share it; the last to write wins, as they all see the same logs.
 */
import type { KV } from "@nats-io/kv";
import type { Logger } from "../core/mod.ts";

export interface MemoryOptions {
  /** The bucket of {@link INVESTIGATIONS_BUCKET}. */
  readonly kv: KV;
  /** Name of the agent; its keys begin with `s.<agent>.`. */
  readonly agent: string;
  readonly log: Logger;
}

/** Of one value; NATS carries a megabyte in a message by default. */
export const MEMORY_BYTES_MAX = 900_000;

/** Nothing stored is no reason to wait; a store that is away may hold what is better than what is new. */
export type Loaded =
  | { readonly state: "stored"; readonly bytes: Uint8Array }
  | { readonly state: "absent" }
  | { readonly state: "away" };

export class AgentMemory {
  readonly #options: MemoryOptions;
  /** Of each name that could be read: what is stored, so that nothing is written twice. */
  readonly #stored = new Map<string, number | bigint | undefined>();

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  /** What was stored under `name`, a token of a subject. Never throws. */
  async load(name: string): Promise<Loaded> {
    try {
      const entry = await this.#options.kv.get(this.#keyOf(name));
      const bytes = entry?.operation === "PUT" ? entry.value : undefined;
      this.#stored.set(name, bytes && Bun.hash(bytes));
      return bytes === undefined ? { state: "absent" } : { state: "stored", bytes };
    } catch (error) {
      this.#options.log.warn("memory.not_read", { name, error });
      return { state: "away" };
    }
  }

  /** True when `name` could be read before, whether anything was there or not. */
  knows(name: string): boolean {
    return this.#stored.has(name);
  }

  /**
   * Stores `bytes` unless they are there already; what is too large is left out and said. A name that was
   * never read is not written: what stands there may be better.
   */
  async save(name: string, bytes: Uint8Array): Promise<void> {
    const { kv, log } = this.#options;
    if (!this.knows(name)) return;
    if (bytes.length > MEMORY_BYTES_MAX) {
      log.warn("memory.too_large", { name, bytes: bytes.length });
      return;
    }
    const hash = Bun.hash(bytes);
    if (this.#stored.get(name) === hash) return;
    try {
      await kv.put(this.#keyOf(name), bytes);
      this.#stored.set(name, hash);
    } catch (error) {
      log.warn("memory.not_stored", { name, error });
    }
  }

  #keyOf(name: string): string {
    return `s.${this.#options.agent}.${name}`;
  }
}
