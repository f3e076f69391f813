/**
 * What an HTTP status that is not 2xx means to Petrel, and how the systems say why.
 * Pure; touches no network.
 */
import { type ErrorCode, PetrelError } from "../errors.ts";

const MESSAGE_CHARS_MAX = 500;

/** The closed set's code for a status that is not 2xx. */
function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return "UNAUTHENTICATED";
  if (status === 429 || status === 503) return "OVERLOADED";
  if (status === 408 || status === 504) return "DEADLINE_EXCEEDED";
  if (status >= 400 && status < 500) return "QUERY_REFUSED";
  if (status >= 500) return "UNAVAILABLE";
  return "PROTOCOL_VIOLATION";
}

const SAID: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: "refused the credentials",
  OVERLOADED: "is too busy",
  DEADLINE_EXCEEDED: "gave up waiting",
  QUERY_REFUSED: "refused the request",
  UNAVAILABLE: "failed",
  PROTOCOL_VIOLATION: "answered with a redirect, which is not followed",
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The reasons in a JSON error body: Splunk `messages[].text`, Grafana `results.*.error`, `error`,
 * `message`, PagerDuty `errors[]`, Alertmanager a text alone.
 */
function reasonsIn(body: unknown): string[] {
  if (typeof body === "string") return [body];
  if (!isRecord(body)) return [];
  const { messages, results, error, message, errors } = body;
  const nested = [
    ...(Array.isArray(messages) ? messages.filter(isRecord).map((item) => item["text"]) : []),
    ...(isRecord(results)
      ? Object.values(results)
          .filter(isRecord)
          .map((item) => item["error"])
      : []),
    isRecord(error) ? error["message"] : error,
    message,
    ...(Array.isArray(errors) ? errors : []),
  ];
  return nested.filter((text): text is string => typeof text === "string" && text !== "");
}

/** The system's own reason in an error body, on one line of at most 500 characters; "" if it gave none. */
export function systemMessage(text: string): string {
  let reasons: string[] = [];
  try {
    reasons = reasonsIn(JSON.parse(text));
  } catch {
    // An HTML page says nothing a person wants to read; a plain line does.
    reasons = text.trimStart().startsWith("<") ? [] : [text];
  }
  return reasons.join("; ").replace(/\s+/g, " ").trim().slice(0, MESSAGE_CHARS_MAX);
}

const RETRY_AFTER_MS_MAX = 86_400_000;

/**
 * What `Retry-After` asks for, in milliseconds, at most a day: seconds, or a date, which is read against
 * the server's own clock. Undefined where there is none, or it makes no sense.
 */
export function retryAfterMs(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  const ms = /^\d+$/.test(text)
    ? Number(text) * 1_000
    : Date.parse(text) - Date.parse(headers.get("date") ?? "");
  return ms >= 0 ? Math.min(ms, RETRY_AFTER_MS_MAX) : undefined;
}

/** The error for a status that is not 2xx; `message` is the system's own reason, or "". */
export function failureOfStatus(
  system: string,
  status: number,
  message: string,
  afterMs?: number,
): PetrelError {
  const code = codeOf(status);
  const why = message === "" ? "" : `: ${message}`;
  return new PetrelError(code, `${system} ${SAID[code] ?? "failed"} (HTTP ${status})${why}`, {
    system,
    status,
    message,
    ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }),
  });
}
