import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { PetrelError } from "../../core/mod.ts";
import { SeriesDetector } from "../../streams/mod.ts";
import { DAY_POINTS, dailyLoad, feed, START_MS, STEP_MS, whiteNoise } from "./series-fixtures.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);

function throughStore(detector: SeriesDetector): SeriesDetector {
  const stored: unknown = JSON.parse(JSON.stringify(detector.snapshot()));
  return SeriesDetector.restore(stored);
}

describe("a restored detector", () => {
  test("goes on as if nothing had been, wherever it was cut", () => {
    const values = dailyLoad(9 * DAY_POINTS);
    values[8 * DAY_POINTS] = 200;
    const kind = fc.constantFrom("gauge" as const, "counter" as const);
    const cut = fc.oneof(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: values.length }),
    );
    const property = fc.property(kind, cut, (of, at) => {
      const whole = new SeriesDetector({ kind: of, changeMin: 0.5 });
      feed(whole, values.slice(0, at));
      const restored = throughStore(whole);
      const rest = values.slice(at);
      const startMs = START_MS + at * STEP_MS;
      expect(feed(restored, rest, startMs)).toEqual(feed(whole, rest, startMs));
      expect(restored.snapshot()).toEqual(whole.snapshot());
    });
    fc.assert(property, { seed, numRuns: 15 });
  });

  test("remembers that a clock was about to move", () => {
    const whole = new SeriesDetector();
    feed(whole, dailyLoad(DAY_POINTS));
    const far = START_MS + 400 * DAY_POINTS * STEP_MS;
    feed(whole, [1, 2], far);
    const rest = dailyLoad(50);
    const startMs = far + 2 * STEP_MS;
    expect(feed(throughStore(whole), rest, startMs)).toEqual(feed(whole, rest, startMs));
  });

  test("stays small however long it lived", () => {
    for (const stepMs of [1000, STEP_MS, 3_600_000, 86_400_000]) {
      const detector = new SeriesDetector();
      whiteNoise(30_000).forEach((value, i) => detector.update(START_MS + i * stepMs, value));
      expect(JSON.stringify(detector.snapshot()).length).toBeLessThan(15_000);
    }
  });
});

describe("a damaged snapshot", () => {
  const detector = new SeriesDetector();
  feed(detector, dailyLoad(3 * DAY_POINTS));
  const text = JSON.stringify(detector.snapshot());

  test("is refused with its place", () => {
    const cases: [unknown, string][] = [
      [null, "snapshot"],
      ["", "snapshot"],
      [{}, "snapshot.version"],
      [{ version: 2 }, "snapshot.version"],
      [JSON.parse(text.replace('"gauge"', '"clock"')), "snapshot.kind"],
      [JSON.parse(text.replace(/"stepMs":\d+/, '"stepMs":0')), "snapshot.model.stepMs"],
      [JSON.parse(text.replace(/"stepMs":\d+/, '"stepMs":3600000')), "snapshot.model.ring"],
      [JSON.parse(text.replace(/"ring":"..../, '"ring":"')), "snapshot.model.ring"],
      [JSON.parse(text.replace('"known":[', '"known":[{},')), "snapshot.model.known"],
    ];
    for (const [snapshot, place] of cases) {
      expect(() => SeriesDetector.restore(snapshot)).toThrow(place);
    }
  });

  test("is refused or works, whatever is changed in it", () => {
    const anything = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.double(), fc.constant("////"));
    const property = fc.property(fc.nat(), anything, fc.boolean(), (which, put, isCut) => {
      const root: unknown = JSON.parse(text);
      damage(root, which, put, isCut);
      try {
        const restored = SeriesDetector.restore(root);
        for (const { score } of feed(restored, dailyLoad(60), START_MS + 3 * 86_400_000)) {
          expect(score).toBeWithin(0, 1 + Number.EPSILON);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(PetrelError);
        expect(error).toMatchObject({ code: "PROTOCOL_VIOLATION" });
      }
    });
    fc.assert(property, { seed, numRuns: 2000 });
  });
});

/** Replaces or cuts one of the fields, counted through all depths. */
function damage(root: unknown, which: number, put: unknown, isCut: boolean): void {
  const places: { in: Record<string, unknown>; key: string }[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const fields = value as Record<string, unknown>;
    for (const key of Object.keys(fields)) {
      places.push({ in: fields, key });
      walk(fields[key]);
    }
  };
  walk(root);
  const place = places[which % places.length];
  if (place === undefined) return;
  const old = place.in[place.key];
  place.in[place.key] = isCut && typeof old === "string" ? old.slice(0, which % old.length) : put;
}
