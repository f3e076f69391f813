/**
 * Status and duration of a finished HTTP request, in the forms access logs and Spring write them. Each
 * pattern starts at a fixed word and has no repetition inside a repetition.
 */

const STATUS =
  /(?:\bCompleted |\bstatus(?:[_ -]?code)?["']?\s{0,2}[=:]\s{0,2}["']?|HTTP\/[12](?:\.\d)?["']?\s)([1-5]\d\d)\b/i;
const LATENCY =
  /(?:\btook|\bin|\bduration|\belapsed|\blatency|\bresponse[ _]?time|\bexecution time)["']?\s{0,2}[=:]?\s{0,2}(\d{1,12}(?:\.\d{1,9})?)\s?(ms|millis(?:econds)?|s|sec(?:onds)?|us|µs|ns)?(?![\w.])/gi;

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
  const code = Number(statusFrom(status) ?? STATUS.exec(text)?.[1] ?? Number.NaN);
  if (!Number.isNaN(code)) request.status = code;
  const took = latencyMs ?? latencyFrom(text);
  if (took !== undefined) request.latencyMs = took;
  return request;
}

function statusFrom(field: string | undefined): string | undefined {
  return field !== undefined && /^[1-5]\d\d$/.test(field) ? field : undefined;
}

function latencyFrom(text: string): number | undefined {
  if (!/\d/.test(text)) return undefined;
  for (const [whole, digits, unit] of text.matchAll(LATENCY)) {
    // "in 3" and "took 2" may count anything; `responseTime=350` is milliseconds by custom.
    if (unit === undefined && !/[=:]/.test(whole)) continue;
    return Number(digits) * (UNIT_MS[unit?.[0]?.toLowerCase() ?? "m"] ?? 1);
  }
  return undefined;
}
