/** A recording that lasts: the same lines and samples under other times, and nothing else. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { lastingRecording, type Recording, type SimRow, type Stretch } from "../../sim/mod.ts";
import { collectRows, timeMsOfRow } from "./replay-support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const START_MS = Date.UTC(2026, 2, 13, 14, 20);
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const TRACE = "0123456789abcdef0123456789abcdef";

const at = (second: number) => START_MS + second * SECOND_MS;
const stretch = (atSecond: number, from: number, to: number): Stretch => {
  return { atMs: at(atSecond), from: { startMs: at(from), endMs: at(to) } };
};

function rowAt(second: number, text: string): SimRow {
  const time = new Date(at(second)).toISOString();
  return { _time: `${time.slice(0, 10)} ${time.slice(11, 23)} GMT`, _raw: text, pod: "a-1" };
}

/** A line a second for two minutes, and the metrics given. */
function recordingOf(textOf: (second: number) => string, metrics = "# EOF\n"): Recording {
  const rows = Array.from({ length: 120 }, (_, second) => rowAt(second, textOf(second)));
  return {
    name: "made",
    windows: [],
    async *logRows({ earliestMs, latestMs }) {
      const wanted = rows.filter((row) => {
        const timeMs = timeMsOfRow(row);
        return timeMs >= earliestMs && timeMs < latestMs;
      });
      yield wanted.reverse();
    },
    async *openMetrics() {
      yield metrics.slice(0, 30);
      yield metrics.slice(30);
    },
  };
}

const everything = { earliestMs: 0, latestMs: Number.MAX_SAFE_INTEGER };

describe("rows", () => {
  const plain = recordingOf((second) => `line ${second}`);
  const logs = [stretch(600, 10, 20), stretch(610, 10, 20), stretch(700, 0, 5)];
  const lasting = lastingRecording(plain, { logs, metrics: [] });

  test("of every copy, newest first, at the new times", async () => {
    const rows = await collectRows(lasting, everything);
    expect(rows).toHaveLength(25);
    expect(rows[0]).toEqual(rowAt(704, "line 4"));
    expect(rows.at(-1)).toEqual(rowAt(600, "line 10"));
    const times = rows.map(timeMsOfRow);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  test("a query gets its own part, from each copy it touches", async () => {
    const query = { earliestMs: at(618), latestMs: at(702) };
    const rows = await collectRows(lasting, query);
    expect(rows.map(({ _raw }) => _raw)).toEqual(["line 1", "line 0", "line 19", "line 18"]);
    expect(await collectRows(lasting, { earliestMs: at(630), latestMs: at(690) })).toEqual([]);
  });

  test.each([
    ["2026-03-13 14:20:01.500 INFO up", "2026-03-13 15:20:01.500 INFO up"],
    ["2026-03-13T14:20:01,500 INFO up", "2026-03-13T15:20:01,500 INFO up"],
    ["22:20:01.500 INFO up", "23:20:01.500 INFO up"],
    ["23:50:01.500 INFO at 23:50:01.500", "00:50:01.500 INFO at 23:50:01.500"],
    ["up since 14:20:01.500", "up since 14:20:01.500"],
    ["", ""],
  ])("the clock a line begins with moves along: %p", async (text, expected) => {
    const made = recordingOf(() => text);
    const one = { logs: [stretch(3_600, 0, 1)], metrics: [] };
    const [row] = await collectRows(lastingRecording(made, one), everything);
    expect(row?._raw).toBe(expected);
  });

  test("a trace is one in its copy, and another in every other", async () => {
    const made = recordingOf((second) => `TraceID: ${TRACE} SpanID: ${TRACE.slice(16)} ${second}`);
    const copies = Array.from({ length: 50 }, (_, copy) => stretch(1_000 + 2 * copy, 0, 2));
    const rows = await collectRows(
      lastingRecording(made, { logs: copies, metrics: [] }),
      everything,
    );
    const ids = rows.map(({ _raw }) => /TraceID: (\w{32}) SpanID: (\w{16}) /.exec(String(_raw)));
    expect(ids.every((found) => found !== null)).toBe(true);
    expect(new Set(ids.map((found) => found?.[1])).size).toBe(50);
    expect(new Set(ids.map((found) => found?.[2])).size).toBe(50);
    expect(ids[0]?.[1]).toBe(ids[1]?.[1]);
  });
});

describe("metrics", () => {
  /** Samples a minute apart, from the start. */
  const series = (name: string, values: readonly number[]) =>
    values.map((value, minute) => `${name} ${value} ${(START_MS + minute * MINUTE_MS) / 1_000}\n`);
  const text = (type: string, name: string, values: readonly number[]) =>
    [
      `# TYPE ${name.replace(/[{_]total.*/, "")} ${type}\n`,
      ...series(name, values),
      "# EOF\n",
    ].join("");
  const of = async (metrics: string, stretches: readonly Stretch[]) => {
    const lasting = lastingRecording(recordingOf(String, metrics), {
      logs: [],
      metrics: stretches,
    });
    const all = (await Array.fromAsync(lasting.openMetrics())).join("");
    expect(all.endsWith("# EOF\n")).toBe(true);
    return all
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const [value, seconds] = line.split(" ").slice(-2).map(Number);
        return [((seconds ?? 0) * 1_000 - START_MS) / MINUTE_MS, value];
      });
  };

  test("a gauge keeps its values, NaN too, in each copy", async () => {
    const gauge = text("gauge", 'up{pod="a b",x="1"}', [1, Number.NaN, 3]);
    const samples = await of(gauge, [stretch(600, 60, 180), stretch(720, 60, 180)]);
    expect(samples).toEqual([
      [10, Number.NaN],
      [11, 3],
      [12, Number.NaN],
      [13, 3],
    ]);
  });

  test("a counter goes on by what it rose, over seams and starts anew", async () => {
    const counter = text("counter", 'hits_total{pod="a"}', [100, 110, 130, 5]);
    const samples = await of(counter, [stretch(600, 60, 240), stretch(780, 60, 180)]);
    expect(samples).toEqual([
      [10, 10],
      [11, 30],
      [12, 35],
      [13, 45],
      [14, 65],
    ]);
  });

  test("a stretch without samples has none, and text without series stays as it is", async () => {
    expect(await of(text("gauge", "up", [1]), [stretch(0, 600, 900)])).toEqual([]);
    expect(await of("# EOF\n", [stretch(0, 0, 60)])).toEqual([]);
  });

  test("whatever is repeated: a counter never falls, and rises in each copy as recorded", async () => {
    const rises = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 3, maxLength: 10 });
    const property = fc.asyncProperty(
      rises,
      fc.integer({ min: 1, max: 5 }),
      async (some, copies) => {
        let sum = 0;
        const values = some.map((rise) => (sum += rise));
        const minutes = values.length - 1;
        const repeated = Array.from({ length: copies }, (_, copy) =>
          stretch(6_000 + copy * minutes * 60, 60, (minutes + 1) * 60),
        );
        const samples = await of(text("counter", "hits_total", values), repeated);
        expect(samples).toHaveLength(copies * minutes);
        const found = samples.map(
          ([, value], index) => (value ?? 0) - (samples[index - 1]?.[1] ?? 0),
        );
        expect(found).toEqual(Array.from({ length: copies }, () => some.slice(1)).flat());
      },
    );
    await fc.assert(property, { seed, numRuns: 50 });
  });
});
