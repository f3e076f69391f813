/**
 * The end of the log pipeline: counts records into a {@link LogSummary} that stays small however many
 * lines come. It keeps no record; of the text only a few exemplars.
 */
import { limits, type Window } from "../core/mod.ts";
import type { LogRecord, LogSummary, ServiceCounts, TemplateCounts } from "./model.ts";
import { owned } from "./parse/own.ts";
import type { Template } from "./template/miner.ts";
import { PathCollector } from "./transitions.ts";

/** A parsed event with its template; `undefined` when the table of templates was full. */
export interface MinedEvent {
  readonly record: LogRecord;
  readonly raw: string;
  readonly template: Template | undefined;
}

export interface MinedBatch {
  readonly events: readonly MinedEvent[];
  readonly rows: number;
  readonly bytes: number;
  readonly unparsed: number;
  readonly cutLines: number;
}

/** Counts what a stream of batches says of one window, to its end. */
export async function summarise(
  input: AsyncIterable<MinedBatch>,
  window: Window,
): Promise<LogSummary> {
  const summariser = new LogSummariser(window);
  for await (const batch of input) summariser.add(batch);
  return summariser.finish();
}

/**
 * Of the rows added, each is exactly one of: counted in a template, `unparsed`, `outsideWindow`, or
 * `overflow`. An overflow row still counts for its service when the service has a place.
 */
export class LogSummariser {
  readonly #window: Window;
  readonly #services = new Map<string, ServiceCounts>();
  readonly #templates = new Map<string, TemplateCounts>();
  readonly #paths: PathCollector;
  readonly #counts = {
    rows: 0,
    bytes: 0,
    unparsed: 0,
    outsideWindow: 0,
    cutLines: 0,
    overflow: 0,
  };
  #firstMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(window: Window) {
    this.#window = window;
    this.#paths = new PathCollector(window);
  }

  add(batch: MinedBatch): void {
    this.#counts.rows += batch.rows;
    this.#counts.bytes += batch.bytes;
    this.#counts.unparsed += batch.unparsed;
    this.#counts.cutLines += batch.cutLines;
    for (const event of batch.events) this.#addEvent(event);
  }

  finish(): LogSummary {
    const paths = this.#paths.finish();
    const seen = this.#firstMs <= this.#lastMs;
    return {
      window: this.#window,
      ...this.#counts,
      services: this.#services,
      templates: this.#templates,
      ...(paths !== undefined && { paths }),
      ...(seen && { firstMs: this.#firstMs, lastMs: this.#lastMs }),
    };
  }

  #addEvent({ record, raw, template }: MinedEvent): void {
    const { timeMs } = record;
    if (timeMs < this.#firstMs) this.#firstMs = timeMs;
    if (timeMs > this.#lastMs) this.#lastMs = timeMs;
    if (timeMs < this.#window.startMs || timeMs >= this.#window.endMs) {
      this.#counts.outsideWindow += 1;
      return;
    }
    const service = this.#serviceOf(record.service);
    if (service !== undefined) countService(service, record);
    const counts = service && template && this.#templateOf(template, record);
    if (counts === undefined) {
      this.#counts.overflow += 1;
      return;
    }
    countTemplate(counts, record, raw);
    this.#paths.add(record, counts.id);
  }

  #serviceOf(name: string): ServiceCounts | undefined {
    const known = this.#services.get(name);
    if (known !== undefined || this.#services.size >= limits.SERVICES_MAX) return known;
    const counts = noCounts();
    this.#services.set(name, counts);
    return counts;
  }

  #templateOf(template: Template, record: LogRecord): TemplateCounts | undefined {
    const known = this.#templates.get(template.id);
    if (known !== undefined || this.#templates.size >= limits.TEMPLATES_MAX) return known;
    const counts: TemplateCounts = {
      id: template.id,
      service: template.service,
      template: template.text,
      level: record.level,
      ...(template.logger !== undefined && { logger: template.logger }),
      count: 0,
      firstMs: record.timeMs,
      lastMs: record.timeMs,
      exemplars: [],
    };
    this.#templates.set(template.id, counts);
    return counts;
  }
}

function countService(counts: ServiceCounts, record: LogRecord): void {
  const { level, status, latencyMs } = record;
  counts.lines += 1;
  if (level === "ERROR" || level === "FATAL") counts.errors += 1;
  if (level === "WARN") counts.warnings += 1;
  if (status !== undefined) {
    counts.requests += 1;
    if (status === 500) counts.http500 += 1;
    if (status >= 500) counts.http5xx += 1;
  }
  if (latencyMs !== undefined) {
    counts.latencySumMs += latencyMs;
    counts.latencyCount += 1;
    counts.latencyMaxMs = Math.max(counts.latencyMaxMs, latencyMs);
  }
}

function countTemplate(counts: TemplateCounts, record: LogRecord, raw: string): void {
  counts.count += 1;
  counts.firstMs = Math.min(counts.firstMs, record.timeMs);
  counts.lastMs = Math.max(counts.lastMs, record.timeMs);
  if (record.exception !== undefined) counts.exception ??= record.exception;
  if (record.frame !== undefined) counts.frame ??= record.frame;
  if (counts.exemplars.length < limits.EXEMPLARS_MAX) {
    counts.exemplars.push(owned(raw.slice(0, limits.EXEMPLAR_CHARS_MAX)));
  }
}

/** The counts of a service that wrote nothing. */
export function noCounts(): ServiceCounts {
  return {
    lines: 0,
    errors: 0,
    warnings: 0,
    requests: 0,
    http500: 0,
    http5xx: 0,
    latencySumMs: 0,
    latencyCount: 0,
    latencyMaxMs: 0,
  };
}
