/** Tells a third party over HTTP, with retries, inside a deadline. */
import { type Clock, httpRequest, withRetry } from "../core/mod.ts";

export interface Webhook {
  readonly url: string;
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

const ATTEMPTS = { firstMs: 500, capMs: 10_000, attemptsMax: 5 };
const DEADLINE_MS = 60_000;
const SECRET_CHARS_MIN = 8;

/**
 * POSTs `body` as JSON. Throws OVERLOADED or UNAVAILABLE when the other side was busy or away until the
 * deadline, QUERY_REFUSED when it refused, CANCELLED when the signal aborts.
 */
export async function postJson(
  webhook: Webhook,
  body: unknown,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  const text = JSON.stringify(body);
  const deadlineMs = clock.nowMs() + DEADLINE_MS;
  await withRetry(ATTEMPTS, { clock, signal, deadlineMs }, () => post(webhook, text, signal));
}

async function post({ url, timeoutMs, headers }: Webhook, body: string, signal: AbortSignal) {
  const response = await httpRequest({
    system: "webhook",
    url,
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body,
    timeoutMs,
    signal,
    secrets: Object.values(headers).filter((value) => value.length >= SECRET_CHARS_MIN),
  });
  await response.discard();
}
