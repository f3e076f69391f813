/**
 * Bytes into lines, batch by batch.
 *
 * A line longer than its cap is cut and the rest of it dropped as it comes, so a 32 MB line costs no
 * more memory than a short one. It never concatenates a growing buffer and never reads ahead: the
 * next chunk is asked for when the consumer has taken the lines of the last one.
 */
import { PetrelError } from "./errors.ts";
import { BATCH_BYTES_MAX, BATCH_ROWS_MAX, LINE_BYTES_MAX } from "./limits.ts";

export interface Line {
  readonly text: string;
  /** True when bytes beyond the cap were dropped. */
  readonly cut: boolean;
}

export interface LineBatch {
  readonly lines: readonly Line[];
  /** Bytes read for these lines, ends of lines and dropped bytes included. */
  readonly bytes: number;
}

export interface SplitLinesOptions {
  readonly lineBytesMax?: number;
  /** A chunk larger than this is taken in pieces of this size. */
  readonly batchBytesMax?: number;
  readonly batchRowsMax?: number;
  readonly signal?: AbortSignal;
}

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const BYTE_ORDER_MARK = "\uFEFF";

/**
 * Splits UTF-8 bytes at `\n` or `\r\n`. The lines do not depend on where the chunks end. Bad UTF-8
 * becomes U+FFFD, a byte order mark at the start is dropped, a last line without an end counts, empty
 * lines are kept. Throws CANCELLED when `signal` fires, also while a chunk is awaited.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  options: SplitLinesOptions = {},
): AsyncGenerator<LineBatch> {
  const { batchBytesMax = BATCH_BYTES_MAX, batchRowsMax = BATCH_ROWS_MAX } = options;
  const splitter = new LineSplitter(options.lineBytesMax ?? LINE_BYTES_MAX);
  for await (const chunk of untilAborted(chunks, options.signal)) {
    for (let at = 0; at < chunk.length; at += batchBytesMax) {
      splitter.push(chunk.subarray(at, at + batchBytesMax));
      yield* splitter.takeBatches(batchRowsMax);
    }
  }
  splitter.end();
  yield* splitter.takeBatches(batchRowsMax);
}

/** Holds the start of a line until its end comes. */
class LineSplitter {
  readonly #lineBytesMax: number;
  /** Keeps the mark, or a mark in the middle of a stream would come and go with the chunking. */
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #lineBytes = 0;
  #lines: Line[] = [];
  #bytes = 0;
  #first = true;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  push(piece: Uint8Array): void {
    this.#bytes += piece.length;
    const first = piece.indexOf(NEWLINE);
    if (first === -1) {
      this.#hold(piece);
      return;
    }
    this.#hold(piece.subarray(0, first));
    this.#endLine();
    const last = piece.lastIndexOf(NEWLINE);
    if (last > first) this.#pushWhole(piece.subarray(first + 1, last));
    if (last + 1 < piece.length) this.#hold(piece.subarray(last + 1));
  }

  end(): void {
    if (this.#lineBytes > 0) this.#endLine();
  }

  *takeBatches(rowsMax: number): Generator<LineBatch> {
    let { lines, bytes } = { lines: this.#lines, bytes: this.#bytes };
    if (lines.length === 0) return;
    this.#lines = [];
    this.#bytes = 0;
    while (lines.length > rowsMax) {
      yield { lines: lines.slice(0, rowsMax), bytes };
      lines = lines.slice(rowsMax);
      bytes = 0;
    }
    yield { lines, bytes };
  }

  /** Lines that lie in the piece from end to end: decoded at once, unless one may be too long. */
  #pushWhole(bytes: Uint8Array): void {
    const texts = this.#decoder.decode(bytes).split("\n");
    // A UTF-16 unit stands for at most three bytes, so shorter texts are surely below the cap.
    const safeChars = Math.floor(this.#lineBytesMax / 3);
    if (texts.every((text) => text.length <= safeChars)) {
      for (const text of texts) this.#emit(text.endsWith("\r") ? text.slice(0, -1) : text, false);
      return;
    }
    for (let start = 0; start <= bytes.length; ) {
      const found = bytes.indexOf(NEWLINE, start);
      const end = found === -1 ? bytes.length : found;
      this.#emitBytes(bytes.subarray(start, end), end - start);
      start = end + 1;
    }
  }

  /** Copies what still fits, because the chunk belongs to the source. */
  #hold(bytes: Uint8Array): void {
    this.#lineBytes += bytes.length;
    // One byte beyond the cap shows where the last character ends.
    const room = this.#lineBytesMax + 1 - this.#partsBytes;
    if (room <= 0 || bytes.length === 0) return;
    const part = bytes.slice(0, room);
    this.#parts.push(part);
    this.#partsBytes += part.length;
  }

  #endLine(): void {
    const [only] = this.#parts;
    const bytes =
      this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    this.#emitBytes(bytes, this.#lineBytes);
    this.#parts = [];
    this.#partsBytes = 0;
    this.#lineBytes = 0;
  }

  /** `length` is that of the whole line, of which `bytes` holds at least the part below the cap. */
  #emitBytes(bytes: Uint8Array, length: number): void {
    const cut = length > this.#lineBytesMax;
    let end = cut ? characterStart(bytes, this.#lineBytesMax) : length;
    if (end > 0 && bytes[end - 1] === CARRIAGE_RETURN) end -= 1;
    this.#emit(this.#decoder.decode(bytes.subarray(0, end)), cut);
  }

  #emit(text: string, cut: boolean): void {
    const marked = this.#first && text.startsWith(BYTE_ORDER_MARK);
    this.#first = false;
    this.#lines.push({ text: marked ? text.slice(1) : text, cut });
  }
}

/** The start of the UTF-8 character that byte `at` belongs to. */
function characterStart(bytes: Uint8Array, at: number): number {
  for (let start = at; start > Math.max(0, at - 4); start--) {
    if (((bytes[start] ?? 0) & 0xc0) !== 0x80) return start;
  }
  return at;
}

/** Passes items through; throws CANCELLED as soon as `signal` fires, and lets the source go. */
async function* untilAborted<T>(source: AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T> {
  if (signal === undefined) {
    yield* source;
    return;
  }
  const iterator = source[Symbol.asyncIterator]();
  let waiting = true;
  try {
    for (;;) {
      waiting = true;
      const next = await nextOrAbort(iterator, signal);
      waiting = false;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    const released = iterator.return?.();
    // A source that still waits for its peer would make us wait for it too.
    if (waiting) released?.catch(() => undefined);
    else await released;
  }
}

/** The listener is removed after each item: a promise raced again and again would keep them all. */
function nextOrAbort<T>(
  iterator: AsyncIterator<T>,
  signal: AbortSignal,
): Promise<IteratorResult<T>> {
  return new Promise((resolve, reject) => {
    const onAbort = () =>
      reject(new PetrelError("CANCELLED", "reading lines: cancelled", {}, signal.reason));
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    const settle = () => signal.removeEventListener("abort", onAbort);
    iterator.next().finally(settle).then(resolve, reject);
  });
}
