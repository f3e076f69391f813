/**
 * Status and duration of a finished HTTP request, in the forms access logs and Spring write them:
 * `Completed 200 in 350ms`, `status=500`, `took 1.2 s`, `latency_ms=123`, `durationMs: 7`.
 *
 * Most lines say neither, so a fixed word or a digit is looked for first; no pattern has a repetition
 * inside a repetition.
 */

const STATUS =
  /(?:\bCompleted |\bstatus(?:[_ -]?code)?["']?\s{0,2}[=:]\s{0,2}["']?|HTTP\/[12](?:\.\d)?["']?\s)([1-5]\d\d)\b/i;
/** What must stand before a number for it to be a duration; a unit may be part of the name. */
const LATENCY_NAME =
  /(?:\b(?:took|in)|(?:\b|_)(?:duration|elapsed|latency|response[ _]?time|execution[ _]time)(?:[_-]?(ms|millis|seconds|sec|us|ns))?)["']?\s{0,2}([=:]?)\s{0,2}["']?$/i;
/** The longest such name with what may stand around it. */
const NAME_CHARS_MAX = 32;
const DURATION =
  /(\d{1,12}(?:\.\d{1,9})?)\s?(ms|millis(?:econds)?|s|sec(?:onds)?|us|µs|ns)?(?![\w.])/iy;
const DIGITS = /\d[\d.]*/g;
/** The last characters of the names and of what may follow them. */
const ENDS_NAME = /[a-z=:"' ]/i;

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
  const text = message.length > CHARS_MAX ? message.slice(0, CHARS_MAX) : message;
  const lower = text.toLowerCase();
  const code = Number(statusFrom(status) ?? statusIn(text, lower) ?? Number.NaN);
  if (!Number.isNaN(code)) request.status = code;
  const took = latencyMs ?? latencyIn(text);
  if (took !== undefined) request.latencyMs = took;
  return request;
}

function statusFrom(field: string | undefined): string | undefined {
  return field !== undefined && /^[1-5]\d\d$/.test(field) ? field : undefined;
}

function statusIn(text: string, lower: string): string | undefined {
  const named = lower.includes("status") || lower.includes("completed ") || lower.includes("http/");
  return named ? STATUS.exec(text)?.[1] : undefined;
}

/** Goes from number to number, for numbers are fewer than words. */
function latencyIn(text: string): number | undefined {
  DIGITS.lastIndex = 0;
  for (let digits = DIGITS.exec(text); digits !== null; digits = DIGITS.exec(text)) {
    const at = digits.index;
    if (at === 0 || !ENDS_NAME.test(text[at - 1] ?? "")) continue;
    const name = LATENCY_NAME.exec(text.slice(Math.max(0, at - NAME_CHARS_MAX), at));
    if (name === null) continue;
    DURATION.lastIndex = at;
    const duration = DURATION.exec(text);
    const unit = duration?.[2] ?? name[1];
    // "in 3" and "took 2" may count anything; `responseTime=350` is milliseconds by custom.
    if (duration === null || (unit === undefined && name[2] === "")) continue;
    return Number(duration[1]) * (UNIT_MS[unit?.[0]?.toLowerCase() ?? "m"] ?? 1);
  }
  return undefined;
}
