/**
 * The log pipeline: batch -> parse -> template -> summarise. Every stage pulls the one before it, so
 * a slow stage slows the source and no stage holds more than one batch.
 */
import { PetrelError, type Window } from "../core/mod.ts";
import type { LogRecord, LogSummary, RowBatch, Stage } from "./model.ts";
import { parseRow } from "./parse/record.ts";
import { type MinedBatch, summarise } from "./summarise.ts";
import type { TemplateMiner } from "./template/miner.ts";

/**
 * Garbage is collected once for so many bytes read. The rows in flight whenever the engine makes room
 * outlive its young generation, and it lets the old one grow to some 60 MB before it looks there: the
 * bound would be the engine's. Each time takes about 10 ms where the heap is small, once for every
 * 70,000 long lines or 140,000 usual ones.
 */
const COLLECT_BYTES = 64e6;

export interface LogProgress {
  readonly rows: number;
  readonly bytes: number;
  /** Templates the miner knows, those of earlier windows included. */
  readonly templates: number;
  /** Only with a clock. */
  readonly rowsPerSecond?: number;
}

export interface SummariseLogsOptions {
  readonly window: Window;
  /** Share one between baseline and window, so that template ids agree. */
  readonly miner: TemplateMiner;
  readonly signal?: AbortSignal;
  /** Called once per batch. */
  readonly onProgress?: (progress: LogProgress) => void;
  /** Milliseconds of any steady clock, for `rowsPerSecond`. */
  readonly nowMs?: () => number;
}

/**
 * Reads a source of rows to its end and answers the summary of one window. Errors of the source pass
 * through; throws CANCELLED when `signal` fires.
 */
export function summariseLogs(
  source: AsyncIterable<RowBatch>,
  options: SummariseLogsOptions,
): Promise<LogSummary> {
  const batches = watch(options)(source);
  const parsed = parseRows(batches);
  const mined = mineTemplates(options.miner)(parsed);
  return summarise(mined, options.window);
}

/** Rows of a batch that became records, and what became of the others. */
export interface ParsedBatch extends Omit<MinedBatch, "events"> {
  readonly events: readonly { readonly record: LogRecord; readonly raw: string }[];
}

/** Row to record; rows without time or text are counted and dropped. */
export const parseRows: Stage<RowBatch, ParsedBatch> = async function* parseStage(input) {
  for await (const { rows, bytes } of input) {
    const events: { record: LogRecord; raw: string }[] = [];
    let cutLines = 0;
    for (const row of rows) {
      if (row.cut === true) cutLines += 1;
      const record = parseRow(row);
      if (record !== undefined) events.push({ record, raw: row.raw });
    }
    const unparsed = rows.length - events.length;
    yield { events, rows: rows.length, bytes, unparsed, cutLines };
  }
};

/** Adds to each record its template. */
export function mineTemplates(miner: TemplateMiner): Stage<ParsedBatch, MinedBatch> {
  return async function* mineStage(input) {
    for await (const batch of input) {
      const mine = ({ record, raw }: ParsedBatch["events"][number]) => ({
        record,
        raw,
        template: miner.match(record),
      });
      yield { ...batch, events: batch.events.map(mine) };
    }
  };
}

/** Passes batches through; stops on the signal and reports progress when a batch is done with. */
function watch(options: SummariseLogsOptions): Stage<RowBatch, RowBatch> {
  const { miner, signal, onProgress, nowMs } = options;
  return async function* watchStage(input) {
    const startMs = nowMs?.();
    let rows = 0;
    let bytes = 0;
    let collectAtBytes = COLLECT_BYTES;
    for await (const batch of input) {
      if (signal?.aborted === true) {
        throw new PetrelError("CANCELLED", "reading logs: cancelled", {}, signal.reason);
      }
      yield batch;
      rows += batch.rows.length;
      bytes += batch.bytes;
      if (bytes >= collectAtBytes) {
        Bun.gc(true);
        collectAtBytes = bytes + COLLECT_BYTES;
      }
      const seconds = ((nowMs?.() ?? 0) - (startMs ?? 0)) / 1000;
      const rate = seconds > 0 && { rowsPerSecond: rows / seconds };
      onProgress?.({ rows, bytes, templates: miner.size, ...rate });
    }
  };
}
