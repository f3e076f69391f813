/**
 * Log files as rows, one file after the other. Lines of one event are joined (events.ts); `.gz` and
 * `.zst` are unpacked as they are read. It never reads a file whole.
 */
import { asPetrelError, PetrelError, splitLines } from "../../core/mod.ts";
import type { Row, RowBatch } from "../model.ts";
import { EventJoiner } from "./events.ts";

export interface LogFilesOptions {
  readonly signal?: AbortSignal;
  readonly lineBytesMax?: number;
  /** The service of every row; otherwise text and file name say it. */
  readonly service?: string;
}

/**
 * Rows of files, in the order of `paths`; `fields.source` is the path. Throws USAGE (no such file),
 * INCOMPLETE (it could not be read or unpacked to its end), CANCELLED.
 */
export async function* readLogFiles(
  paths: readonly string[],
  options: LogFilesOptions = {},
): AsyncGenerator<RowBatch> {
  const { signal, lineBytesMax, service } = options;
  const lineOptions = {
    ...(signal && { signal }),
    ...(lineBytesMax !== undefined && { lineBytesMax }),
  };
  for (const path of paths) {
    const joiner = new EventJoiner(lineBytesMax);
    const known = { fields: { source: path }, ...(service !== undefined && { service }) };
    const named = (event: Row | undefined): Row[] =>
      event === undefined ? [] : [{ ...event, ...known }];
    for await (const { lines, bytes } of splitLines(bytesOf(path), lineOptions)) {
      yield { rows: lines.flatMap((line) => named(joiner.push(line))), bytes };
    }
    const last = named(joiner.end());
    if (last.length > 0) yield { rows: last, bytes: 0 };
  }
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  const file = Bun.file(path);
  if (!(await file.exists())) {
    throw new PetrelError("USAGE", `log file ${path}: no such file`, { path });
  }
  try {
    yield* unpacked(path, file.stream());
  } catch (error) {
    throw asPetrelError(error, "INCOMPLETE", `log file ${path}`);
  }
}

function unpacked(path: string, stream: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  if (path.endsWith(".gz")) return inflate(stream, new DecompressionStream("gzip"));
  if (path.endsWith(".zst")) return inflate(stream, new DecompressionStream("zstd"));
  return stream;
}

/** The type of DecompressionStream allows other buffers than a file gives; the bytes are the same. */
function inflate(
  stream: ReadableStream<Uint8Array>,
  { readable, writable }: DecompressionStream,
): AsyncIterable<Uint8Array> {
  const owned = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>({
    transform: (chunk, out) => out.enqueue(new Uint8Array(chunk)),
  });
  return stream.pipeThrough(owned).pipeThrough({ readable, writable });
}
