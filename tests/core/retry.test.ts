import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  type Clock,
  PetrelError,
  type RetryOptions,
  type RetryPolicy,
  withRetry,
} from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const POLICY: RetryPolicy = { firstMs: 100, capMs: 1_000, attemptsMax: 5 };
const away = () => new PetrelError("UNAVAILABLE", "away");

/** A clock on which only sleeping, and what a test does to it, moves the hands. */
class HandClock implements Clock {
  ms = 0;
  readonly naps: number[] = [];
  readonly #oversleepMs: number;
  constructor(oversleepMs = 0) {
    this.#oversleepMs = oversleepMs;
  }
  nowMs(): number {
    return this.ms;
  }
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.naps.push(ms);
    this.ms += ms + this.#oversleepMs;
  }
}

function options(clock: Clock, more: Partial<RetryOptions> = {}): RetryOptions {
  const never = new AbortController().signal;
  return { clock, signal: never, deadlineMs: Number.POSITIVE_INFINITY, random: () => 0.5, ...more };
}

/** Fails as `failures` say, one after the other, then answers with the attempt's number. */
function failing(failures: readonly unknown[]) {
  const attempts: number[] = [];
  const attempt = async (number: number) => {
    attempts.push(number);
    if (number <= failures.length) throw failures[number - 1];
    return number;
  };
  return { attempts, attempt };
}

describe("what is tried again", () => {
  test("an error that says later, until it works", async () => {
    const { attempts, attempt } = failing([away(), new PetrelError("OVERLOADED", "busy")]);
    expect(await withRetry(POLICY, options(new HandClock()), attempt)).toBe(3);
    expect(attempts).toEqual([1, 2, 3]);
  });

  test("never an error that says never, nor one that is not ours", async () => {
    for (const error of [new PetrelError("UNAUTHENTICATED", "no"), new Error("odd"), "text"]) {
      const { attempts, attempt } = failing([error]);
      const outcome = await withRetry(POLICY, options(new HandClock()), attempt).catch((e) => e);
      expect(outcome).toBe(error);
      expect(attempts).toEqual([1]);
    }
  });

  test("not more often than attemptsMax; the last error comes out as it was", async () => {
    const errors = Array.from({ length: 9 }, away);
    const { attempts, attempt } = failing(errors);
    const seen: number[] = [];
    const onRetry = (_: unknown, number: number) => void seen.push(number);
    const run = withRetry(POLICY, options(new HandClock(), { onRetry }), attempt);
    expect(await failureOf(run)).toBe(errors[4] as PetrelError);
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
    expect(seen).toEqual([1, 2, 3, 4]);
  });
});

describe("waits", () => {
  test("double from the first, are capped, and keep inside the jitter", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 8 }),
      async (randoms) => {
        const clock = new HandClock();
        let next = 0;
        const random = () => randoms[next++ % randoms.length] ?? 0;
        const policy = { ...POLICY, attemptsMax: 8 };
        const { attempt } = failing(Array.from({ length: 8 }, away));
        await failureOf(withRetry(policy, options(clock, { random }), attempt));
        expect(clock.naps).toHaveLength(7);
        for (const [at, ms] of clock.naps.entries()) {
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThanOrEqual(Math.min(1_000, 100 * 2 ** at));
        }
      },
    );
    await fc.assert(property, { seed });
  });

  test("no attempt starts at or after the deadline, however long a sleep really takes", async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 0, max: 3_000 }),
      fc.integer({ min: 0, max: 500 }),
      fc.integer({ min: 0, max: 300 }),
      async (deadlineMs, oversleepMs, tookMs) => {
        const clock = new HandClock(oversleepMs);
        const starts: number[] = [];
        const attempt = async () => {
          starts.push(clock.ms);
          clock.ms += tookMs;
          throw away();
        };
        await failureOf(withRetry(POLICY, options(clock, { deadlineMs }), attempt));
        expect(starts.every((ms) => ms < deadlineMs)).toBe(true);
      },
    );
    await fc.assert(property, { seed });
  });

  test("without time for one attempt there is none", async () => {
    const { attempts, attempt } = failing([]);
    const error = await failureOf(
      withRetry(POLICY, options(new HandClock(), { deadlineMs: 0 }), attempt),
    );
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(attempts).toEqual([]);
  });
});

describe("cancelling", () => {
  test("before the first attempt", async () => {
    const { attempts, attempt } = failing([]);
    const signal = AbortSignal.abort();
    const error = await failureOf(withRetry(POLICY, options(new HandClock(), { signal }), attempt));
    expect(error.code).toBe("CANCELLED");
    expect(attempts).toEqual([]);
  });

  test("while it waits; a reason of ours is kept", async () => {
    const shutdown = new PetrelError("CANCELLED", "shutting down");
    for (const reason of [undefined, "enough", shutdown]) {
      const stop = new AbortController();
      const onRetry = () => stop.abort(reason);
      const { attempts, attempt } = failing([away(), away()]);
      const run = options(new HandClock(), { signal: stop.signal, onRetry });
      const error = await failureOf(withRetry(POLICY, run, attempt));
      expect(error.code).toBe("CANCELLED");
      if (reason === shutdown) expect(error).toBe(shutdown);
      expect(attempts).toEqual([1]);
    }
  });
});
