/**
 * The nouns of streams/: what flows from a source to a digest.
 *
 *   RowBatch -> LogRecord[] -> (template, record) -> LogSummary -> Finding[] -> Cause[]
 *
 * Everything here is plain data; every collection has a bound in core/limits.ts.
 */
import type { Window } from "../core/mod.ts";

/** One row as a source delivered it, not yet parsed. */
export interface Row {
  /** The raw event text, possibly several physical lines; at most LINE_BYTES_MAX. */
  readonly raw: string;
  /** The source's own event time (Splunk `_time`), milliseconds UTC, if it said one. */
  readonly timeMs?: number;
  /** The service, if the source knows it apart from the text (Splunk `service`, `source`, `host`). */
  readonly service?: string;
  /** Further fields the source extracted, e.g. `pod`, `traceId`, `status`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** True when the text was cut at LINE_BYTES_MAX. */
  readonly cut?: boolean;
}

/** Rows that travelled together, with the bytes they took on the wire. */
export interface RowBatch {
  readonly rows: readonly Row[];
  readonly bytes: number;
}

/** One step of a pipeline. A stage pulls its input, so a slow stage slows the source. */
export type Stage<In, Out> = (input: AsyncIterable<In>) => AsyncIterable<Out>;

export type Level = "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL" | "UNKNOWN";

/** One log event after parsing. */
export interface LogRecord {
  /** Milliseconds UTC; the fraction carries microseconds where the source has them. */
  readonly timeMs: number;
  readonly service: string;
  readonly instance?: string;
  readonly level: Level;
  readonly logger?: string;
  readonly message: string;
  readonly traceId?: string;
  readonly spanId?: string;
  /** HTTP status, when the line says one. */
  readonly status?: number;
  /** Duration of the request the line reports, in milliseconds. */
  readonly latencyMs?: number;
  /** Class name of the root exception, when the event carries a stack trace. */
  readonly exception?: string;
}

/** Counts of one service in one window. */
export interface ServiceCounts {
  lines: number;
  errors: number;
  warnings: number;
  /** Lines that report a finished HTTP request. */
  requests: number;
  http500: number;
  http5xx: number;
  latencySumMs: number;
  latencyCount: number;
  latencyMaxMs: number;
}

/** One template in one service in one window. */
export interface TemplateCounts {
  /** Stable across runs: a hash of service and template text. */
  readonly id: string;
  readonly service: string;
  /** Message with its variable tokens named: `<NUM>`, `<UUID>`, `<*>`. */
  readonly template: string;
  readonly level: Level;
  readonly logger?: string;
  count: number;
  firstMs: number;
  lastMs: number;
  /** Class name of the exception seen with it, if any. */
  exception?: string;
  /** At most EXEMPLARS_MAX raw lines, each cut at EXEMPLAR_CHARS_MAX. */
  readonly exemplars: string[];
}

/** Time between a line of `caller` and the next line of `callee` in one trace (either way round). */
export interface EdgeCounts {
  readonly from: string;
  readonly to: string;
  count: number;
  /** Quantiles of the gap, milliseconds, from a bounded sketch. */
  medianMs: number;
  p90Ms: number;
}

/** What one window's logs come down to. Bounded however many lines went in. */
export interface LogSummary {
  readonly window: Window;
  /** Rows read, bytes on the wire, and what happened to those that were not counted. */
  readonly rows: number;
  readonly bytes: number;
  readonly unparsed: number;
  readonly outsideWindow: number;
  readonly cutLines: number;
  /** Rows whose template or service found the tables full; they still count in `rows`. */
  readonly overflow: number;
  readonly services: ReadonlyMap<string, ServiceCounts>;
  readonly templates: ReadonlyMap<string, TemplateCounts>;
  /** Key: `from>to`. */
  readonly edges: ReadonlyMap<string, EdgeCounts>;
  /** Spread of the event clock against the window: earliest and latest record, milliseconds UTC. */
  readonly firstMs?: number;
  readonly lastMs?: number;
}

/** One series of one metric over baseline and window, on a common step. */
export interface Series {
  readonly service: string;
  readonly instance?: string;
  /** Name from the metric catalogue, e.g. `cpu`, `jvm_memory`, `http_5xx_rate`. */
  readonly metric: string;
  readonly unit: string;
  /** Samples in time order; NaN where missing. Milliseconds UTC. */
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
}
