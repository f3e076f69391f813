/** Rows the Splunk stand-in serves, and where they come from. */

/** One event: field name to value, or values for a multivalue field. `_time` and `_raw` as in Splunk. */
export type SimRow = Readonly<Record<string, string | readonly string[]>>;

export interface RowQuery {
  readonly index: string;
  /** The SPL as it was sent. The stand-in filters by itself; a provider may use it to read less. */
  readonly search: string;
  readonly earliestMs: number;
  readonly latestMs: number;
}

/**
 * Gives the rows of an index in batches, newest first as Splunk does. It is pulled: the next batch is
 * asked for when the reader has room. Rows outside the times or the filters may be among them.
 */
export type RowProvider = (query: RowQuery) => AsyncIterable<readonly SimRow[]>;

/** An instant in the form of `_time` in exports: `2026-10-08 13:48:34.000 GMT`. */
export function splunkTime(ms: number): string {
  return new Date(ms).toISOString().replace("T", " ").replace("Z", " GMT");
}

/** Milliseconds UTC of a row's `_time` (Splunk's form or ISO 8601); NaN when it has none. */
export function timeMsOf(row: SimRow): number {
  const time = row["_time"];
  if (typeof time !== "string") return Number.NaN;
  return Date.parse(time.replace(" GMT", "Z").replace(" ", "T"));
}

const BATCH_ROWS = 500;

/** A provider of rows in memory, in any order. */
export function providerOf(rows: readonly SimRow[]): RowProvider {
  const sorted = [...rows].sort((a, b) => timeMsOf(b) - timeMsOf(a));
  return async function* provide() {
    for (let at = 0; at < sorted.length; at += BATCH_ROWS) yield sorted.slice(at, at + BATCH_ROWS);
  };
}
