/** Retries with capped, jittered backoff ("full jitter"), inside a deadline. */
import type { Clock } from "./clock.ts";
import { isRetryable, PetrelError } from "./errors.ts";

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
 * thrown as it came when attempts or time run out.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  options: RetryOptions,
  attempt: (attemptNumber: number) => Promise<T>,
): Promise<T> {
  const random = options.random ?? Math.random;
  for (let number = 1; ; number++) {
    if (options.signal.aborted) throw new PetrelError("CANCELLED", "cancelled before an attempt");
    try {
      return await attempt(number);
    } catch (error) {
      const waitMs = random() * Math.min(policy.capMs, policy.firstMs * 2 ** (number - 1));
      const tooLate = options.clock.nowMs() + waitMs >= options.deadlineMs;
      if (!isRetryable(error) || number >= policy.attemptsMax || tooLate) throw error;
      options.onRetry?.(error, number, waitMs);
      await options.clock.sleep(waitMs, options.signal);
    }
  }
}
