import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { LogRecord } from "../../streams/model.ts";
import { codeLocationOf, PathCollector } from "../../streams/transitions.ts";
import { SEED, WINDOW } from "./detect-fixtures.ts";

/** Lines of one trace, `service#statement` at so many milliseconds after `startMs`. */
function trace(
  id: string,
  startMs: number,
  steps: readonly (readonly [string, number, boolean?])[],
): LogRecord[] {
  return steps.map(([place, afterMs, error]) => ({
    timeMs: startMs + afterMs,
    service: place.split("#")[0] ?? "",
    level: error === true ? "ERROR" : "INFO",
    logger: `x.${place}`,
    message: "",
    traceId: id,
    spanId: place.split("#")[0] ?? "",
  }));
}

function collect(records: readonly LogRecord[]) {
  const collector = new PathCollector(WINDOW);
  for (const record of records) collector.add(record, "template");
  return collector.finish();
}

const MIDDLE = WINDOW.startMs + 100_000;
const frame = [
  ...trace("first", WINDOW.startMs, [["A#1", 0]]),
  ...trace("last", WINDOW.endMs - 1, [["A#1", 0]]),
];
const call = trace("t1", MIDDLE, [
  ["A#1", 0],
  ["B#7", 5],
  ["B#8", 6],
  ["A#2", 10],
  ["A#3", 11],
]);

describe("codeLocationOf", () => {
  test("reads the class and line of a logger, and nothing else", () => {
    expect(codeLocationOf("c.s.ContactsServiceImpl#34")).toBe("ContactsServiceImpl#34");
    expect(codeLocationOf("com.x.Pay:120")).toBe("Pay#120");
    expect(codeLocationOf("com.zaxxer.hikari.pool.HikariPool")).toBeUndefined();
    expect(codeLocationOf(undefined)).toBeUndefined();
  });
});

describe("PathCollector", () => {
  test("counts steps inside services, calls and gaps between them", () => {
    const paths = collect([...frame, ...call]);
    expect(paths?.transitions.get("A>A#1>A#2")).toMatchObject({ count: 1, traces: 1, gaps: 0 });
    expect(paths?.transitions.get("B>B#7>B#8")).toMatchObject({ count: 1, gaps: 1 });
    expect(paths?.transitions.get("A>A#3>")).toMatchObject({ count: 1 });
    expect([...(paths?.calls.values() ?? [])]).toEqual([{ caller: "A", callee: "B", count: 1 }]);
    const back = paths?.edges.get("B>A");
    expect(back?.count).toBe(1);
    expect(Math.abs((back?.medianMs ?? 0) / 4 - 1)).toBeLessThan(0.06);
  });

  test("an error logged outside the span ends the way of the service's last span", () => {
    const erred = trace("t2", MIDDLE, [
      ["A#1", 0],
      ["A#99", 3, true],
    ]).map((record, at) => (at === 1 ? { ...record, spanId: "other" } : record));
    const paths = collect([...frame, ...erred]);
    expect(paths?.transitions.get("A>A#1>A#99")).toMatchObject({ error: true, count: 1 });
    expect(paths?.statements.get("A>A#1")).toMatchObject({ erredTraces: 1 });
  });

  test("the start and end of a trace that the window cuts are not counted", () => {
    const paths = collect([...frame, ...call]);
    // The two frame traces touch the edges: no start for the first, no end for the last.
    expect(paths?.transitions.get("A>>A#1")?.count).toBe(1 + 1);
    expect(paths?.transitions.get("A>A#1>")?.count).toBe(1);
  });

  test("lines without a trace id give no paths", () => {
    expect(collect([{ ...(call[0] as LogRecord), traceId: "" }])).toBeUndefined();
    expect(collect([])).toBeUndefined();
  });

  test("a trace without end is held within its bound", () => {
    const endless = Array.from(
      { length: 6_000 },
      (_, at) => trace("t", MIDDLE + at, [["A#1", 0]])[0] as LogRecord,
    );
    const paths = collect(endless);
    expect(paths?.lines).toBe(5_000);
    expect(paths?.overflow).toBe(1_000);
  });

  test("the order of arrival does not matter", () => {
    const lines = [
      ...frame,
      ...call,
      ...trace("t3", MIDDLE + 7, [
        ["A#1", 0],
        ["A#3", 4],
      ]),
    ];
    const plain = JSON.stringify(sorted(collect(lines)));
    const shuffled = fc.shuffledSubarray(lines, { minLength: lines.length });
    const property = fc.property(shuffled, (order) => {
      expect(JSON.stringify(sorted(collect(order)))).toBe(plain);
    });
    fc.assert(property, { seed: SEED });
  });
});

function sorted(paths: ReturnType<typeof collect>): unknown {
  const rows = (map: ReadonlyMap<string, unknown> | undefined) =>
    [...(map ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    rows(paths?.transitions),
    rows(paths?.calls),
    rows(paths?.edges),
    rows(paths?.statements),
  ];
}
