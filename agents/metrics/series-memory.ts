/**
 * The long memory of metrics over restarts: a series book in this process, each service's part of it in
 * KV. A service is loaded when it is first seen, and not learnt while the store cannot say what it holds;
 * each window a share of the services is stored, so that all are stored every half hour and a restart
 * forgets no more than that, which the look back gives again.
 */
import { type Clock, type Logger, limits, type Window } from "../../core/mod.ts";
import { type BookReadings, type Series, SeriesBook, seriesKey } from "../../streams/mod.ts";
import type { AgentMemory } from "../memory.ts";

/** Windows until every service was stored once. */
const ROUNDS = 6;
const LOADS_AT_ONCE = 8;
/** The history costs the metric store a query over days. */
const HISTORY_EVERY_MS = 3_600_000;

export interface SeriesMemoryOptions {
  readonly memory: AgentMemory;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What was before a window, for services of which nothing is remembered. */
export interface History {
  readonly series: readonly Series[];
  readonly endMs: number;
}

export class SeriesMemory {
  readonly #options: SeriesMemoryOptions;
  readonly #book = new SeriesBook();
  /** Services whose store was read, or is being read: false when it was away. */
  readonly #loads = new Map<string, Promise<boolean>>();
  readonly #loaded = new Set<string>();
  /** Loaded, with nothing stored that is of use, and nothing learnt. */
  readonly #cold = new Set<string>();
  #running = 0;
  #warming: Promise<void> | undefined;
  #warmedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SeriesMemoryOptions) {
    this.#options = options;
  }

  /**
   * Learns the window's samples, and tells how strange they are; see {@link SeriesBook.read}. Windows that
   * come at once wait for the same history and the same loads.
   */
  async read(
    series: readonly Series[],
    window: Window,
    history?: () => Promise<History>,
  ): Promise<BookReadings> {
    this.#running += 1;
    try {
      const services = new Set(series.map(({ service }) => service));
      const asked = new Set([...services].slice(0, limits.SERVICES_MAX));
      const near = series.filter(({ service }) => asked.has(service));
      await this.#load([...asked], new Set(near.map(seriesKey)));
      await this.#warm(asked, history);
      const known = near.filter(({ service }) => this.#loaded.has(service));
      const { readings, left } = await this.#learn(known, window);
      for (const service of asked) this.#cold.delete(service);
      return { readings, left: left + series.length - near.length };
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#forget();
    }
  }

  /** Stores the services whose turn it is in this window. */
  async keep(window: Window): Promise<void> {
    const round = Math.floor(window.startMs / (window.endMs - window.startMs)) % ROUNDS;
    for (const service of this.#book.services) {
      if (Bun.hash.xxHash32(service) % ROUNDS !== round || !this.#loaded.has(service)) continue;
      let part = 0;
      for (const bytes of this.#book.save(service, window.endMs)) {
        await this.#store(nameOf(service, part), bytes, part);
        part += 1;
        await pause();
      }
    }
  }

  /** A later part is new when the service has grown: its name was never read. */
  async #store(name: string, bytes: Uint8Array, part: number): Promise<void> {
    const { memory } = this.#options;
    if (part > 0 && !memory.knows(name)) await memory.load(name);
    await memory.save(name, bytes);
  }

  async #load(services: readonly string[], asked: ReadonlySet<string>): Promise<void> {
    const waiting = [...services];
    const worker = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        await this.#loadOnce(next, asked);
      }
    };
    await Promise.all(Array.from({ length: LOADS_AT_ONCE }, worker));
  }

  async #loadOnce(service: string, asked: ReadonlySet<string>): Promise<void> {
    const load = this.#loads.get(service) ?? this.#loadParts(service, asked);
    this.#loads.set(service, load);
    if (await load) this.#loaded.add(service);
    else if (this.#loads.get(service) === load) this.#loads.delete(service);
  }

  /** True when the store could tell of every part. */
  async #loadParts(service: string, asked: ReadonlySet<string>): Promise<boolean> {
    const { memory, log } = this.#options;
    for (let [part, parts] = [0, 1]; part < parts; part++) {
      const loaded = await memory.load(nameOf(service, part));
      if (loaded.state === "away") return false;
      if (loaded.state === "absent") {
        if (part === 0) this.#cold.add(service);
        continue;
      }
      try {
        parts = this.#book.load(service, loaded.bytes, asked);
      } catch (error) {
        log.warn("memory.damaged", { name: service, part, error });
        if (part === 0) this.#cold.add(service);
      }
    }
    return true;
  }

  /** Reads the history when a service is cold, at most once an hour; whoever comes meanwhile waits. */
  async #warm(asked: ReadonlySet<string>, history?: () => Promise<History>): Promise<void> {
    if (this.#warming === undefined && history !== undefined) {
      const nowMs = this.#options.clock.nowMs();
      const isCold = [...asked].some((service) => this.#cold.has(service));
      if (!isCold || nowMs - this.#warmedMs < HISTORY_EVERY_MS) return;
      this.#warmedMs = nowMs;
      this.#warming = this.#learnHistory(history).finally(() => {
        this.#warming = undefined;
      });
    }
    await this.#warming;
  }

  async #learnHistory(history: () => Promise<History>): Promise<void> {
    try {
      const { series, endMs } = await history();
      const cold = series.filter(({ service }) => this.#cold.has(service));
      await this.#learn(cold, { startMs: endMs, endMs });
    } catch (error) {
      this.#options.log.warn("history.not_read", { error });
    }
  }

  /** Between its pauses others are answered: ten thousand series take seconds. */
  async #learn(series: readonly Series[], window: Window): Promise<BookReadings> {
    const reading = this.#book.reading(series, window);
    for (;;) {
      const step = reading.next();
      if (step.done) return step.value;
      await pause();
    }
  }

  /** Services that lost their places to others are loaded again when they come back. */
  #forget(): void {
    const kept = new Set(this.#book.services);
    for (const service of this.#loaded) {
      if (kept.has(service)) continue;
      this.#loaded.delete(service);
      this.#loads.delete(service);
    }
  }
}

/** Lets what waits on the event loop have its turn. */
function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The name of one part of a service, as a token of a subject. */
function nameOf(service: string, part: number): string {
  return `${Bun.hash(service).toString(16)}-${part}`;
}
