/**
 * The body of an export, byte shapes as recorded: one JSON object a line, `offset` counting up,
 * `lastrow` on the last row of a set, blank lines between, messages in the middle when it fails.
 * It is pulled: nothing is made before the socket has room for it.
 */
import { systemClock } from "../../core/mod.ts";
import type { SimRow } from "./rows.ts";

/** What goes wrong in a body, after this many rows. */
export type BodyFault =
  | { readonly kind: "fatal"; readonly afterRows: number; readonly text?: string }
  | { readonly kind: "cut"; readonly afterRows: number }
  | { readonly kind: "stall"; readonly afterRows: number }
  | { readonly kind: "long_line"; readonly afterRows: number; readonly bytes: number }
  | { readonly kind: "bad_utf8"; readonly afterRows: number };

/** How much the stand-in has handed out, for tests that must see a source wait for its reader. */
export interface ExportGauge {
  /** Bytes given to the sockets since the start. */
  readonly handedOutBytes: number;
  /** The largest amount ever handed out but not yet reported by `read`. */
  readonly unreadBytesMax: number;
  /** The reader tells how much it has taken. */
  read(bytes: number): void;
}

export function makeGauge(): ExportGauge & { handOut(bytes: number): void } {
  let handedOutBytes = 0;
  let readBytes = 0;
  let unreadBytesMax = 0;
  return {
    get handedOutBytes() {
      return handedOutBytes;
    },
    get unreadBytesMax() {
      return unreadBytesMax;
    },
    read: (bytes) => {
      readBytes += bytes;
    },
    handOut: (bytes) => {
      handedOutBytes += bytes;
      unreadBytesMax = Math.max(unreadBytesMax, handedOutBytes - readBytes);
    },
  };
}

const CHUNK_BYTES = 64 * 1024;
const CUT_AFTER_MS = 10;
const encoder = new TextEncoder();

/** Thrown inside the generator to make the stream cut its connection. */
class Cut extends Error {}

function line(preview: boolean, offset: number, last: boolean, row: SimRow): string {
  const lastrow = last ? ',"lastrow":true' : "";
  return `{"preview":${preview},"offset":${offset}${lastrow},"result":${JSON.stringify(row)}}\n`;
}

function* longLine(offset: number, bytes: number): Generator<Uint8Array> {
  yield encoder.encode(`{"preview":false,"offset":${offset},"result":{"_raw":"`);
  const part = new Uint8Array(Math.min(bytes, 1024 * 1024)).fill(0x61);
  for (let left = bytes; left > 0; left -= part.length) yield part.subarray(0, left);
  yield encoder.encode('"}}\n');
}

/** True for a fault after which no more rows come. */
function endsBody(fault: BodyFault): boolean {
  return fault.kind !== "long_line" && fault.kind !== "bad_utf8";
}

/** What a fault puts in place of the row at `offset`. Throws {@link Cut} for `cut`. */
async function* faultyPart(
  fault: BodyFault,
  offset: number,
  gone: AbortSignal,
): AsyncGenerator<Uint8Array> {
  switch (fault.kind) {
    case "fatal": {
      const text = fault.text ?? "Search process did not exit cleanly, exit_code=-1.";
      yield encoder.encode(`${JSON.stringify({ messages: [{ type: "FATAL", text }] })}\n`);
      return;
    }
    case "cut":
      // Lets the rows before it leave the socket; a cut discards what is still waiting there.
      await systemClock.sleep(CUT_AFTER_MS, gone).catch(() => undefined);
      throw new Cut();
    case "stall":
      await new Promise((resolve) => gone.addEventListener("abort", resolve, { once: true }));
      return;
    case "long_line":
      yield* longLine(offset, fault.bytes);
      return;
    case "bad_utf8": {
      const [before, after] = line(false, offset, false, { _raw: "broken @ bytes" }).split("@");
      yield Buffer.concat([
        encoder.encode(before),
        new Uint8Array([0xff, 0xc3, 0x28, 0xfe]),
        encoder.encode(after),
      ]);
    }
  }
}

/** A set of rows with the last one marked, which takes one row of look-ahead. */
async function* rowLines(
  rows: AsyncIterable<readonly SimRow[]>,
  fault: BodyFault | undefined,
  gone: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  let held: SimRow | undefined;
  let text = "";
  let pending = fault;
  for await (const batch of rows) {
    for (const row of batch) {
      if (held !== undefined) text += line(false, offset++, false, held);
      held = row;
      if (pending !== undefined && offset === pending.afterRows) {
        yield encoder.encode(text);
        yield* faultyPart(pending, offset++, gone);
        if (endsBody(pending)) return;
        text = "";
        pending = undefined;
      }
      if (text.length < CHUNK_BYTES) continue;
      yield encoder.encode(text);
      text = "";
    }
  }
  if (pending !== undefined) {
    // Fewer rows than the fault waits for: it strikes before the end is announced.
    if (held !== undefined) text += line(false, offset++, false, held);
    yield encoder.encode(text);
    yield* faultyPart(pending, offset, gone);
    if (endsBody(pending)) return;
    text = "";
    held = undefined;
  }
  const end = held && line(false, offset, true, held);
  yield encoder.encode(text + (end ?? '{"preview":false,"lastrow":true}\n'));
}

/** A preview of what is there so far: the first rows again, marked `preview`, then a blank line. */
function previewOf(rows: readonly SimRow[]): Uint8Array {
  const lines = rows.map((row, at) => line(true, at, at === rows.length - 1, row));
  return encoder.encode(`${lines.join("")}\n`);
}

export interface ExportBodyOptions {
  readonly rows: AsyncIterable<readonly SimRow[]>;
  readonly preview: readonly SimRow[];
  readonly fault?: BodyFault;
  readonly handOut: (bytes: number) => void;
  /** Called once, when the body has ended, been cut, or lost its reader. */
  readonly onEnd: () => void;
}

/** The body as a stream that makes a chunk when the socket asks for one. */
export function exportBody(options: ExportBodyOptions): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  const lines = rowLines(options.rows, options.fault, gone.signal);
  let first = options.preview.length > 0 ? previewOf(options.preview) : undefined;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const next = first === undefined ? await lines.next() : { done: false, value: first };
          first = undefined;
          if (next.done === true || next.value === undefined) {
            options.onEnd();
            return controller.close();
          }
          options.handOut(next.value.byteLength);
          controller.enqueue(next.value);
        } catch (error) {
          options.onEnd();
          // Without a reason the server cuts the connection and stays silent about it.
          controller.error(error instanceof Cut ? undefined : error);
        }
      },
      cancel: async () => {
        gone.abort();
        options.onEnd();
        await lines.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
