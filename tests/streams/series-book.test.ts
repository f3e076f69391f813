import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Series, SeriesBook, SeriesDetector, seriesKey } from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20_260_101);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A gauge sampled each minute of `[fromMs, toMs)`. */
function series(
  part: { service?: string; metric?: string; fromMs: number; toMs: number },
  valueAt: (timeMs: number) => number,
): Series {
  const { service = "pay", metric = "cpu", fromMs, toMs } = part;
  const timesMs: number[] = [];
  for (let at = fromMs; at < toMs; at += MINUTE_MS) timesMs.push(at);
  return { service, metric, unit: "%", timesMs, values: timesMs.map(valueAt) };
}

const usual = (timeMs: number) => 20 + 3 * Math.sin(timeMs / 977) + (timeMs % 7_919) / 7_919;

/** Windows of five minutes from `fromHour` on, each with half an hour before it. */
function* windows(count: number, fromHour = 0) {
  for (let at = 0; at < count; at++) {
    const startMs = fromHour * HOUR_MS + at * 5 * MINUTE_MS;
    yield { startMs, endMs: startMs + 5 * MINUTE_MS };
  }
}

function run(book: SeriesBook, count: number, fromHour = 0, valueAt = usual): number[] {
  return [...windows(count, fromHour)].map((window) => {
    const part = { fromMs: window.startMs - 30 * MINUTE_MS, toMs: window.endMs + 1 };
    const one = series(part, valueAt);
    return book.read([one], window).readings.get(seriesKey(one))?.score ?? -1;
  });
}

const DAYS = 3 * 288;

/** A part of service `a` as a store may hold it: right, but for what is given. */
function stored(part: object, change: object = {}): Uint8Array {
  const state = new SeriesDetector().snapshot();
  const right = { key: "a\n\ncpu", firstMs: 0, lastMs: 1, episodes: [], state };
  const one = { version: 2, service: "a", parts: 1, series: [{ ...right, ...change }] };
  return Bun.gzipSync(JSON.stringify({ ...one, ...part }));
}

