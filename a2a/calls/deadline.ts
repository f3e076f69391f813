/** A deadline as an AbortSignal, on a clock that is passed in. It decides nothing but when to stop waiting. */
import { type Clock, PetrelError } from "../../core/mod.ts";

export interface DeadlineOptions {
  readonly clock: Clock;
  /** From now, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whose answer is waited for, such as `webhook`. */
  readonly what: string;
}

export interface Deadline extends Disposable {
  /** Aborts with DEADLINE_EXCEEDED when the time is up, and with the outer signal's reason. */
  readonly signal: AbortSignal;
}

/** Begins to count. Disposed, it leaves neither a timer nor a listener. */
export function startDeadline({ clock, timeoutMs, signal, what }: DeadlineOptions): Deadline {
  const ended = new AbortController();
  const over = new AbortController();
  const stop = () => ended.abort(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  clock.sleep(timeoutMs, over.signal).then(
    () => ended.abort(new PetrelError("DEADLINE_EXCEEDED", `${what}: no answer in time`)),
    () => {},
  );
  return {
    signal: ended.signal,
    [Symbol.dispose]: () => {
      over.abort();
      signal?.removeEventListener("abort", stop);
    },
  };
}
