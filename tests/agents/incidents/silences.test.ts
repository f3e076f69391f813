/** How many silences there may be: those that are over, and kept for windows that are caught up, do not count. */
import { expect, test } from "bun:test";
import { SILENCES_MAX } from "../../../agents/incidents/book.ts";
import { withSilence } from "../../../agents/incidents/silences.ts";
import type { Silence } from "../../../agents/mod.ts";

const NOW_MS = Date.parse("2026-11-30T04:00:00Z");
const HOUR_MS = 3_600_000;

function silence(id: string, untilMs: number, comment = "c"): Silence {
  const matchers = [{ field: "service" as const, isEqual: true, value: "payment-*" }];
  const [from, until] = [untilMs - HOUR_MS, untilMs].map((ms) => new Date(ms).toISOString());
  return { id, matchers, from: from ?? "", until: until ?? "", by: "me", comment };
}

const many = (count: number, untilMs: (at: number) => number, comment?: string) =>
  Array.from({ length: count }, (_, at) => silence(`s${at}`, untilMs(at), comment));
const made = silence("made", NOW_MS + HOUR_MS);

test("silences that are over make room, longest over first, and no more than it takes", () => {
  const over = many(SILENCES_MAX - 1, (at) => NOW_MS - at * 1_000);
  const one = withSilence(over, made, NOW_MS);
  expect(one).toHaveLength(SILENCES_MAX);
  const two = withSilence(one, { ...made, id: "next" }, NOW_MS);
  expect(two).toHaveLength(SILENCES_MAX);
  const ids = two.map(({ id }) => id);
  expect(ids).not.toContain(`s${SILENCES_MAX - 2}`);
  expect(ids).toContain("s0");
  expect(ids.slice(-2)).toEqual(["made", "next"]);
});

test("they make room by weight too", () => {
  const over = many(200, (at) => NOW_MS - at * 1_000, "x".repeat(500));
  const next = withSilence(over, made, NOW_MS);
  expect(next.length).toBeGreaterThan(100);
  expect(next.length).toBeLessThan(SILENCES_MAX);
  expect(next.at(-1)).toEqual(made);
});

test("those that hold, or will, stay: one more is refused", () => {
  const holding = many(SILENCES_MAX, (at) => NOW_MS + 1 + at * HOUR_MS);
  expect(() => withSilence(holding, made, NOW_MS)).toThrow("there are 200 silences already");
  const [, ...others] = holding;
  expect(withSilence(others, made, NOW_MS)).toEqual([...others, made]);
});
