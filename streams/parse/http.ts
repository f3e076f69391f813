/**
 * Status and duration of a finished HTTP request, in the forms access logs and Spring write them:
 * `Completed 200 in 350ms`, `status=500`, `took 1.2 s`, `latency_ms=123`, `durationMs: 7`.
 *
 * It goes from number to number, for numbers are fewer than words, and looks at what stands before
 * each: first at the one letter a name may end in, then with a pattern. Patterns see a few characters
 * and have no repetition inside a repetition.
 */

/** What must stand before a number for it to be a status. */
const STATUS_NAME =
  /(?:\bCompleted |\bstatus(?:[_ -]?code)?["']?\s{0,2}[=:]\s{0,2}["']?|HTTP\/[12](?:\.\d)?["']?\s)$/i;
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
/** The last characters of the names in STATUS_NAME and LATENCY_NAME. */
const ENDS_NAME = new Uint8Array(128);
const STATUS_END = 1;
const LATENCY_END = 2;
for (const end of "DdSsEe0123456789") markEnd(end, STATUS_END);
for (const end of "KkNnDdYyEeSsCc") markEnd(end, LATENCY_END);

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 1, u: 1e-3, µ: 1e-3, n: 1e-6 };
/** What a line says beyond this is its payload. */
const CHARS_MAX = 1_000;

interface Request {
  status?: number;
  latencyMs?: number;
}

/** Status and latency; what the source's fields say stands above the text. */
export function requestOf(message: string, status?: string, latencyMs?: number): Request {
  const request: Request = {};
  if (status !== undefined && /^[1-5]\d\d$/.test(status)) request.status = Number(status);
  if (latencyMs !== undefined) request.latencyMs = latencyMs;
  const text = message.length > CHARS_MAX ? message.slice(0, CHARS_MAX) : message;
  for (let at = nextNumber(text, 0); at < text.length; at = nextNumber(text, numberEnd(text, at))) {
    readNumber(text, at, request);
  }
  return request;
}

/** The first number of its kind counts. */
function readNumber(text: string, at: number, request: Request): void {
  const ends = nameEndBefore(text, at);
  if (ends === 0) return;
  const before = text.slice(Math.max(0, at - NAME_CHARS_MAX), at);
  if ((ends & STATUS_END) !== 0 && request.status === undefined && isStatus(text, at)) {
    if (STATUS_NAME.test(before)) request.status = Number(text.slice(at, at + 3));
  }
  if ((ends & LATENCY_END) !== 0 && request.latencyMs === undefined) {
    const took = latencyAt(text, at, before);
    if (took !== undefined) request.latencyMs = took;
  }
}

function latencyAt(text: string, at: number, before: string): number | undefined {
  if (!BEFORE_DURATION.test(text[at - 1] ?? "")) return undefined;
  const name = LATENCY_NAME.exec(before);
  if (name === null) return undefined;
  DURATION.lastIndex = at;
  const duration = DURATION.exec(text);
  const unit = duration?.[2] ?? name[1];
  // "in 3" and "took 2" may count anything; `responseTime=350` is milliseconds by custom.
  if (duration === null || (unit === undefined && name[2] === "")) return undefined;
  return Number(duration[1]) * (UNIT_MS[unit?.[0]?.toLowerCase() ?? "m"] ?? 1);
}

/** Three digits, the first of them 1 to 5, and no more of a word. */
function isStatus(text: string, at: number): boolean {
  const first = text.charCodeAt(at);
  const three = first >= 49 && first <= 53 && isDigit(text, at + 1) && isDigit(text, at + 2);
  return three && !WORD.test(text[at + 3] ?? "");
}

/** Which names the last word before a number may end. */
function nameEndBefore(text: string, at: number): number {
  for (let before = at - 1; before >= Math.max(0, at - GAP_CHARS_MAX); before--) {
    const code = text.charCodeAt(before);
    const letter = code | 32;
    if ((letter >= 97 && letter <= 122) || isDigit(text, before)) return ENDS_NAME[code] ?? 0;
  }
  return 0;
}

function nextNumber(text: string, start: number): number {
  let at = start;
  while (at < text.length && !isDigit(text, at)) at += 1;
  return at;
}

function numberEnd(text: string, start: number): number {
  let at = start;
  while (isDigit(text, at) || text.charCodeAt(at) === 46) at += 1;
  return at;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

function markEnd(character: string, kind: number): void {
  const code = character.charCodeAt(0);
  ENDS_NAME[code] = (ENDS_NAME[code] ?? 0) | kind;
}
