/**
 * Brings one notice to one sink: again and again while the sink says later, or refuses credentials, at most
 * for as long as the configuration allows. At least once, always under the same id; once, where the receiver
 * knows the id.
 */
import type { AlarmSink, Notice } from "../../alarms/mod.ts";
import {
  asPetrelError,
  type Clock,
  type Logger,
  messageOf,
  type PetrelError,
} from "../../core/mod.ts";

export interface DeliverOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** How long it is tried, milliseconds. */
  readonly retryForMs: number;
  /**
   * Whether it has still to be sent: a process that was held (paused, swapped out) may have been followed
   * by another meanwhile. Never rejects.
   */
  readonly isPending: () => Promise<boolean>;
}

const FIRST_WAIT_MS = 500;
const WAIT_MS_MAX = 30_000;
/** A sink that asks for more patience gets this much. */
const RETRY_AFTER_MS_MAX = 300_000;

export type Delivered =
  | { readonly state: "delivered" }
  | { readonly state: "dead"; readonly reason: string };

/** Rejects only when `signal` aborts: what was not sent then is still pending. */
export async function deliver(
  sink: AlarmSink,
  notice: Notice,
  { clock, log, retryForMs, isPending }: DeliverOptions,
  signal: AbortSignal,
): Promise<Delivered> {
  const deadlineMs = clock.nowMs() + retryForMs;
  let refusals = 0;
  for (let attempt = 1; ; attempt++) {
    if (!(await isPending())) return { state: "delivered" };
    const error = await attemptOf(sink, notice, signal, sink.timeoutMs);
    if (error === undefined) return { state: "delivered" };
    // Stopped, not refused: the next owner sends it.
    signal.throwIfAborted();
    const failure = asPetrelError(error, "INTERNAL", `sink ${sink.name}`);
    if (failure.code === "UNAUTHENTICATED") refusals++;
    // Some systems lock an account after a few wrong passwords.
    const waitMs = refusals > 1 ? RETRY_AFTER_MS_MAX : waitOf(attempt, failure.fields);
    const again = isWorthAnother(failure) && clock.nowMs() + waitMs < deadlineMs;
    const told = { sink: sink.name, noticeId: notice.id, attempt, error };
    log[again ? "warn" : "error"](again ? "alarm.not_sent" : "alarm.dead", told);
    if (!again) return { state: "dead", reason: messageOf(error) };
    await clock.sleep(waitMs, signal);
  }
}

/** Whether another attempt may fare better: credentials that are refused are being rotated, more often than not. */
export function isWorthAnother({ retry, code }: PetrelError): boolean {
  return retry === "later" || code === "UNAUTHENTICATED";
}

/**
 * One attempt; a sink that ignores its own deadline is left alone after it. Resolves with what went wrong,
 * if anything did.
 */
export async function attemptOf(
  sink: AlarmSink,
  notice: Notice,
  stop: AbortSignal,
  timeoutMs: number,
): Promise<unknown> {
  const late = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([stop, late]);
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(either.reason);
  either.addEventListener("abort", abort, { once: true });
  try {
    either.throwIfAborted();
    await Promise.race([sink.send(notice, either), aborted.promise]);
    return undefined;
  } catch (error) {
    return error ?? new Error("a sink failed without a word");
  } finally {
    either.removeEventListener("abort", abort);
  }
}

function waitOf(attempt: number, { retryAfterMs: asked }: PetrelError["fields"]): number {
  const capMs = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** (attempt - 1));
  const ownMs = capMs * (0.5 + Math.random() / 2);
  return typeof asked === "number" && asked > ownMs ? Math.min(asked, RETRY_AFTER_MS_MAX) : ownMs;
}
