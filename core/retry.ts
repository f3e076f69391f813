/** Retries with capped, jittered backoff ("full jitter"), inside a deadline. */
import type { Clock } from "./clock.ts";
import { asPetrelError, isRetryable, PetrelError } from "./errors.ts";

export interface RetryPolicy {
  /** First wait, in milliseconds. */
  readonly firstMs: number;
  /** Longest wait between two attempts, in milliseconds. */
  readonly capMs: number;
  /** Attempts in all, the first included. */
  readonly attemptsMax: number;
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** No attempt starts after this instant (milliseconds since the epoch). */
  readonly deadlineMs: number;
  /** A number in [0, 1); tests pass a seeded one. */
  readonly random?: () => number;
  readonly onRetry?: (error: unknown, attempt: number, waitMs: number) => void;
}

/**
 * Runs `attempt` until it succeeds. Only errors that say `later` are tried again; the last error is
 * thrown as it came when attempts or time run out. Throws DEADLINE_EXCEEDED when there was no time for
 * one attempt, CANCELLED when the signal aborts between two (or its reason, if that is an error of ours).
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  options: RetryOptions,
  attempt: (attemptNumber: number) => Promise<T>,
): Promise<T> {
  const random = options.random ?? Math.random;
  let last: unknown = new PetrelError("DEADLINE_EXCEEDED", "no time was left for an attempt");
  for (let number = 1; ; number++) {
    if (options.signal.aborted) throw cancelled(options.signal);
    // A sleep may end late, and a clock may be set.
    if (options.clock.nowMs() >= options.deadlineMs) throw last;
    try {
      return await attempt(number);
    } catch (error) {
      const waitMs = random() * Math.min(policy.capMs, policy.firstMs * 2 ** (number - 1));
      const tooLate = options.clock.nowMs() + waitMs >= options.deadlineMs;
      if (!isRetryable(error) || number >= policy.attemptsMax || tooLate) throw error;
      options.onRetry?.(error, number, waitMs);
      last = error;
      await sleep(waitMs, options);
    }
  }
}

async function sleep(waitMs: number, { clock, signal }: RetryOptions): Promise<void> {
  try {
    await clock.sleep(waitMs, signal);
  } catch (error) {
    throw signal.aborted ? cancelled(signal) : error;
  }
}

function cancelled({ reason }: AbortSignal): PetrelError {
  return asPetrelError(reason, "CANCELLED", "between two attempts");
}
