/**
 * What a recording is: logs as Splunk rows, metrics as OpenMetrics text, and the windows worth
 * looking at. Types and two small helpers; no data, no input or output.
 */
import type { Window } from "../../core/mod.ts";
import type { SimRow } from "../splunk/rows.ts";

/** Half-open interval of time, milliseconds UTC, and the services wanted (all, when absent). */
export interface LogQuery {
  readonly earliestMs: number;
  readonly latestMs: number;
  readonly services?: readonly string[];
}

/** What happened in a recorded window. The agents never see it; the demo and tests check with it. */
export type RecordedKind =
  | "return"
  | "exception"
  | "cpu_contention"
  | "network_delay"
  | "connection_pool"
  | "fault_free";

export interface RecordedWindow {
  readonly id: string;
  readonly kind: RecordedKind;
  /** The service in which the fault was injected; absent for `fault_free`. */
  readonly service?: string;
  readonly window: Window;
  /** From the first to the last log line recorded around the window: rates hold only inside it. */
  readonly logCoverage: Window;
  /** Where the recording has logs without the fault, the best first; never overlaps `window`. */
  readonly logBaselines: readonly Window[];
  /** Where it has metrics before the window; absent when it has none. */
  readonly metricBaseline?: Window;
  /** What an honest reader of a result has to know. */
  readonly note?: string;
}

export interface Recording {
  readonly name: string;
  readonly windows: readonly RecordedWindow[];
  /**
   * Log rows newest first, in batches of at most {@link BATCH_ROWS}; pulls nothing ahead. Fits the
   * Splunk stand-in as its provider of rows.
   */
  readonly logRows: (query: LogQuery) => AsyncIterable<SimRow[]>;
  /** OpenMetrics text in pieces, families together, each series in time order, `# EOF` last. */
  readonly openMetrics: () => AsyncIterable<string>;
}

export const BATCH_ROWS = 1_000;

/**
 * The service behind a pod name: `ts-contacts-service-866bd68c97-xcqfx` is `ts-contacts-service`.
 * A Deployment names its pods `<name>-<template hash>-<five characters>`; any other name stays.
 */
export function serviceOfPod(pod: string): string {
  return pod.replace(/-[a-z0-9]{6,10}-[a-z0-9]{5}$/, "");
}

/** The elements of `rows` in batches, last first. */
export function* batchesNewestFirst<T, U>(
  rows: readonly T[],
  toRow: (row: T) => U,
): Generator<U[]> {
  for (let end = rows.length; end > 0; end -= BATCH_ROWS) {
    yield rows
      .slice(Math.max(0, end - BATCH_ROWS), end)
      .reverse()
      .map(toRow);
  }
}
