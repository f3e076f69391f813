/**
 * Reads windows of logs into summaries, and remembers: the last summaries in this process, and what the
 * template miner learnt in KV, so that a template keeps its id over restarts. No log line stays.
 */
import type { Turn } from "../../a2a/mod.ts";
import type { Clock, Logger, Window } from "../../core/mod.ts";
import {
  type LogProgress,
  type LogSummary,
  resolveTemplates,
  summariseLogs,
  TemplateMiner,
} from "../../streams/mod.ts";
import type { AgentMemory } from "../memory.ts";
import type { LogQuerySpec } from "../protocol.ts";
import type { LogSource } from "./agent.ts";

export interface WindowReaderOptions {
  readonly source: LogSource;
  readonly clock: Clock;
  readonly memory: AgentMemory;
  readonly log: Logger;
}

const SUMMARIES_MAX = 12;
const TEMPLATES = "templates";

export class WindowReader {
  readonly #options: WindowReaderOptions;
  readonly #summaries = new Map<string, LogSummary>();
  #opening: Promise<TemplateMiner> | undefined;
  /** The store could not be read yet: what it holds comes before what is learnt meanwhile. */
  #isOwed = true;
  #reading = 0;

  constructor(options: WindowReaderOptions) {
    this.#options = options;
  }

  /** A window's summary; one of the baseline may be a remembered one. Throws as the source does. */
  async read(
    query: LogQuerySpec,
    window: Window,
    turn: Turn,
    part: "baseline" | "window",
  ): Promise<LogSummary> {
    const key = JSON.stringify([query, window]);
    const known = this.#summaries.get(key);
    if (known && part === "baseline") {
      // What is normal while an incident goes on is asked for again and again.
      this.#remember(key, known);
      return known;
    }
    const { signal } = turn;
    const source = this.#options.source.open(query, window, signal);
    const onProgress = (progress: LogProgress) => {
      turn.progress(`${progress.rows} lines`, { part, ...progress });
    };
    const nowMs = () => this.#options.clock.nowMs();
    const miner = await this.#opened();
    this.#reading += 1;
    let summary: LogSummary;
    try {
      summary = await summariseLogs(source, { window, miner, signal, onProgress, nowMs });
    } finally {
      this.#reading -= 1;
    }
    turn.progress(`${summary.rows} lines`, {
      part,
      rows: summary.rows,
      bytes: summary.bytes,
      templates: summary.templates.size,
      done: true,
    });
    this.#remember(key, summary);
    return summary;
  }

  /** The summary with every template under the id it has now: later lines may have joined some. */
  async current(summary: LogSummary): Promise<LogSummary> {
    const miner = await this.#opened();
    return resolveTemplates(summary, (id) => miner.resolve(id));
  }

  /** Stores what the miner learnt; called at the end of a turn, when no id of it is asked for any more. */
  async keep(): Promise<void> {
    const miner = await this.#opened();
    miner.nextGeneration();
    if (this.#isOwed) await this.#adopt();
    // What was just taken up is stored as it is.
    if (this.#isOwed || miner !== (await this.#opened())) return;
    await this.#options.memory.save(TEMPLATES, miner.snapshot());
  }

  #opened(): Promise<TemplateMiner> {
    this.#opening ??= this.#stored().then(({ miner, isAway }) => {
      this.#isOwed = isAway;
      return miner ?? new TemplateMiner();
    });
    return this.#opening;
  }

  /** Takes up what is stored, once it can be read. Ids must not change under a window that is read. */
  async #adopt(): Promise<void> {
    if (this.#reading > 0) return;
    const { miner, isAway } = await this.#stored();
    if (isAway || this.#reading > 0 || !this.#isOwed) return;
    this.#isOwed = false;
    if (miner === undefined) return;
    this.#opening = Promise.resolve(miner);
    this.#summaries.clear();
  }

  /** The miner that is stored; none when nothing is, it is damaged, or the store is away. */
  async #stored(): Promise<{ miner?: TemplateMiner; isAway: boolean }> {
    const { memory, log } = this.#options;
    const loaded = await memory.load(TEMPLATES);
    if (loaded.state !== "stored") return { isAway: loaded.state === "away" };
    try {
      return { miner: TemplateMiner.restore(loaded.bytes), isAway: false };
    } catch (error) {
      log.warn("memory.damaged", { name: TEMPLATES, error });
      return { isAway: false };
    }
  }

  /** Keeps it as the last that goes. */
  #remember(key: string, summary: LogSummary): void {
    this.#summaries.delete(key);
    this.#summaries.set(key, summary);
    const oldest = this.#summaries.keys().next();
    if (this.#summaries.size > SUMMARIES_MAX && !oldest.done) this.#summaries.delete(oldest.value);
  }
}
