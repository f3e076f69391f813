/** Small summaries and series for the tests of detection and ranking. */
import type { Finding, LogRecord, LogSummary, Series, SourceReport } from "../../streams/mod.ts";
import { noCounts } from "../../streams/summarise.ts";
import { PathCollector } from "../../streams/transitions.ts";

export const WINDOW = { startMs: 1_000_000_000, endMs: 1_000_300_000 };

export const SEED = Number(process.env["PETREL_TEST_SEED"] ?? 20_230_129);

export interface LineOptions {
  readonly level?: LogRecord["level"];
  readonly logger?: string;
  readonly traceId?: string;
  readonly timeMs?: number;
  readonly status?: number;
  readonly latencyMs?: number;
  readonly exception?: string;
}

/** Counts lines into a summary the way the pipeline does; templates are the messages themselves. */
export class SummaryBuilder {
  readonly #services: Map<string, NonNullable<ReturnType<LogSummary["services"]["get"]>>> =
    new Map();
  readonly #templates: Map<string, NonNullable<ReturnType<LogSummary["templates"]["get"]>>> =
    new Map();
  readonly #paths = new PathCollector(WINDOW);
  #rows = 0;

  line(service: string, message: string, options: LineOptions = {}, times = 1): this {
    const { level = "INFO", timeMs = WINDOW.startMs + 10_000, ...rest } = options;
    const counts = this.#services.get(service) ?? noCounts();
    this.#services.set(service, counts);
    counts.lines += times;
    this.#rows += times;
    if (level === "ERROR") counts.errors += times;
    if (level === "WARN") counts.warnings += times;
    if (options.status !== undefined) counts.requests += times;
    if (options.status === 500) counts.http500 += times;
    if ((options.status ?? 0) >= 500) counts.http5xx += times;
    if (options.latencyMs !== undefined) {
      counts.latencyCount += times;
      counts.latencySumMs += times * options.latencyMs;
      counts.latencyMaxMs = Math.max(counts.latencyMaxMs, options.latencyMs);
    }
    const id = Bun.hash(`${service}/${options.logger ?? ""}/${message}`).toString(16);
    const template = this.#templates.get(id) ?? {
      id,
      service,
      template: message,
      level,
      ...(options.logger === undefined ? {} : { logger: options.logger }),
      ...(options.exception === undefined ? {} : { exception: options.exception }),
      count: 0,
      firstMs: timeMs,
      lastMs: timeMs,
      exemplars: [message],
    };
    template.count += times;
    this.#templates.set(id, template);
    this.#paths.add({ service, level, message, timeMs, ...rest }, id);
    return this;
  }

  build(): LogSummary {
    const paths = this.#paths.finish();
    return {
      window: WINDOW,
      rows: this.#rows,
      bytes: 0,
      unparsed: 0,
      outsideWindow: 0,
      cutLines: 0,
      overflow: 0,
      services: this.#services,
      templates: this.#templates,
      ...(paths === undefined ? {} : { paths }),
    };
  }
}

/** A series of `past` samples up to the window and `now` samples in it, a minute apart. */
export function series(
  service: string,
  metric: string,
  past: readonly number[],
  now: readonly number[],
  unit = "%",
): Series {
  const values = [...past, ...now];
  const firstMs = WINDOW.startMs - (past.length - 1) * 60_000;
  return { service, metric, unit, values, timesMs: values.map((_, at) => firstMs + at * 60_000) };
}

/** A steady series with a small known wobble. */
export const steady = (level: number, length = 120): number[] =>
  Array.from({ length }, (_, at) => level * (1 + 0.02 * Math.sin(at * 1.7)));

export function reportOf(
  source: SourceReport["source"],
  findings: readonly Finding[],
  dependencies: SourceReport["dependencies"] = [],
): SourceReport {
  return {
    schema: "petrel.findings/v1",
    source,
    window: {
      start: new Date(WINDOW.startMs).toISOString(),
      end: new Date(WINDOW.endMs).toISOString(),
    },
    baseline: [],
    outcome: findings.some((finding) => finding.anomalous) ? "anomalous" : "quiet",
    findings: [...findings],
    services: [],
    dependencies,
    stats: {},
    notes: [],
    cut: false,
    links: [],
  };
}
