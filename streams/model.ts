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
  /** Fields the source extracted, e.g. `pod`, `traceId`; names that begin with `_` are the source's own. */
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
  /** Where in the code, from the stack trace: `Payment.charge#42`. */
  readonly frame?: string;
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
  /** Class name of the exception seen with it, if any, and where it was thrown. */
  exception?: string;
  frame?: string;
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

/**
 * One place in a service's code that writes a line: its code location (`ContactsServiceImpl#34`) when
 * the logger says one, else its template id. The empty name is the start of a request in the service.
 */
export interface StatementCounts {
  readonly service: string;
  readonly statement: string;
  /** True when its lines are ERROR or FATAL. */
  readonly error: boolean;
  /** Traces that passed it. The trace is the independent unit; lines inside one are not. */
  traces: number;
  /** Of these, traces in which an error line came next. */
  erredTraces: number;
}

/** Two lines of one request that follow each other inside one service. */
export interface TransitionCounts {
  readonly service: string;
  /** Statement, or "" for the start of the request in this service. */
  readonly from: string;
  /** Statement, or "" for its end. */
  readonly to: string;
  /** True when the line of `to` is ERROR or FATAL. */
  readonly error: boolean;
  count: number;
  traces: number;
  /** Gap in milliseconds, over those with no other service's line in between; NaN when there are none. */
  medianMs: number;
  p90Ms: number;
  gaps: number;
}

/**
 * A request that begins in `callee`: its first line is of `to`, and the line before it in the trace, of
 * another service, was of `from`.
 */
export interface EntryCounts {
  readonly caller: string;
  readonly from: string;
  readonly callee: string;
  readonly to: string;
  traces: number;
}

/** Calls as the order of lines inside traces shows them. */
export interface CallCounts {
  readonly caller: string;
  readonly callee: string;
  count: number;
}

/** How requests run through the code, from trace ids. Bounded; see streams/transitions.ts. */
export interface PathSummary {
  /** Key: `service>statement`. */
  readonly statements: ReadonlyMap<string, StatementCounts>;
  /** Key: `service>from>to`. */
  readonly transitions: ReadonlyMap<string, TransitionCounts>;
  /** Key: `caller>from>callee>to`. */
  readonly entries: ReadonlyMap<string, EntryCounts>;
  /** Key: `caller>callee`. */
  readonly calls: ReadonlyMap<string, CallCounts>;
  /** Gaps between lines of different services that follow each other. Key: `from>to`. */
  readonly edges: ReadonlyMap<string, EdgeCounts>;
  /** Lines that had a trace id and were counted. */
  readonly lines: number;
  readonly traces: number;
  /** Traces closed early, and transitions not kept, because a table was full. */
  readonly overflow: number;
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
  /** Absent when the lines carry no trace ids. */
  readonly paths?: PathSummary;
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
