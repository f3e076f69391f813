/** Tells a third party over HTTP, with retries, inside a deadline. */
import { type Clock, messageOf, PetrelError, withRetry } from "../core/mod.ts";

export interface Webhook {
  readonly url: string;
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

const ATTEMPTS = { firstMs: 500, capMs: 10_000, attemptsMax: 5 };
const DEADLINE_MS = 60_000;

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

async function post({ url, timeoutMs, headers }: Webhook, body: string, stop: AbortSignal) {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body,
    signal: AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]),
    redirect: "error",
  }).catch((error: unknown) => {
    throw new PetrelError(
      "UNAVAILABLE",
      `webhook: ${messageOf(error)}`,
      { system: "webhook" },
      error,
    );
  });
  await response.body?.cancel();
  if (response.ok) return;
  const isBusy = response.status === 429 || response.status >= 500;
  const { status } = response;
  throw new PetrelError(isBusy ? "OVERLOADED" : "QUERY_REFUSED", `webhook answered ${status}`, {
    system: "webhook",
    status,
  });
}
