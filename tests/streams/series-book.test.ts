import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Series, SeriesBook, seriesKey } from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20_260_101);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

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

describe("SeriesBook", () => {
  test("what was never seen is stranger than what was, and a window read again is not learnt twice", () => {
    const book = new SeriesBook();
    const before = run(book, DAYS);
    const [window] = windows(1, 72);
    if (window === undefined) throw new Error("no window");
    const strange = series({ fromMs: window.startMs, toMs: window.endMs + 1 }, () => 95);
    const first = book.read([strange], window).readings.get(seriesKey(strange))?.score ?? 0;
    expect(first).toBeGreaterThan(Math.max(...before.slice(288)));
    expect(book.read([strange], window).readings.size).toBe(0);
  });

  test("goes on after a restart as if there had been none", () => {
    const [one, two] = [new SeriesBook(), new SeriesBook()];
    run(one, 288);
    const saved = one.save("pay");
    if (saved === undefined) throw new Error("nothing saved");
    two.load(saved);
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

  test.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["no gzip", new TextEncoder().encode("{}")],
    ["another version", Bun.gzipSync(JSON.stringify({ version: 9, service: "a", series: [] }))],
    [
      "a state that is none",
      Bun.gzipSync(
        JSON.stringify({
          version: 1,
          service: "a",
          series: [{ key: "k", firstMs: 0, lastMs: 1, state: 7 }],
        }),
      ),
    ],
  ])("%s is refused, and nothing of it taken", (_what, bytes) => {
    const book = new SeriesBook();
    expect(() => book.load(bytes)).toThrow(expect.objectContaining({ code: "PROTOCOL_VIOLATION" }));
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
      const saved = book.save("s");
      if (saved !== undefined) book.load(saved);
    });
    fc.assert(property, { seed, numRuns: 50 });
  });
});
