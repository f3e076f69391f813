import { describe, expect, test } from "bun:test";
import { systemClock } from "../../core/mod.ts";

const outcome = (sleep: Promise<void>) =>
  sleep.then(
    () => "slept",
    (error: unknown) => error,
  );

describe("systemClock.sleep", () => {
  test("resolves; a wait of nothing or less does too", async () => {
    expect(await outcome(systemClock.sleep(1))).toBe("slept");
    expect(await outcome(systemClock.sleep(0))).toBe("slept");
    expect(await outcome(systemClock.sleep(-5))).toBe("slept");
  });

  test("rejects with the signal's own reason, before and during the wait", async () => {
    const reason = new Error("enough");
    expect(await outcome(systemClock.sleep(600_000, AbortSignal.abort(reason)))).toBe(reason);
    const stop = new AbortController();
    const sleeping = outcome(systemClock.sleep(600_000, stop.signal));
    stop.abort(reason);
    expect(await sleeping).toBe(reason);
  });

  test("a wait longer than a timer can count does not end at once", async () => {
    const stop = new AbortController();
    const long = outcome(systemClock.sleep(2 ** 31 + 5_000, stop.signal));
    const first = await Promise.race([long, systemClock.sleep(20).then(() => "the short one")]);
    stop.abort("enough");
    expect(first).toBe("the short one");
    expect(await long).toBe("enough");
  });
});
