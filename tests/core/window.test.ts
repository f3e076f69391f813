import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  formatWindow,
  isSubjectToken,
  lastCompleteWindow,
  parseDurationMs,
  parseInstantMs,
  type Window,
  windowId,
  windowToJson,
} from "../../core/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const nowMs = fc.integer({ min: 0, max: 4_102_444_800_000 });
const everyMs = fc.integer({ min: 1, max: 86_400_000 });

describe("durations", () => {
  test("one unit or several", () => {
    expect(parseDurationMs("250ms")).toBe(250);
    expect(parseDurationMs("90s")).toBe(90_000);
    expect(parseDurationMs("5m")).toBe(300_000);
    expect(parseDurationMs("1h30m")).toBe(5_400_000);
    expect(parseDurationMs("1.5h")).toBe(5_400_000);
    expect(parseDurationMs("2d")).toBe(172_800_000);
  });

  test("anything else is refused, and the error names the place", () => {
    for (const text of ["", "5", "m", "5 m", "-5m", "5m!", "5mm", "1e3s", "5M", "٥m"]) {
      expect(() => parseDurationMs(text, "sre.every")).toThrow(/^sre\.every: /);
    }
    const endless = `${"9".repeat(400)}d`;
    expect(() => parseDurationMs(endless)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });

  test("parts add up in any order", () => {
    const part = fc.tuple(fc.nat(10_000), fc.constantFrom("ms", "s", "m", "h", "d"));
    const property = fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const texts = parts.map(([count, unit]) => `${count}${unit}`);
      const sum = texts.reduce((ms, text) => ms + parseDurationMs(text), 0);
      expect(parseDurationMs(texts.join(""))).toBe(sum);
      expect(parseDurationMs(texts.toReversed().join(""))).toBe(sum);
    });
    fc.assert(property, { seed });
  });
});

describe("instants", () => {
  test("ISO 8601 with a zone, or milliseconds", () => {
    const ms = Date.UTC(2026, 0, 29, 8, 45);
    expect(parseInstantMs("2026-01-29T08:45:00Z")).toBe(ms);
    expect(parseInstantMs("2026-01-29T08:45Z")).toBe(ms);
    expect(parseInstantMs("2026-01-29 08:45:00.000Z")).toBe(ms);
    expect(parseInstantMs("2026-01-29T14:15:00+05:30")).toBe(ms);
    expect(parseInstantMs(String(ms))).toBe(ms);
    expect(parseInstantMs("2024-02-29T00:00:00Z")).toBe(Date.UTC(2024, 1, 29));
  });

  test("without a zone, without sense, or on a day that is not: refused", () => {
    const refused = [
      "2026-01-29T08:45:00",
      "2026-01-29",
      "yesterday",
      "",
      "1706517900",
      "2026 Z",
      "2026-02-30T00:00:00Z",
      "2023-02-29T00:00:00Z",
      "2026-13-01T00:00:00Z",
      "2026-01-29T25:00:00Z",
      "Jan 29 2026 10:00 Z",
      "2026-01-29T08:45:00Z\n",
    ];
    for (const text of refused) {
      const parse = () => parseInstantMs(text, "--from");
      expect(parse, text).toThrow(expect.objectContaining({ code: "USAGE" }));
      expect(parse).toThrow(/^--from: /);
    }
  });

  test("what windowToJson writes is read back", () => {
    const property = fc.property(nowMs, everyMs, (now, every) => {
      const window = { startMs: now, endMs: now + every };
      const json = windowToJson(window);
      expect(parseInstantMs(json.start)).toBe(window.startMs);
      expect(parseInstantMs(json.end)).toBe(window.endMs);
    });
    fc.assert(property, { seed });
  });
});

describe("the last complete window", () => {
  test("is aligned, of full length, over, and the newest that is", () => {
    const property = fc.property(nowMs, everyMs, (now, every) => {
      const { startMs, endMs } = lastCompleteWindow(now, every);
      expect(endMs - startMs).toBe(every);
      expect(Math.abs(endMs % every)).toBe(0);
      expect(endMs).toBeLessThanOrEqual(now);
      expect(endMs + every).toBeGreaterThan(now);
    });
    fc.assert(property, { seed });
  });

  test("windows tile: one's end is the next one's start", () => {
    const property = fc.property(nowMs, everyMs, (now, every) => {
      const window = lastCompleteWindow(now, every);
      const next = lastCompleteWindow(now + every, every);
      expect(next.startMs).toBe(window.endMs);
      expect(lastCompleteWindow(window.endMs, every)).toEqual(window);
      expect(lastCompleteWindow(next.endMs - 1, every)).toEqual(window);
    });
    fc.assert(property, { seed });
  });
});

describe("windowId", () => {
  test("reads as start and length", () => {
    const startMs = Date.UTC(2023, 0, 29, 8, 43);
    expect(windowId({ startMs, endMs: startMs + 300_000 })).toBe("20230129T084300Z-300s");
    expect(windowId({ startMs: startMs + 250, endMs: startMs + 500 })).toBe(
      "20230129T084300_250Z-0_25s",
    );
  });

  const window = fc
    .tuple(nowMs, everyMs)
    .map(([startMs, lengthMs]): Window => ({ startMs, endMs: startMs + lengthMs }));

  test("is one token, and another for every other window", () => {
    const property = fc.property(window, fc.nat(2_000), fc.nat(2_000), (one, shift, longer) => {
      const other = { startMs: one.startMs + shift, endMs: one.endMs + shift + longer };
      expect(isSubjectToken(windowId(one))).toBe(true);
      expect(windowId(one) === windowId(other)).toBe(shift === 0 && longer === 0);
    });
    fc.assert(property, { seed });
  });
});

test("formatWindow shows seconds only when they matter", () => {
  const startMs = Date.UTC(2023, 0, 29, 8, 43);
  expect(formatWindow({ startMs, endMs: startMs + 300_000 })).toBe("08:43–08:48");
  expect(formatWindow({ startMs, endMs: startMs + 90_000 })).toBe("08:43–08:44:30");
});
