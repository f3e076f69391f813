/**
 * How much of the gateway one caller, and all of them, may have: a token bucket for each, and a bound on
 * what is open at a time. The tables are bounded; a caller that was forgotten begins with a full bucket.
 */
import type { Clock } from "../../core/mod.ts";
import { Refusal, retryAfter, SERVER_ERROR } from "./refusal.ts";

/** Callers remembered at a time; the one not heard of for longest goes first. */
const CALLERS_MAX = 10_000;
/** Told to a client that found the gateway full. */
const BUSY_RETRY_MS = 1_000;

export interface RateLimit {
  /** Requests per second, on average. */
  readonly perSecond: number;
  /** Requests at once, after a pause. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Token buckets by key (a principal, or an address). Without a limit everybody passes. */
export class RateLimiter {
  readonly #limit: RateLimit | undefined;
  readonly #clock: Clock;
  readonly #callersMax: number;
  /** In the order they were last used. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit | undefined, clock: Clock, callersMax = CALLERS_MAX) {
    this.#limit = limit;
    this.#clock = clock;
    this.#callersMax = callersMax;
  }

  get isOn(): boolean {
    return this.#limit !== undefined;
  }

  /** Callers remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token, or throws a refusal that says when there will be one (429, RFC 6585 section 4). */
  take(key: string): void {
    if (!this.#limit) return;
    const { perSecond, burst } = this.#limit;
    const nowMs = this.#clock.nowMs();
    const old = this.#buckets.get(key);
    // A clock may be set back.
    const passedMs = old ? Math.max(0, nowMs - old.atMs) : 0;
    const tokens = old ? Math.min(burst, old.tokens + (passedMs * perSecond) / 1_000) : burst;
    const isAllowed = tokens >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs });
    this.#forget();
    if (!isAllowed) throw tooMany(((1 - tokens) / perSecond) * 1_000);
  }

  #forget(): void {
    if (this.#buckets.size <= this.#callersMax) return;
    const oldest = this.#buckets.keys().next().value;
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}

/** What is open at a time. */
export class Slots {
  readonly #max: number;
  readonly #what: string;
  #open = 0;

  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  get open(): number {
    return this.#open;
  }

  /** Takes a place; calling what it gives back leaves it, once. Throws a refusal when all are taken (503). */
  enter(): () => void {
    if (this.#open >= this.#max) throw busy(this.#what, this.#max);
    this.#open++;
    let isOpen = true;
    return () => {
      if (isOpen) this.#open--;
      isOpen = false;
    };
  }
}

/** An address as a key: an IPv6 network of /64 is one caller, for it has as many addresses as it likes. */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1]) return mapped[1];
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.split("%")[0]?.split("::") ?? [];
  const left = head.split(":").filter(Boolean);
  const right = tail.split(":").filter(Boolean);
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}

function tooMany(waitMs: number): Refusal {
  return new Refusal("OVERLOADED", "too many requests from this caller", {
    status: 429,
    rpcCode: SERVER_ERROR,
    reason: "RATE_LIMITED",
    headers: { "retry-after": retryAfter(waitMs) },
  });
}

function busy(what: string, max: number): Refusal {
  return new Refusal("OVERLOADED", `the gateway already has ${max} ${what} open`, {
    status: 503,
    rpcCode: -32603,
    headers: { "retry-after": retryAfter(BUSY_RETRY_MS) },
  });
}
