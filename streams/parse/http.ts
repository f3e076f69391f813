/**
 * Status and duration of a finished HTTP request, in the forms access logs and Spring write them:
 * `Completed 200 in 350ms`, `status=500`, `took 1.2 s`, `latency_ms=123`, `durationMs: 7`.
 *
 * It goes from number to number, for numbers are fewer than words, and looks at what stands before
 * each: first at the two letters a name may end in, then with a pattern. Patterns see a few characters
 * and have no repetition inside a repetition.
 */
import { DigitMemo } from "./digit-memo.ts";

/** What must stand before a number for it to be a status. */
const STATUS_NAME =
  /(?:\bCompleted |\bstatus(?:[_ -]?code)?["']?\s{0,2}[=:]\s{0,2}["']?|HTTP\/\d(?:\.\d)?["']?\s)$/i;
/** What must stand before a number for it to be a duration; a unit may be part of the name. */
const LATENCY_NAME =
  /(?:\b(?:took|in)|(?:\b|_)(?:duration|elapsed|latency|response[ _]?time|execution[ _]time)(?:[_-]?(ms|millis|seconds|sec|us|ns))?)["']?\s{0,2}([=:]?)\s{0,2}["']?$/i;
/** The longest such name with what may stand around it. */
const NAME_CHARS_MAX = 32;
const DURATION =
  /(\d{1,12}(?:\.\d{1,9})?)\s?(ms|millis(?:econds)?|s|sec(?:onds)?|us|µs|ns)?(?![\w.])/iy;
/** What may stand right before the number of a duration. */
const BEFORE_DURATION = /[a-z=:"' ]/i;
const WORD = /\w/;

/** Quotes, spaces and signs between a name and its number, at most. */
const GAP_CHARS_MAX = 7;
const STATUS_END = 1;
const LATENCY_END = 2;
/** By the last two letters of the names in STATUS_NAME and LATENCY_NAME, five bits each. */
const ENDS = new Uint8Array(1_024);
for (const pair of ["ed", "us", "de"]) markEnd(pair, STATUS_END);
for (const pair of ["ok", "in", "on", "ed", "cy", "me"]) markEnd(pair, LATENCY_END);
for (const unit of ["ms", "is", "ds", "ec", "us", "ns"]) markEnd(unit, LATENCY_END);

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 1, u: 1e-3, µ: 1e-3, n: 1e-6 };
/** What a line says beyond this is its payload. */
const CHARS_MAX = 1_000;
/** More numbers after a status' name than this are no status. */
const STATUSES_MAX = 4;

interface Request {
  status?: number;
  latencyMs?: number;
}

/**
 * Where in a message its request is told. It holds for every message that differs in the values of its
 * digits alone, for no name has a digit, and lines of one statement differ in little else.
 */
interface Places {
  /** Of three digits after a status' name, in order; only some of them may be a status. */
  readonly statuses: readonly number[];
  readonly latency:
    | { readonly at: number; readonly end: number; readonly unitMs: number }
    | undefined;
}

const places = new DigitMemo<Places>();

/** Status and latency; what the source's fields say stands above the text. */
export function requestOf(message: string, status?: string, latencyMs?: number): Request {
  const request: Request = {};
  const text = message.length > CHARS_MAX ? message.slice(0, CHARS_MAX) : message;
  const { statuses, latency } = places.of(text, placesIn);
  if (status !== undefined && /^[1-5]\d\d$/.test(status)) request.status = Number(status);
  else {
    const at = statuses.find((place) => isStatus(text, place));
    if (at !== undefined) request.status = Number(text.slice(at, at + 3));
  }
  if (latencyMs !== undefined) request.latencyMs = latencyMs;
  else if (latency !== undefined) {
    request.latencyMs = Number(text.slice(latency.at, latency.end)) * latency.unitMs;
  }
  return request;
}

function placesIn(text: string): Places {
  const statuses: number[] = [];
  let latency: Places["latency"];
  for (let at = nextNumber(text, 0); at < text.length; at = nextNumber(text, numberEnd(text, at))) {
    const ends = nameEndBefore(text, at);
    if (ends === 0) continue;
    const before = text.slice(Math.max(0, at - NAME_CHARS_MAX), at);
    const isNamed = (ends & STATUS_END) !== 0 && isThreeDigits(text, at);
    if (isNamed && statuses.length < STATUSES_MAX && STATUS_NAME.test(before)) statuses.push(at);
    if ((ends & LATENCY_END) !== 0) latency ??= latencyAt(text, at, before);
  }
  return { statuses, latency };
}

function latencyAt(text: string, at: number, before: string): Places["latency"] {
  if (!BEFORE_DURATION.test(text[at - 1] ?? "")) return undefined;
  const name = LATENCY_NAME.exec(before);
  if (name === null) return undefined;
  DURATION.lastIndex = at;
  const duration = DURATION.exec(text);
  const unit = duration?.[2] ?? name[1];
  // "in 3" and "took 2" may count anything; `responseTime=350` is milliseconds by custom.
  if (duration === null || (unit === undefined && name[2] === "")) return undefined;
  const unitMs = UNIT_MS[unit?.[0]?.toLowerCase() ?? "m"] ?? 1;
  return { at, end: at + (duration[1]?.length ?? 0), unitMs };
}

/** Three digits and no more of a word. */
function isThreeDigits(text: string, at: number): boolean {
  if (at + 2 >= text.length) return false;
  const three = isDigit(text, at + 1) && isDigit(text, at + 2);
  return three && !WORD.test(text[at + 3] ?? "");
}

/** 100 to 599. */
function isStatus(text: string, at: number): boolean {
  const first = text.charCodeAt(at);
  return first >= 49 && first <= 53;
}

/** Which names the last word before a number may end; the one that ends in digits is `HTTP/1.1`. */
function nameEndBefore(text: string, at: number): number {
  for (let before = at - 1; before >= Math.max(0, at - GAP_CHARS_MAX); before--) {
    if (isDigit(text, before)) return STATUS_END;
    if (isLetter(text, before)) return before > 0 ? endAt(text, before) : 0;
  }
  return 0;
}

function endAt(text: string, at: number): number {
  if (!isLetter(text, at - 1)) return 0;
  return ENDS[((text.charCodeAt(at - 1) & 31) << 5) | (text.charCodeAt(at) & 31)] ?? 0;
}

function nextNumber(text: string, start: number): number {
  for (let at = start; at < text.length; at++) if (isDigit(text, at)) return at;
  return text.length;
}

function numberEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (!isDigit(text, at) && text.charCodeAt(at) !== 46) return at;
  }
  return text.length;
}

/** `at` lies in the text: engines are slow to answer for a place outside it. */
function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

function isLetter(text: string, at: number): boolean {
  const code = text.charCodeAt(at) | 32;
  return code >= 97 && code <= 122;
}

function markEnd(pair: string, kind: number): void {
  const place = ((pair.charCodeAt(0) & 31) << 5) | (pair.charCodeAt(1) & 31);
  ENDS[place] = (ENDS[place] ?? 0) | kind;
}
