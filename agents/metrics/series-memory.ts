/**
 * The long memory of metrics over restarts: a series book in this process, each service's part of it in
 * KV. A service is loaded when it is first seen; each window a share of the services is stored, so that
 * all are stored every half hour and a restart forgets no more than that, which the look back gives again.
 */
import { type Logger, limits, type Window } from "../../core/mod.ts";
import { type BookReadings, type Series, SeriesBook } from "../../streams/mod.ts";
import type { AgentMemory } from "../memory.ts";

/** Windows until every service was stored once. */
const ROUNDS = 6;
const LOADS_AT_ONCE = 8;
/** Says that something is stored. */
const MARK = "mark";
const MARK_BYTES = new TextEncoder().encode("1");

export class SeriesMemory {
  readonly #memory: AgentMemory;
  readonly #log: Logger;
  readonly #book = new SeriesBook();
  readonly #loaded = new Set<string>();
  #asked = false;

  constructor(memory: AgentMemory, log: Logger) {
    this.#memory = memory;
    this.#log = log;
  }

  /** Learns the window's samples, and tells how strange they are; see {@link SeriesBook.read}. */
  async read(series: readonly Series[], window: Window): Promise<BookReadings> {
    await this.#load([...new Set(series.map(({ service }) => service))]);
    return this.#book.read(series, window);
  }

  /** True once, when nothing is in this process and nothing is stored: another replica's is as good. */
  async isCold(): Promise<boolean> {
    if (this.#asked) return false;
    this.#asked = true;
    if (this.#book.size > 0) return false;
    return (await this.#memory.load(MARK)) === undefined;
  }

  /** Stores the services whose turn it is in this window. */
  async keep(window: Window): Promise<void> {
    const round = Math.floor(window.startMs / (window.endMs - window.startMs)) % ROUNDS;
    for (const service of this.#book.services) {
      if (Bun.hash.xxHash32(service) % ROUNDS !== round) continue;
      const bytes = this.#book.save(service);
      if (bytes !== undefined) await this.#memory.save(nameOf(service), bytes);
    }
    await this.#memory.save(MARK, MARK_BYTES);
  }

  async #load(services: readonly string[]): Promise<void> {
    const room = Math.max(0, limits.SERVICES_MAX - this.#loaded.size);
    const waiting = services.filter((service) => !this.#loaded.has(service)).slice(0, room);
    for (const service of waiting) this.#loaded.add(service);
    const worker = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        await this.#loadOne(next);
      }
    };
    await Promise.all(Array.from({ length: LOADS_AT_ONCE }, worker));
  }

  async #loadOne(service: string): Promise<void> {
    const bytes = await this.#memory.load(nameOf(service));
    if (bytes === undefined) return;
    try {
      this.#book.load(bytes);
    } catch (error) {
      this.#log.warn("memory.damaged", { name: service, error });
    }
  }
}

/** A service's name as a token of a subject. */
function nameOf(service: string): string {
  return Bun.hash(service).toString(16);
}
