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
  #miner: Promise<TemplateMiner> | undefined;

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
    if (known && part === "baseline") return known;
    const { signal } = turn;
    const source = this.#options.source.open(query, window, signal);
    const onProgress = (progress: LogProgress) => {
      turn.progress(`${progress.rows} lines`, { part, ...progress });
    };
    const nowMs = () => this.#options.clock.nowMs();
    const miner = await this.#opened();
    const summary = await summariseLogs(source, { window, miner, signal, onProgress, nowMs });
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

  /** Stores what the miner learnt. */
  async keep(): Promise<void> {
    const miner = await this.#opened();
    await this.#options.memory.save(TEMPLATES, miner.snapshot());
  }

  #opened(): Promise<TemplateMiner> {
    this.#miner ??= this.#open();
    return this.#miner;
  }

  async #open(): Promise<TemplateMiner> {
    const { memory, log } = this.#options;
    const stored = await memory.load(TEMPLATES);
    if (stored === undefined) return new TemplateMiner();
    try {
      return TemplateMiner.restore(stored);
    } catch (error) {
      log.warn("memory.damaged", { name: TEMPLATES, error });
      return new TemplateMiner();
    }
  }

  #remember(key: string, summary: LogSummary): void {
    this.#summaries.set(key, summary);
    const oldest = this.#summaries.keys().next();
    if (this.#summaries.size > SUMMARIES_MAX && !oldest.done) this.#summaries.delete(oldest.value);
  }
}
