/**
 * Which windows count as normal for logs. An incident that goes on is no part of it, or a fault would be
 * its own excuse after a few windows, and its end would be what stands out. Pure.
 */
import type { Window } from "../../core/mod.ts";
import { windowsBefore } from "./schedule.ts";

/** What goes on for longer than this has become usual. */
const LOOK_BACK_MS = 7 * 86_400_000;

/**
 * The last `count` windows before `window` in which no incident was, oldest first; fewer where there are
 * fewer within a week. The windows just before where there is none at all.
 */
export function normalBefore(
  window: Window,
  count: number,
  incidents: readonly Window[],
): Window[] {
  const lengthMs = window.endMs - window.startMs;
  const windows = Math.max(count, Math.floor(LOOK_BACK_MS / lengthMs));
  const normal: Window[] = [];
  for (let back = 1; back <= windows && normal.length < count; back++) {
    const startMs = window.startMs - back * lengthMs;
    const one = { startMs, endMs: startMs + lengthMs };
    if (!incidents.some((incident) => overlap(incident, one))) normal.unshift(one);
  }
  return normal.length > 0 ? normal : windowsBefore(window, count);
}

function overlap(a: Window, b: Window): boolean {
  return a.startMs < b.endMs && b.startMs < a.endMs;
}
