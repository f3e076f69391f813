/**
 * Plain text events: Spring Boot's default line, Train-Ticket's line, and any other line. It reads
 * from left to right by index and never backtracks, so a hostile line costs no more than its length.
 */
import type { Level } from "../model.ts";
import { levelOf } from "./level.ts";
import { intern, owned } from "./own.ts";
import { parseEventTimeMs } from "./time.ts";

/** What the text of an event says by itself. */
export interface EventText {
  /** Only when the text says date and time. */
  readonly timeMs?: number | undefined;
  readonly level?: Level | undefined;
  readonly logger?: string | undefined;
  readonly service?: string | undefined;
  readonly instance?: string | undefined;
  /** The first line without its header. */
  readonly message: string;
  /** The lines after the first: a stack trace, as a rule. */
  readonly rest: string;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  readonly status?: string | undefined;
  readonly latencyMs?: number | undefined;
  readonly exception?: string | undefined;
}

/** How far into a line of unknown form a level is looked for. */
const LEVEL_CHARS_MAX = 100;
const TIME =
  /^(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?(?= |$)/;
const LEVEL_WORD = /\b(TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|SEVERE|FATAL|CRITICAL)\b/;
const TRACE_LABELS =
  /\bTrace-?I[dD][:=] ?([0-9a-zA-Z-]{8,64})(?:[ ,;]+Span-?I[dD][:=] ?([0-9a-zA-Z-]{4,64}))?[\],;]? ?/i;
const HEX_PAIR = /^(?:[^,\]]{0,100},)?([0-9a-f]{16,32})[-,]([0-9a-f]{16})(?:,(?:true|false)?)?$/;

/** Reads one event of plain text; its first line holds the header. */
export function readText(raw: string): EventText {
  const end = raw.indexOf("\n");
  const line = end === -1 ? raw : raw.slice(0, end);
  const rest = end === -1 ? "" : raw.slice(end + 1);
  const time = TIME.exec(line)?.[0];
  if (time !== undefined) {
    const timeMs = time.length > 18 ? parseEventTimeMs(time) : undefined;
    const at = skipSpaces(line, time.length);
    const space = line.indexOf(" ", at);
    const level = space === -1 ? undefined : levelOf(line.slice(at, space));
    if (level !== undefined) {
      return { ...readAfterLevel(line, skipSpaces(line, space)), timeMs, level, rest };
    }
    return { ...readOther(line.slice(at)), timeMs, rest };
  }
  return { ...readOther(line), rest };
}

type Header = Omit<EventText, "rest">;

function readOther(line: string): Header {
  const level = levelOf(LEVEL_WORD.exec(line.slice(0, LEVEL_CHARS_MAX))?.[1]);
  return { ...readLabels(line.trim()), level };
}

/** After time and level: `PID --- [app] [thread] logger : message`, or `logger message`. */
function readAfterLevel(line: string, start: number): Header {
  const dashes = line.indexOf(" --- ", start);
  if (dashes !== -1 && dashes - start < 200) return readSpringBoot(line, start, dashes);
  const space = line.indexOf(" ", start);
  if (space === -1) return { message: line.slice(start) };
  const logger = line.slice(start, space);
  // A logger is one dotted or numbered name; anything else belongs to the message.
  if (!/[.#:]/.test(logger) || logger.startsWith("[")) return readLabels(line.slice(start).trim());
  return { ...readLabels(line.slice(space + 1).trim()), logger: intern(trimColon(logger)) };
}

function readSpringBoot(line: string, start: number, dashes: number): Header {
  const groups: string[] = [];
  // Sleuth puts [app,trace,span] before the process id.
  const early = line.slice(start, dashes);
  if (early.startsWith("[")) groups.push(early.slice(1, early.indexOf("]")));
  let at = skipSpaces(line, dashes + 5);
  while (line[at] === "[") {
    const close = line.indexOf("]", at);
    if (close === -1) break;
    groups.push(line.slice(at + 1, close).trim());
    at = skipSpaces(line, close + 1);
  }
  const colon = line.indexOf(": ", at);
  const found = groups.map((group) => HEX_PAIR.exec(group)).find((pair) => pair !== null);
  const names = groups.filter((group) => !HEX_PAIR.test(group) && group !== "");
  // Spring Boot 3 writes [app] [thread]; without a name there is only [thread].
  const app = names.length > 1 ? names[0] : undefined;
  const labels = readLabels(line.slice(colon === -1 ? at : colon + 2).trim());
  return {
    ...labels,
    logger: colon === -1 ? undefined : intern(line.slice(at, colon).trim()),
    service: app === undefined ? undefined : intern((app.split(",")[0] ?? app).trim()),
    traceId: found?.[1] === undefined ? labels.traceId : owned(found[1]),
    spanId: found?.[2] === undefined ? labels.spanId : owned(found[2]),
  };
}

/** `TraceID: … SpanID: …` is taken out of the message, where it would only be noise. */
function readLabels(message: string): Header {
  const found = TRACE_LABELS.exec(message);
  if (found?.[1] === undefined) return { message };
  const without = message.slice(0, found.index) + message.slice(found.index + found[0].length);
  return {
    message: without.trim(),
    traceId: owned(found[1]),
    spanId: found[2] === undefined ? undefined : owned(found[2]),
  };
}

function skipSpaces(line: string, start: number): number {
  let at = start;
  while (line[at] === " ") at += 1;
  return at;
}

function trimColon(logger: string): string {
  return logger.endsWith(":") ? logger.slice(0, -1) : logger;
}
