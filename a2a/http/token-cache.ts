/**
 * Tokens that were checked a moment ago, so that a busy caller's signature is not checked for each
 * request. Known by digest, never kept; for a minute at most, so that a key that was withdrawn is
 * missed no longer than that.
 */
import type { Clock } from "../../core/mod.ts";

const TOKENS_MAX = 10_000;
const KEPT_MS_MAX = 60_000;

interface Entry<T> {
  readonly value: T;
  readonly untilMs: number;
}

export class TokenCache<T> {
  readonly #clock: Clock;
  readonly #max: number;
  /** In the order they came. */
  readonly #entries = new Map<string, Entry<T>>();

  constructor(clock: Clock, max = TOKENS_MAX) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(token: string): T | undefined {
    const key = digest(token);
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (this.#clock.nowMs() < entry.untilMs) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Keeps what a token stands for until it expires, a minute at most. */
  put(token: string, value: T, expiresMs: number): void {
    const untilMs = Math.min(expiresMs, this.#clock.nowMs() + KEPT_MS_MAX);
    this.#entries.set(digest(token), { value, untilMs });
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > this.#max && oldest !== undefined) this.#entries.delete(oldest);
  }
}

function digest(token: string): string {
  return new Bun.CryptoHasher("sha256").update(token).digest("base64");
}
