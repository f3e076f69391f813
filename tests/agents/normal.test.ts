/** What counts as normal while an incident goes on: never the incident itself. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { normalBefore } from "../../agents/sre/normal.ts";
import type { Window } from "../../core/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const MINUTE_MS = 60_000;
const LENGTH_MS = 5 * MINUTE_MS;
const DAY_MS = 86_400_000;
const windowAt = (minute: number): Window => {
  const startMs = Date.UTC(2026, 2, 13) + minute * MINUTE_MS;
  return { startMs, endMs: startMs + LENGTH_MS };
};
const NOW = windowAt(600);
const incident = (fromMinute: number, toMinute: number): Window => {
  return { startMs: windowAt(fromMinute).startMs, endMs: windowAt(toMinute).startMs };
};

describe("the windows that count as normal", () => {
  test("without an incident they are those just before", () => {
    expect(normalBefore(NOW, 3, [])).toEqual([windowAt(585), windowAt(590), windowAt(595)]);
    expect(normalBefore(NOW, 0, [])).toEqual([]);
  });

  test("one that goes on is left out, however long it lasts", () => {
    const lasting = [incident(500, 600)];
    expect(normalBefore(NOW, 3, lasting)).toEqual([windowAt(485), windowAt(490), windowAt(495)]);
  });

  test("one that is over is left out too, and what came after it counts", () => {
    const over = [incident(575, 590)];
    expect(normalBefore(NOW, 3, over)).toEqual([windowAt(570), windowAt(590), windowAt(595)]);
  });

  test("windows that lie across its ends are part of it", () => {
    const across = [incident(588, 592)];
    expect(normalBefore(NOW, 3, across)).toEqual([windowAt(575), windowAt(580), windowAt(595)]);
  });

  test("what has gone on for a week has become usual", () => {
    const usual = [{ startMs: NOW.startMs - 8 * DAY_MS, endMs: NOW.startMs }];
    expect(normalBefore(NOW, 3, usual)).toEqual([windowAt(585), windowAt(590), windowAt(595)]);
  });

  test("whatever the incidents: in order, before the window, apart from each other and from them", () => {
    const minutes = fc.integer({ min: -300, max: 650 });
    const some = fc.array(fc.tuple(minutes, fc.integer({ min: 1, max: 400 })), { maxLength: 6 });
    const property = fc.property(some, fc.integer({ min: 1, max: 20 }), (spans, count) => {
      const incidents = spans.map(([from, length]) => incident(from, from + length));
      const normal = normalBefore(NOW, count, incidents);
      expect(normal.length).toBeGreaterThan(0);
      expect(normal.length).toBeLessThanOrEqual(count);
      expect(normal.every(({ endMs }) => endMs <= NOW.startMs)).toBe(true);
      for (const [at, one] of normal.entries()) {
        expect(one.endMs - one.startMs).toBe(LENGTH_MS);
        expect(one.startMs).toBeGreaterThanOrEqual(normal[at - 1]?.endMs ?? 0);
        expect(incidents.some((i) => i.startMs < one.endMs && one.startMs < i.endMs)).toBe(false);
      }
    });
    fc.assert(property, { seed });
  });
});
