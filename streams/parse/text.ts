/**
 * Plain text events: Spring Boot's default line, Train-Ticket's line, and any other line. It reads
 * from left to right by index and never backtracks, so a hostile line costs no more than its length.
 */
import type { Level } from "../model.ts";
import { levelOf } from "./level.ts";
import { intern, internAt, internId, internIdAt, knownIdAt } from "./own.ts";
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
  /^(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?(?= |$)/y;
const LEVEL_WORD = /\b(TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|SEVERE|FATAL|CRITICAL)\b/;
const TRACE_LABELS =
  /\bTrace-?I[dD][:=] ?([0-9a-zA-Z-]{8,64})(?:[ ,;]+Span-?I[dD][:=] ?([0-9a-zA-Z-]{4,64}))?[\],;]? ?/i;
/** Trace and span of sixteen hexadecimal digits each, and what stands between them. */
const PAIR_CHARS_MIN = 33;
/** As W3C trace context and Micrometer write them: `<32>-<16>`. */
const TRACE_CHARS = 32;
const PAIR_CHARS = 49;
const HEX_PAIR = /^(?:[^,\]]{0,100},)?([0-9a-f]{16,32})[-,]([0-9a-f]{16})(?:,(?:true|false)?)?$/;

/** An event while it is read: one object a line, for lines come by the million. */
type Draft = { -readonly [Field in keyof EventText]: EventText[Field] };

/**
 * Reads one event of plain text; its first line holds the header. The time in the text is not read
 * when the source says one, `knownMs`.
 */
export function readText(raw: string, knownMs?: number): EventText {
  const end = raw.indexOf("\n");
  const line = end === -1 ? raw : raw.slice(0, end);
  const event: Draft = {
    timeMs: knownMs,
    level: undefined,
    logger: undefined,
    service: undefined,
    message: "",
    rest: end === -1 ? "" : raw.slice(end + 1),
    traceId: undefined,
    spanId: undefined,
  };
  const timeEnd = timeEndOf(line);
  if (timeEnd === 0) {
    readOther(event, line);
    return event;
  }
  if (knownMs === undefined && timeEnd > 18)
    event.timeMs = parseEventTimeMs(line.slice(0, timeEnd));
  const at = skipSpaces(line, timeEnd);
  const space = line.indexOf(" ", at);
  event.level = space === -1 ? undefined : levelOf(line.slice(at, space));
  if (event.level === undefined) readOther(event, line.slice(at));
  else readAfterLevel(event, line, skipSpaces(line, space));
  return event;
}

/** Where the time at the start of a line ends; 0 without one. No match is made, for none is needed. */
function timeEndOf(line: string): number {
  TIME.lastIndex = 0;
  return TIME.test(line) ? TIME.lastIndex : 0;
}

function readOther(event: Draft, line: string): void {
  event.level = levelOf(LEVEL_WORD.exec(line.slice(0, LEVEL_CHARS_MAX))?.[1]);
  readMessage(event, line.trim());
}

/** After time and level: `PID --- [app] [thread] logger : message`, or `logger message`. */
function readAfterLevel(event: Draft, line: string, start: number): void {
  const dashes = line.indexOf(" --- ", start);
  if (dashes !== -1 && dashes - start < 200) {
    readSpringBoot(event, line, start, dashes);
    return;
  }
  const space = line.indexOf(" ", start);
  if (space === -1) {
    event.message = line.slice(start);
    return;
  }
  const logger = line.slice(start, space);
  // A logger is one dotted or numbered name; anything else belongs to the message.
  const isLogger = /[.#:]/.test(logger) && !logger.startsWith("[");
  if (isLogger) event.logger = intern(trimColon(logger));
  readMessage(event, line.slice(isLogger ? space + 1 : start).trim());
}

function readSpringBoot(event: Draft, line: string, start: number, dashes: number): void {
  const at = readGroups(event, line, start, dashes);
  const colon = line.indexOf(": ", at);
  if (colon !== -1) event.logger = internTrimmed(line, at, colon);
  const { traceId, spanId } = event;
  readMessage(event, line.slice(colon === -1 ? at : colon + 2).trim());
  event.traceId = traceId ?? event.traceId;
  event.spanId = spanId ?? event.spanId;
}

/** One shared copy of a name between spaces. */
function internTrimmed(line: string, from: number, to: number): string {
  const start = Math.min(skipSpaces(line, from), to);
  let end = to;
  while (end > start && line[end - 1] === " ") end -= 1;
  return internAt(line, start, end);
}

/** `[app] [thread] [trace-span]`, in any number; answers where the logger begins. */
function readGroups(event: Draft, line: string, start: number, dashes: number): number {
  const body = skipSpaces(line, dashes + 5);
  let app: Span | undefined;
  let names = 0;
  // Sleuth puts [app,trace,span] before the process id.
  let at = line[start] === "[" ? start : body;
  while (line[at] === "[") {
    const close = line.indexOf("]", at);
    if (close === -1) break;
    if (!readPair(event, line, at + 1, close) && !isBlank(line, at + 1, close)) {
      app ??= { from: at + 1, to: close };
      names += 1;
    }
    at = at < body ? body : skipSpaces(line, close + 1);
  }
  // Spring Boot 3 writes [app] [thread]; without a name there is only [thread].
  if (app !== undefined && names > 1) {
    const comma = line.indexOf(",", app.from);
    const to = comma === -1 ? app.to : Math.min(comma, app.to);
    event.service = internTrimmed(line, app.from, to);
  }
  return Math.max(at, body);
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function isBlank(line: string, from: number, to: number): boolean {
  return skipSpaces(line, from) >= to;
}

/** Whether a group holds a trace and a span; those of the first count. */
function readPair(event: Draft, line: string, from: number, to: number): boolean {
  if (to - from < PAIR_CHARS_MIN) return false;
  const dash = from + TRACE_CHARS;
  if (to - from === PAIR_CHARS && line[dash] === "-") {
    const known = knownIdAt(line, from, dash);
    if (known !== undefined) {
      setPair(event, known, line.slice(dash + 1, to));
      return true;
    }
  }
  const pair = HEX_PAIR.exec(line.slice(from, to).trim());
  if (pair === null) return false;
  if (pair[1] !== undefined) setPair(event, internIdAt(pair[1], 0, pair[1].length), pair[2]);
  return true;
}

function setPair(event: Draft, traceId: string, spanId: string | undefined): void {
  if (event.traceId !== undefined) return;
  event.traceId = traceId;
  event.spanId = spanId;
}

/** `TraceID: … SpanID: …` is taken out of the message, where it would only be noise. */
function readMessage(event: Draft, message: string): void {
  const mayHave = message.includes("race") || message.includes("RACE");
  const found = mayHave ? TRACE_LABELS.exec(message) : null;
  if (found?.[1] === undefined) {
    event.message = message;
    return;
  }
  const without = message.slice(0, found.index) + message.slice(found.index + found[0].length);
  event.message = without.trim();
  event.traceId = internId(found[1]);
  event.spanId = found[2];
}

function skipSpaces(line: string, start: number): number {
  let at = start;
  while (line[at] === " ") at += 1;
  return at;
}

function trimColon(logger: string): string {
  return logger.endsWith(":") ? logger.slice(0, -1) : logger;
}
