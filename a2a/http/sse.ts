/**
 * Server-sent events (WHATWG HTML section 9.2) at the pace of the client that reads them: the next frame
 * is asked for when the last has left. A client that does not read gets nothing more, and holds nothing.
 */
import { PetrelError } from "../../core/mod.ts";

/** Where events come from. */
export interface EventSource {
  /** Whether the next event is there already. */
  readonly isReady: boolean;
  /** One event as text of the stream, or a comment; undefined at the end. Never rejects. */
  next(): Promise<string | undefined>;
  /** The client left. */
  leave(reason: PetrelError): void;
}

/** Events that are ready leave together, up to this much. */
const CHUNK_CHARS_MAX = 64 * 1024;
/** Nobody but a proxy sees it, and a silent connection lives. */
export const KEEP_ALIVE = ": keep-alive\n\n";

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // A proxy that collects events would hold them back (nginx).
  "x-accel-buffering": "no",
};

const encoder = new TextEncoder();

/** One event. Line breaks inside the data would begin another field, so each line gets its own. */
export function sseEvent(data: string, options: { id?: number | undefined; type?: string } = {}) {
  const id = options.id === undefined ? "" : `id: ${options.id}\n`;
  const type = options.type === undefined ? "" : `event: ${options.type}\n`;
  return `${type}${id}data: ${oneLinePerField(data)}\n\n`;
}

/**
 * The answer whose body is the events. `onProgress` is called whenever the client has taken what there
 * was; `onEnd` once, at the end or when the client leaves.
 */
export function sseResponse(
  source: EventSource,
  hooks: { first?: string; onProgress: () => void; onEnd: () => void },
  headers: Readonly<Record<string, string>> = {},
): Response {
  let first = hooks.first;
  let isOpen = true;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        hooks.onProgress();
        let chunk = first ?? "";
        first = undefined;
        while (chunk === "" || (source.isReady && chunk.length < CHUNK_CHARS_MAX)) {
          const event = await source.next();
          if (!isOpen) return;
          if (event === undefined) {
            if (chunk !== "") controller.enqueue(encoder.encode(chunk));
            isOpen = false;
            controller.close();
            hooks.onEnd();
            return;
          }
          chunk += event;
        }
        controller.enqueue(encoder.encode(chunk));
      },
      cancel() {
        isOpen = false;
        source.leave(new PetrelError("CANCELLED", "the client left"));
        hooks.onEnd();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { ...HEADERS, ...headers } });
}

/**
 * JSON may hold line breaks of two kinds: between its tokens, and inside its strings those that only some
 * readers take for one (NEL, LS, PS). The first get a field each, the second are escaped.
 */
function oneLinePerField(data: string): string {
  const text = UNUSUAL_BREAK.test(data) ? data.replace(UNUSUAL_BREAKS, escaped) : data;
  return LINE_BREAK.test(text) ? text.split(/\r\n|\r|\n/).join("\ndata: ") : text;
}

const LINE_BREAK = /[\r\n]/;
const UNUSUAL_BREAK = /[\u0085\u2028\u2029]/;
const UNUSUAL_BREAKS = new RegExp(UNUSUAL_BREAK, "g");

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
