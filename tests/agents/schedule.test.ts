import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  type ScheduleOptions,
  windowsAsTheyEnd,
  windowsBefore,
} from "../../agents/sre/schedule.ts";
import type { Window } from "../../core/mod.ts";
import { HandClock, MINUTE_MS, START_MS } from "./verdict-fixtures.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const HOUR_MS = 60 * MINUTE_MS;
const SETTLE_MS = 20_000;

/** Somebody sets the clock, forwards or back, after so many naps. */
class SetClock extends HandClock {
  readonly #jumps: ReadonlyMap<number, number>;

  constructor(ms: number, jumps: ReadonlyMap<number, number>) {
    super(ms);
    this.#jumps = jumps;
  }

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await super.sleep(ms, signal);
    this.ms += this.#jumps.get(this.naps.length) ?? 0;
  }
}

async function take(
  count: number,
  clock: HandClock,
  more: Partial<ScheduleOptions> = {},
  seen: (window: Window) => void = () => {},
): Promise<Window[]> {
  const stop = new AbortController();
  const all: Window[] = [];
  const options = { clock, everyMs: 5 * MINUTE_MS, settleMs: SETTLE_MS, catchUpMax: 1, ...more };
  for await (const window of windowsAsTheyEnd(options, stop.signal)) {
    seen(window);
    all.push(window);
    if (all.length === count) stop.abort();
  }
  return all;
}

/** Each begins where the one before it ended: none twice, none left out. */
function expectTiled(windows: readonly Window[]): void {
  for (const [at, window] of windows.entries()) {
    expect(window.endMs - window.startMs).toBe(5 * MINUTE_MS);
    if (at > 0) expect(window.startMs).toBe(windows[at - 1]?.endMs ?? Number.NaN);
  }
}

describe("windows as they end", () => {
  test("the first is the last that has settled; the next ones come when they have", async () => {
    const clock = new HandClock(START_MS + 90_000);
    const late: number[] = [];
    const all = await take(3, clock, {}, ({ endMs }) => late.push(clock.ms - endMs));
    expect(all[0]?.endMs).toBe(START_MS);
    expect(late).toEqual([90_000, SETTLE_MS, SETTLE_MS]);
    expectTiled(all);
  });

  test("a window that has ended but not settled is waited for", async () => {
    const clock = new HandClock(START_MS + SETTLE_MS - 1);
    const [first, second] = await take(2, clock);
    expect(first?.endMs).toBe(START_MS - 5 * MINUTE_MS);
    expect(second?.endMs).toBe(START_MS);
    expect(clock.ms).toBe(START_MS + SETTLE_MS);
  });

  test("missed windows are caught up, oldest first, and no more than asked", async () => {
    const clock = new HandClock(START_MS + SETTLE_MS);
    const all = await take(3, clock, { catchUpMax: 3 });
    expect(all.map(({ endMs }) => (endMs - START_MS) / MINUTE_MS)).toEqual([-10, -5, 0]);
    expect(clock.naps).toEqual([]);
  });

  test("a slow reader misses none", async () => {
    const clock = new HandClock();
    const all = await take(6, clock, {}, () => {
      clock.ms += 12 * MINUTE_MS;
    });
    expectTiled(all);
  });

  test("ends when told, before the first window and while it waits", async () => {
    const options = { clock: new HandClock(), everyMs: 1_000, settleMs: 0, catchUpMax: 1 };
    expect(await Array.fromAsync(windowsAsTheyEnd(options, AbortSignal.abort()))).toEqual([]);
    const stop = new AbortController();
    const clock = new HandClock(START_MS + SETTLE_MS);
    clock.sleep = (_, signal) => {
      stop.abort();
      return Promise.reject(signal?.reason as Error);
    };
    const windows = windowsAsTheyEnd({ ...options, clock, everyMs: HOUR_MS }, stop.signal);
    expect((await Array.fromAsync(windows)).length).toBe(1);
  });
});

describe("a clock that is set", () => {
  test("eight hours forward: every window of them is handed out, once", async () => {
    const clock = new SetClock(START_MS, new Map([[4, 8 * HOUR_MS]]));
    const all = await take(100, clock);
    expectTiled(all);
    expect(all.at(-1)?.endMs).toBeLessThanOrEqual(clock.ms - SETTLE_MS);
  });

  test("eight hours back: none comes again, and the next comes in its time", async () => {
    const clock = new SetClock(START_MS, new Map([[4, -8 * HOUR_MS]]));
    const all = await take(4, clock);
    expectTiled(all);
    expect(clock.naps.every((ms) => ms <= 10_000)).toBe(true);
  });

  test("eight hours forward and back again while it waits: none twice, none left out", async () => {
    const jumps = new Map([
      [4, 8 * HOUR_MS],
      [5, -8 * HOUR_MS],
    ]);
    const all = await take(100, new SetClock(START_MS, jumps));
    expect(all).toHaveLength(100);
    expectTiled(all);
  });

  test("in any way: windows tile, and none is handed out before the clock says it settled", async () => {
    const jump = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: -8, max: 8 }));
    const property = fc.asyncProperty(fc.array(jump, { maxLength: 5 }), async (jumps) => {
      const clock = new SetClock(START_MS, new Map(jumps.map(([at, h]) => [at, h * HOUR_MS])));
      const early: Window[] = [];
      const all = await take(30, clock, {}, (window) => {
        if (clock.ms < window.endMs + SETTLE_MS) early.push(window);
      });
      expect(all).toHaveLength(30);
      expect(early).toEqual([]);
      expectTiled(all);
    });
    await fc.assert(property, { seed, numRuns: 50 });
  });
});

test("windowsBefore: as long, oldest first, up to the window", () => {
  const window = { startMs: START_MS, endMs: START_MS + 5 * MINUTE_MS };
  const before = windowsBefore(window, 3);
  expect(before).toHaveLength(3);
  expectTiled([...before, window]);
  expect(windowsBefore(window, 0)).toEqual([]);
});
