/**
 * A call that is worth repeating is repeated: only where the error says `later`, not before the peer asked
 * for, inside the deadline, and out of a budget, so that a target in trouble is not buried under retries.
 */
import {
  asPetrelError,
  type Clock,
  isRetryable,
  PetrelError,
  type RetryPolicy,
  withRetry,
} from "../../core/mod.ts";
import type { CircuitBreakers, Permit } from "./breaker.ts";

export const CALL_RETRY: RetryPolicy = { attemptsMax: 4, firstMs: 100, capMs: 5_000 };

/**
 * How many retries there may be: a share of the calls made, and a few in any case. One budget for all
 * calls of a process to one target, or to all.
 */
export class RetryBudget {
  readonly #share: number;
  readonly #tokensMax: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  #atMs: number;

  /** `share` of calls may be repeated, and `perSecond` more; unused ones are kept up to `tokensMax`. */
  constructor(clock: Clock, { share = 0.2, perSecond = 1, tokensMax = 20 } = {}) {
    this.#clock = clock;
    this.#share = share;
    this.#perSecond = perSecond;
    this.#tokensMax = tokensMax;
    this.#tokens = tokensMax;
    this.#atMs = clock.nowMs();
  }

  /** Notes a call: a share of a retry more. */
  called(): void {
    this.#refill(this.#share);
  }

  /** Takes one retry out; false when there is none left. */
  take(): boolean {
    this.#refill(0);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #refill(more: number): void {
    const now = this.#clock.nowMs();
    const earned = (Math.max(0, now - this.#atMs) / 1_000) * this.#perSecond;
    this.#atMs = now;
    this.#tokens = Math.min(this.#tokensMax, this.#tokens + earned + more);
  }
}

export interface CallOptions {
  /** By what the breaker knows whom we call. */
  readonly target: string;
  readonly breakers: CircuitBreakers;
  readonly budget: RetryBudget;
  readonly clock: Clock;
  /** No attempt begins after this; milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly policy?: RetryPolicy;
  /**
   * Whether the call may reach the target twice. When not, only what the target surely did not take is
   * repeated: it was not there, or said that it is overloaded. Default true.
   */
  readonly isRepeatable?: boolean;
  /** A number in [0, 1); tests pass a seeded one. */
  readonly random?: () => number;
  readonly onRetry?: (error: unknown, attempt: number, waitMs: number) => void;
}

/** An error that is not tried again, whatever it says. */
class Final extends Error {
  readonly error: unknown;

  constructor(error: unknown) {
    super("not repeated");
    this.error = error;
  }
}

const NEVER = new AbortController().signal;

/**
 * Runs `attempt` through the target's circuit breaker, again while that may help. The last error is
 * thrown as it came; UNAVAILABLE with `fields.breaker` when the circuit is open.
 */
export async function callWithRetry<T>(
  options: CallOptions,
  attempt: (attemptNumber: number) => Promise<T>,
): Promise<T> {
  const { clock, deadlineMs, policy = CALL_RETRY, signal = NEVER, random, onRetry } = options;
  options.budget.called();
  let notBeforeMs = 0;
  const once = async (number: number): Promise<T> => {
    const earlyMs = notBeforeMs - clock.nowMs();
    if (earlyMs > 0) await sleepUntilAsked(earlyMs, clock, signal);
    const permit = admit(options);
    try {
      const result = await attempt(number);
      permit.succeeded();
      return result;
    } catch (error) {
      permit.failed(error);
      notBeforeMs = clock.nowMs() + retryAfterOf(error);
      const isLast = number >= policy.attemptsMax || notBeforeMs >= deadlineMs;
      if (isLast || !mayRepeat(error, options) || !options.budget.take()) throw new Final(error);
      throw error;
    }
  };
  try {
    return await withRetry(
      policy,
      { clock, signal, deadlineMs, ...(random ? { random } : {}), ...(onRetry ? { onRetry } : {}) },
      once,
    );
  } catch (error) {
    throw error instanceof Final ? error.error : error;
  }
}

/** How long the peer asked us to stay away, in milliseconds; 0 when it did not. */
export function retryAfterOf(error: unknown): number {
  if (!(error instanceof PetrelError)) return 0;
  const asked = Number(error.fields.retryAfterMs ?? 0);
  return Number.isFinite(asked) && asked > 0 ? Math.min(asked, RETRY_AFTER_MS_MAX) : 0;
}

/** A peer may ask for a while, not for a day. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** An open circuit answers at once: waiting for it would hold up a caller that could go elsewhere. */
function admit({ breakers, target }: CallOptions): Permit {
  try {
    return breakers.admit(target);
  } catch (error) {
    throw new Final(error);
  }
}

function mayRepeat(error: unknown, { isRepeatable = true }: CallOptions): boolean {
  if (!isRetryable(error)) return false;
  if (isRepeatable) return true;
  return error instanceof PetrelError && ["UNAVAILABLE", "OVERLOADED"].includes(error.code);
}

async function sleepUntilAsked(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    throw new Final(asPetrelError(error, "CANCELLED", "between two attempts"));
  }
}