describe("SeriesBook", () => {
  test("what was never seen is stranger than what was, and a window read again gets the same answer", () => {
    const book = new SeriesBook();
    const before = run(book, DAYS);
    const [window] = windows(1, 72);
    if (window === undefined) throw new Error("no window");
    const strange = series({ fromMs: window.startMs, toMs: window.endMs + 1 }, () => 95);
    const first = book.read([strange], window);
    const score = first.readings.get(seriesKey(strange))?.score ?? 0;
    expect(score).toBeGreaterThan(Math.max(...before.slice(288)));
    expect(book.read([strange], window)).toEqual(first);
  });

  test("goes on after a restart as if there had been none", () => {
    const [one, two] = [new SeriesBook(), new SeriesBook()];
    run(one, 288);
    for (const part of one.save("pay", DAY_MS)) two.load("pay", part);
    expect(two.size).toBe(1);
    expect(run(two, 50, 24)).toEqual(run(one, 50, 24));
  });

  test("is bounded: those asked for keep their place, those nobody asks for lose it", () => {
    const book = new SeriesBook(3);
    const many = (names: readonly string[]) =>
      names.map((service) => series({ service, fromMs: 0, toMs: HOUR_MS }, usual));
    const [window] = windows(1);
    if (window === undefined) throw new Error("no window");
    expect(book.read(many(["a", "b", "c", "d", "e"]), window).left).toBe(2);
    expect(book.services).toEqual(["a", "b", "c"]);
    expect(book.read(many(["c", "d"]), window).left).toBe(0);
    expect(book.services.sort()).toEqual(["b", "c", "d"]);
  });

  test("two series with one key: the second is counted as left", () => {
    const [window] = windows(1);
    if (window === undefined) throw new Error("no window");
    const one = series({ fromMs: 0, toMs: HOUR_MS }, usual);
    const two = series({ fromMs: 0, toMs: HOUR_MS }, () => 95);
    const book = new SeriesBook();
    expect(book.read([one, two], window)).toEqual({
      ...new SeriesBook().read([one], window),
      left: 1,
    });
    expect(book.size).toBe(1);
  });

  test("a large service is stored in parts below a megabyte, without those gone for a day", () => {
    const window = { startMs: 2 * DAY_MS, endMs: 2 * DAY_MS + 5 * MINUTE_MS };
    const book = new SeriesBook();
    const many = Array.from({ length: 150 }, (_, at) => ({
      ...series({ fromMs: 0, toMs: at === 0 ? HOUR_MS : window.endMs }, usual),
      instance: `i${at}`,
    }));
    book.read(many, window);
    const parts = [...book.save("pay", window.endMs)];
    expect(parts).toHaveLength(3);
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThan(900_000);
    const other = new SeriesBook();
    expect(parts.map((part) => other.load("pay", part))).toEqual([3, 3, 3]);
    expect(other.size).toBe(149);
    expect([...book.save("pay", 9 * DAY_MS)]).toEqual([]);
  });

  test("what is live is not replaced, and what is asked for finds a place among what nobody asks for", () => {
    const book = new SeriesBook(2);
    expect(book.load("a", stored({}))).toBe(1);
    const window = { startMs: 0, endMs: HOUR_MS };
    const own = { ...series({ service: "a", fromMs: 0, toMs: HOUR_MS }, usual) };
    const before = book.read([own], window);
    book.load("a", stored({}, { lastMs: 99 * DAY_MS }));
    expect(book.read([own], window)).toEqual(before);
    book.read([series({ service: "b", fromMs: 0, toMs: HOUR_MS }, usual)], window);
    const key = "a\n\nlatency";
    book.load("a", stored({}, { key }));
    expect([...book.services].sort()).toEqual(["a", "b"]);
    book.load("a", stored({}, { key }), new Set([key, "b\n\ncpu"]));
    book.load("c", stored({ service: "c" }, { key: "c\n\ncpu" }), new Set([key, "c\n\ncpu"]));
    expect([...book.services].sort()).toEqual(["a", "c"]);
  });

  test.each<[string, Uint8Array]>([
    ["a right one but for its end", stored({}).slice(0, -20)],
    ["nothing", new Uint8Array()],
    ["no gzip", new TextEncoder().encode("{}")],
    ["another version", stored({ version: 9 })],
    ["another service", stored({ service: "b" })],
    ["no number of parts", stored({ parts: 0 })],
    ["a series of another service", stored({}, { key: "other\n\ncpu" })],
    ["a service whose name only begins so", stored({}, { key: "ab\n\ncpu" })],
    ["a time before all time", stored({}, { firstMs: -1 })],
    ["a time that is no date", stored({}, { lastMs: 1e300 })],
    ["an end before the beginning", stored({}, { firstMs: 9 })],
    ["an episode that is none", stored({}, { episodes: [[1, -1]] })],
    ["a state that is none", stored({}, { state: 7 })],
  ])("%s is refused, and nothing of it taken", (_what, bytes) => {
    const book = new SeriesBook();
    expect(() => book.load("a", bytes)).toThrow(
      expect.objectContaining({ code: "PROTOCOL_VIOLATION" }),
    );
    expect(book.size).toBe(0);
  });

  test("whatever values come, a score is a number from 0 to 1", () => {
    const value = fc.oneof(
      fc.double(),
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1e308, 0),
    );
    const property = fc.property(fc.array(value, { maxLength: 300 }), (values) => {
      const book = new SeriesBook();
      const one: Series = {
        service: "s",
        metric: "m",
        unit: "",
        timesMs: values.map((_, at) => at * MINUTE_MS),
        values,
      };
      const { readings } = book.read([one], { startMs: 0, endMs: 400 * MINUTE_MS });
      for (const { score } of readings.values()) {
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
      }
      for (const part of book.save("s", 0)) new SeriesBook().load("s", part);
    });
    fc.assert(property, { seed, numRuns: 50 });
  });
});
