/**
 * Log events that arrive as messages, one event each, such as a NATS subscription; it imports no
 * network. It batches what is ready and never waits for a batch to fill.
 */
import { limits, PetrelError } from "../../core/mod.ts";
import type { Row, RowBatch } from "../model.ts";

export interface LogMessage {
  readonly data: Uint8Array;
}

export interface LogMessagesOptions {
  readonly signal?: AbortSignal;
  readonly lineBytesMax?: number;
  readonly batchRowsMax?: number;
  /** The service of every row; otherwise the text says it. */
  readonly service?: string;
}

const IDLE = Symbol("nothing is ready");

/** Rows of messages until the source ends. Throws CANCELLED when `signal` fires. */
export async function* readLogMessages(
  messages: AsyncIterable<LogMessage>,
  options: LogMessagesOptions = {},
): AsyncGenerator<RowBatch> {
  const { signal, batchRowsMax = limits.BATCH_ROWS_MAX } = options;
  const iterator = messages[Symbol.asyncIterator]();
  let batch: { rows: Row[]; bytes: number } = { rows: [], bytes: 0 };
  let waiting = nextOf(iterator, signal);
  try {
    for (;;) {
      const next = batch.rows.length > 0 ? await Promise.race([waiting, idle()]) : await waiting;
      const full = batch.rows.length >= batchRowsMax || batch.bytes >= limits.BATCH_BYTES_MAX;
      if (batch.rows.length > 0 && (next === IDLE || next.done === true || full)) {
        yield batch;
        batch = { rows: [], bytes: 0 };
      }
      if (next === IDLE) continue;
      if (next.done === true) return;
      batch.rows.push(toRow(next.value.data, options));
      batch.bytes += next.value.data.length;
      waiting = nextOf(iterator, signal);
    }
  } finally {
    // Not awaited: a subscription that is silent would keep us here.
    waiting.catch(() => undefined);
    iterator.return?.().catch(() => undefined);
  }
}

function toRow(data: Uint8Array, options: LogMessagesOptions): Row {
  const { lineBytesMax = limits.LINE_BYTES_MAX, service } = options;
  const cut = data.length > lineBytesMax;
  const raw = new TextDecoder().decode(cut ? data.subarray(0, lineBytesMax) : data).trimEnd();
  return { raw, ...(service !== undefined && { service }), ...(cut && { cut }) };
}

function idle(): Promise<typeof IDLE> {
  return new Promise((resolve) => setImmediate(resolve, IDLE));
}

function nextOf(
  iterator: AsyncIterator<LogMessage>,
  signal?: AbortSignal,
): Promise<IteratorResult<LogMessage>> {
  return new Promise((resolve, reject) => {
    const onAbort = () =>
      reject(new PetrelError("CANCELLED", "reading messages: cancelled", {}, signal?.reason));
    if (signal?.aborted === true) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    const settle = () => signal?.removeEventListener("abort", onAbort);
    iterator.next().finally(settle).then(resolve, reject);
  });
}
