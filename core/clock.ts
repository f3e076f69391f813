/**
 * Time, passed in. Production uses {@link systemClock}; tests pass a clock they move by hand.
 * Nothing outside this file calls `Date.now` or `setTimeout` for business decisions.
 */

export interface Clock {
  /** Milliseconds since the Unix epoch, UTC. */
  nowMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A timer counts to 2^31 - 1; asked for more it fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async (ms, signal) => {
    for (let leftMs = ms; ; leftMs -= TIMER_MS_MAX) {
      await timer(Math.max(0, Math.min(leftMs, TIMER_MS_MAX)), signal);
      if (!(leftMs > TIMER_MS_MAX)) return;
    }
  },
};

function timer(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const done = () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    };
    const stop = () => {
      clearTimeout(handle);
      reject(signal?.reason);
    };
    const handle = setTimeout(done, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
