/** Waiting for what happens when it happens. Never a wait of a fixed length, never a measurement. */
import { systemClock } from "../../core/mod.ts";

const DEADLINE_MS = 20_000;
const EVERY_MS = 20;

/** Polls until `check` holds; the deadline is the test's failure, not a figure. */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = systemClock.nowMs() + DEADLINE_MS;
  while (!(await check())) {
    if (systemClock.nowMs() > deadline) throw new Error(`never: ${what}`);
    await systemClock.sleep(EVERY_MS);
  }
}
