/**
 * When windows open: aligned to the epoch, the same on every host, so that several SRE agents name a
 * window alike and only one takes it. Windows missed while nobody ran are caught up, oldest first.
 */
import { type Clock, type Logger, lastCompleteWindow, type Window } from "../../core/mod.ts";

export interface ScheduleOptions {
  readonly clock: Clock;
  readonly everyMs: number;
  /** Wait after a window's end until its logs and samples have arrived. */
  readonly settleMs: number;
  /** Windows looked back for when starting. */
  readonly catchUpMax: number;
  readonly log?: Logger;
}

/** Windows ever owed at once. A clock set forward by more than that skips the rest, and says so. */
const BACKLOG_MAX = 288;

/** Yields each window once it has settled, until `signal` aborts. Never two at once, never one twice. */
export async function* windowsAsTheyEnd(
  options: ScheduleOptions,
  signal: AbortSignal,
): AsyncGenerator<Window> {
  const { clock, everyMs, settleMs, catchUpMax } = options;
  const latest = lastCompleteWindow(clock.nowMs() - settleMs, everyMs);
  let endMs = latest.endMs - (catchUpMax - 1) * everyMs;
  while (!signal.aborted) {
    const readyMs = endMs + settleMs;
    const waitMs = readyMs - clock.nowMs();
    if (waitMs > 0) {
      // Short naps: a clock that is set while we sleep is noticed.
      await clock.sleep(Math.min(waitMs, 10_000), signal).catch(() => {});
      continue;
    }
    const owed = Math.floor(-waitMs / everyMs);
    if (owed > BACKLOG_MAX) {
      const skipped = owed - BACKLOG_MAX;
      options.log?.warn("windows.skipped", { skipped });
      endMs += skipped * everyMs;
    }
    yield { startMs: endMs - everyMs, endMs };
    endMs += everyMs;
  }
}

/** The windows just before one, oldest first: what counts as normal when nothing else is said. */
export function windowsBefore(window: Window, count: number): Window[] {
  const lengthMs = window.endMs - window.startMs;
  return Array.from({ length: count }, (_, index) => {
    const startMs = window.startMs - (count - index) * lengthMs;
    return { startMs, endMs: startMs + lengthMs };
  });
}
