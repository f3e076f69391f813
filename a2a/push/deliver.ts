/**
 * Brings one event of a task to one webhook: signed, with the client's credentials, tried again while
 * that can help (A2A 1.0 sections 4.3.3 and 13.2). At least once, always under the same event id. It
 * keeps no order and no state; that is the worker's.
 */
import { StreamResponse, type TaskPushNotificationConfig } from "@a2a-js/sdk";
import { asPetrelError, type Clock, isRetryable, limits, PetrelError } from "../../core/mod.ts";
import { startDeadline } from "../calls/deadline.ts";
import type { SigningKey } from "../cards/keys.ts";
import { A2A_VERSION, HEADER } from "../subjects.ts";
import type { AddressGuard } from "./address.ts";
import { post } from "./post.ts";
import { signNotification } from "./signature.ts";
import { FairSlots } from "./slots.ts";

/** One event on its way to one webhook. */
export interface Notification {
  readonly config: TaskPushNotificationConfig;
  /** Whose task it is; one owner has a quarter of the POSTs at most. */
  readonly owner: string;
  /** The event's number in its task's log. */
  readonly event: number;
  readonly response: StreamResponse;
}

/**
 * How it ended. `delivered`: the webhook said 2xx. `refused`: it will not take this event. `gone`: it
 * said 410. `exhausted`: it did not take it in all attempts. `why` is for the log.
 */
export type Outcome =
  | { readonly kind: "delivered"; readonly attempts: number }
  | { readonly kind: "refused" | "gone" | "exhausted"; readonly why: string };

export interface PushRetryPolicy {
  /** Attempts in all, the first included. */
  readonly attemptsMax: number;
  readonly firstMs: number;
  /** Longest wait between two attempts; what a webhook asks for by Retry-After is cut to it too. */
  readonly capMs: number;
  /** No attempt begins later than this after the first. */
  readonly totalMs: number;
}

export const PUSH_RETRY: PushRetryPolicy = {
  attemptsMax: 12,
  firstMs: 1_000,
  capMs: 600_000,
  totalMs: 3_600_000,
};

const ATTEMPT_TIMEOUT_MS = 10_000;
const POSTS_MAX = 32;
const RETRIED_STATUS = new Set([408, 425, 429]);

export interface PushSenderOptions {
  readonly guard: AddressGuard;
  readonly clock: Clock;
  /** Signs each notification; without it none is signed. */
  readonly key?: SigningKey;
  readonly retry?: PushRetryPolicy;
  readonly attemptTimeoutMs?: number;
  /** POSTs at one time. Default 32. */
  readonly postsMax?: number;
  /** PEM certificates of authorities trusted besides the system's. */
  readonly ca?: string;
  /** A number in [0, 1); tests pass a seeded one. */
  readonly random?: () => number;
}

/** Waits that the webhook asked for, with the answer that did. */
class Again extends PetrelError {
  readonly afterMs: number;

  constructor(why: string, afterMs: number) {
    super("UNAVAILABLE", why);
    this.afterMs = afterMs;
  }
}

export class PushSender {
  readonly #options: PushSenderOptions;
  readonly #retry: PushRetryPolicy;
  readonly #slots: FairSlots;
  #retries = 0;

  constructor(options: PushSenderOptions) {
    this.#options = options;
    this.#retry = options.retry ?? PUSH_RETRY;
    const { postsMax = POSTS_MAX } = options;
    this.#slots = new FairSlots(postsMax, Math.ceil(postsMax / 4));
  }

  /** Attempts beyond the first, of all notifications so far. */
  get retries(): number {
    return this.#retries;
  }

  /** Resolves when it is settled, which may take an hour; throws only the signal's reason. */
  async send(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const { clock, random = Math.random } = this.#options;
    const { attemptsMax, firstMs, capMs, totalMs } = this.#retry;
    const body = JSON.stringify(StreamResponse.toJSON(notification.response));
    const bytes = Buffer.byteLength(body);
    if (bytes > limits.ENVELOPE_BYTES_MAX) return { kind: "refused", why: `${bytes} bytes` };
    const lastMs = clock.nowMs() + totalMs;
    for (let attempts = 1; ; attempts++) {
      const result = await this.#attempt(notification, body, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        return asPetrelError(error, "INTERNAL", "webhook");
      });
      if (result === "delivered") return { kind: "delivered", attempts };
      if (result === "gone") return { kind: "gone", why: "410" };
      if (!isRetryable(result)) return { kind: "refused", why: result.message };
      const jitterMs = random() * Math.min(capMs, firstMs * 2 ** (attempts - 1));
      const askedMs = result instanceof Again ? Math.min(result.afterMs, capMs) : 0;
      const waitMs = Math.max(jitterMs, askedMs);
      if (attempts >= attemptsMax || clock.nowMs() + waitMs > lastMs) {
        return { kind: "exhausted", why: `${attempts} attempts, the last: ${result.message}` };
      }
      this.#retries++;
      await clock.sleep(waitMs, signal);
    }
  }

  /** Throws what may be tried again as UNAVAILABLE or DEADLINE_EXCEEDED, and what may not as another. */
  async #attempt(
    notification: Notification,
    body: string,
    signal: AbortSignal,
  ): Promise<"delivered" | "gone"> {
    const { clock, guard, ca, attemptTimeoutMs = ATTEMPT_TIMEOUT_MS } = this.#options;
    using _slot = await this.#slots.take(notification.owner, signal);
    using deadline = startDeadline({ clock, timeoutMs: attemptTimeoutMs, signal, what: "webhook" });
    // Each attempt asks anew: the name may have moved, and what was outside may lie inside now.
    const destination = await guard.resolve(notification.config.url, deadline.signal);
    const headers = await this.#headers(notification, destination.url, body);
    const { status, retryAfter } = await post(destination, {
      headers,
      body,
      ca,
      signal: deadline.signal,
    });
    if (status >= 200 && status < 300) return "delivered";
    if (status === 410) return "gone";
    if (status >= 500 || RETRIED_STATUS.has(status)) {
      throw new Again(`HTTP ${status}`, retryAfterMs(retryAfter, clock.nowMs()));
    }
    throw new PetrelError("QUERY_REFUSED", `HTTP ${status}`);
  }

  async #headers(
    { config, event }: Notification,
    url: URL,
    body: string,
  ): Promise<Record<string, string>> {
    const { clock, key } = this.#options;
    const { token, authentication } = config;
    const eventId = `${config.taskId}.${event}`;
    const headers: Record<string, string> = {
      "content-type": "application/a2a+json",
      [HEADER.version]: A2A_VERSION,
      [HEADER.event]: String(event),
      "petrel-event-id": eventId,
    };
    if (authentication?.credentials) {
      headers.authorization = `${authentication.scheme} ${authentication.credentials}`;
    }
    if (token) headers["x-a2a-notification-token"] = token;
    if (key) {
      const atSeconds = Math.floor(clock.nowMs() / 1_000);
      headers["petrel-signature"] = await signNotification(key, { body, eventId, url, atSeconds });
    }
    return headers;
  }
}

/** Retry-After in seconds or as a date (RFC 9110 section 10.2.3); 0 for none and for what is neither. */
export function retryAfterMs(value: string | null | undefined, nowMs: number): number {
  const text = value?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - nowMs);
}
