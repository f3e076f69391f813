/**
 * Logs that are not in Splunk: files, and a JetStream stream. Both are read from their own start to the
 * window's end, and only the window's rows are handed on.
 */
import { statSync } from "node:fs";
import { DeliverPolicy } from "@nats-io/jetstream";
import type { Mesh } from "../a2a/mod.ts";
import type { LogSource } from "../agents/mod.ts";
import { PetrelError, type Window } from "../core/mod.ts";
import {
  type LogMessage,
  parseRow,
  type RowBatch,
  readLogFiles,
  readLogMessages,
} from "../streams/mod.ts";

/** Messages asked for at once: the bound on what waits here while the pipeline works. */
const MESSAGES_AHEAD = 500;

/** An event may reach the stream this long after it happened. */
const LATE_MS_MAX = 60_000;

/** Files named by paths or globs. A pattern that matches nothing is an error, not an empty log. */
export function fileLogs(patterns: readonly string[]): LogSource {
  return {
    name: "files",
    open: async function* open(_query, window, signal) {
      yield* within(readLogFiles(await filesOf(patterns), { signal }), window);
    },
  };
}

/** Messages of a JetStream stream, stored from the window's start until a little after its end. */
export function streamLogs(mesh: Mesh, stream: string): LogSource {
  return {
    name: "nats",
    open: async function* open(_query, window, signal) {
      yield* within(readLogMessages(messagesOf(mesh, stream, window, signal), { signal }), window);
    },
  };
}

async function filesOf(patterns: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of patterns) {
    const found = await matching(pattern);
    if (found.length === 0) {
      throw new PetrelError("CONFIG_INVALID", `logs.files: "${pattern}" matches no file`, {
        path: "logs.files",
      });
    }
    files.push(...found.sort());
  }
  return [...new Set(files)];
}

/** A path by itself is no pattern to Bun's glob where it is absolute. */
async function matching(pattern: string): Promise<string[]> {
  if (statSync(pattern, { throwIfNoEntry: false })?.isFile() === true) return [pattern];
  return Array.fromAsync(new Bun.Glob(pattern).scan({ onlyFiles: true, dot: true }));
}

async function* messagesOf(
  mesh: Mesh,
  stream: string,
  window: Window,
  signal: AbortSignal,
): AsyncGenerator<LogMessage> {
  const consumer = await mesh.js.consumers.get(stream, {
    deliver_policy: DeliverPolicy.StartTime,
    opt_start_time: new Date(window.startMs).toISOString(),
  });
  const { num_pending: pending } = await consumer.info();
  if (pending === 0) return;
  const messages = await consumer.consume({ max_messages: MESSAGES_AHEAD });
  const stop = () => void messages.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const message of messages) {
      if (message.time.getTime() >= window.endMs + LATE_MS_MAX) return;
      yield { data: message.data };
      if (message.info.pending === 0) return;
    }
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", stop);
    await messages.close();
  }
}

/** Rows of the window; a row without a time is handed on, to be counted as unparsed. */
async function* within(batches: AsyncIterable<RowBatch>, window: Window): AsyncGenerator<RowBatch> {
  for await (const { rows, bytes } of batches) {
    const inside = rows.filter((row) => {
      const timeMs = parseRow(row)?.timeMs;
      return timeMs === undefined || (timeMs >= window.startMs && timeMs < window.endMs);
    });
    if (inside.length > 0) yield { rows: inside, bytes };
  }
}
