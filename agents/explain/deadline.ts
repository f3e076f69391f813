/** A bound on one wait, as a signal. It never outlives the wait: whoever makes it stops it. */
import { PetrelError } from "../../core/mod.ts";

/** A signal that aborts with DEADLINE_EXCEEDED after `ms`. The timer goes with `stop`. */
export function deadline(ms: number): { signal: AbortSignal; stop: () => void } {
  const late = new AbortController();
  const text = `no answer in ${Math.round(ms)} ms`;
  const timer = setTimeout(
    () => late.abort(new PetrelError("DEADLINE_EXCEEDED", text, { timeoutMs: ms })),
    Math.max(1, ms),
  );
  return { signal: late.signal, stop: () => clearTimeout(timer) };
}
