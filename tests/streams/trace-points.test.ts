import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { type TracePoint, TracePoints } from "../../streams/transitions-points.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const LENGTH_MAX = 5;

/** The same with a map of arrays, whose first entry is the trace untouched for longest. */
class Model {
  #newestFirst = false;
  readonly traces = new Map<string, TracePoint[]>();

  add(traceId: string, point: TracePoint): boolean {
    const points = this.traces.get(traceId) ?? [];
    this.traces.delete(traceId);
    this.traces.set(traceId, points);
    if (points.length >= LENGTH_MAX) return false;
    points.push(point);
    return true;
  }

  takeOldest(): TracePoint[] | undefined {
    const [oldest] = this.traces;
    if (oldest === undefined) return undefined;
    const [id, points] = oldest;
    this.traces.delete(id);
    const steps = points.slice(1).map((one, at) => one.timeMs - (points[at]?.timeMs ?? 0));
    const [up, down] = [steps.filter((by) => by > 0).length, steps.filter((by) => by < 0).length];
    if (up !== down) this.#newestFirst = down > up;
    const came = this.#newestFirst ? points.toReversed() : points;
    return came.toSorted((a, b) => a.timeMs - b.timeMs);
  }

  get size(): number {
    return [...this.traces.values()].reduce((sum, points) => sum + points.length, 0);
  }
}

const point = fc.record({
  timeMs: fc.integer({ min: 0, max: 9 }),
  statement: fc.nat(2 ** 32 - 1),
  span: fc.nat(2 ** 32 - 1),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.integer({ min: 0, max: 30 }), point) },
  { weight: 1, arbitrary: fc.constant("take") },
);

test("points come back by trace, oldest trace first, in the order of time", () => {
  const property = fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
    const [points, model] = [new TracePoints(), new Model()];
    for (const one of steps) {
      if (typeof one === "string") {
        expect(points.takeOldest()).toEqual(model.takeOldest());
      } else {
        const id = String(one[0]);
        expect(points.add(id, LENGTH_MAX, one[1])).toBe(model.add(id, one[1]));
      }
      expect([points.size, points.traces]).toEqual([model.size, model.traces.size]);
    }
    while (model.traces.size > 0) expect(points.takeOldest()).toEqual(model.takeOldest());
    expect(points.takeOldest()).toBeUndefined();
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("tables grow with the points they hold, and none is lost", () => {
  const points = new TracePoints();
  const count = 5_000;
  const at = (index: number) => ({ timeMs: index, statement: index % 7, span: index });
  for (let index = count - 1; index >= 0; index--) points.add("one trace", count, at(index));
  expect(points.takeOldest()).toEqual(Array.from({ length: count }, (_, index) => at(index)));
  expect([points.size, points.traces]).toEqual([0, 0]);
});

test("the places of traces that were taken are used again", () => {
  const points = new TracePoints();
  const room = points.capacity;
  for (let trace = 0; trace < 100; trace++) {
    for (let index = 0; index < room / 2; index++) {
      points.add(`trace ${trace}`, room, { timeMs: index, statement: 0, span: 0 });
    }
    if (trace > 0) points.takeOldest();
  }
  expect(points.size).toBe(room / 2);
  expect(points.capacity).toBe(room);
});

test("the lines of one instant stand as they were written, whichever way they come", () => {
  const written = [0, 0, 0, 5, 5, 9].map((timeMs, statement) => ({ timeMs, statement, span: 1 }));
  for (const order of [written, written.toReversed()]) {
    const points = new TracePoints();
    for (const one of order) points.add("a", 10, one);
    expect(points.takeOldest()).toEqual(written);
  }
});
