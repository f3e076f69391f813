/**
 * How unlikely a finding must be to alarm, from the false alarms a user accepts, and the score that says
 * so. It never looks at a series.
 */
import type { Window } from "../../core/mod.ts";
import { commonScore } from "../stats.ts";

/** False alarms accepted: alarmed windows a day for every {@link SERVICES_UNIT} services. */
export const FALSE_ALARMS_PER_DAY = 1;
const SERVICES_UNIT = 50;
const DAY_MS = 24 * 3_600_000;

/** Score at which chance has become as unlikely as asked for: `beyond doubt` on the common scale. */
export const ALARM_SCORE = 10;

/**
 * The p-value at which one of `tests` series of a service alarms, so that all windows of a day together
 * keep to the rate (Bonferroni's correction over services, windows and series). In (0, 1).
 */
export function alarmP(
  window: Window,
  tests: number,
  falseAlarmsPerDay: number = FALSE_ALARMS_PER_DAY,
): number {
  const length = Math.max(1_000, window.endMs - window.startMs);
  const perService = (falseAlarmsPerDay * length) / (DAY_MS * SERVICES_UNIT);
  return Math.min(0.1, Math.max(1e-300, perService / Math.max(1, tests)));
}

/**
 * Surprise on the common scale: 0 for p = 1, {@link ALARM_SCORE} at the alarm's p, in between and beyond in
 * proportion to log p. So a score of 5 is chance once in the square root of what 10 is.
 */
export function surprise(p: number, alarm: number): number {
  return commonScore((ALARM_SCORE * Math.log(Math.max(p, 1e-300))) / Math.log(alarm));
}
