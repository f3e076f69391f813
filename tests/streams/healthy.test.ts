/** Healthy services of several kinds, two days each: the accepted rate of false alarms is kept. */
import { expect, test } from "bun:test";
import { Random } from "../../sim/mod.ts";
import { detectMetrics, type Series } from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20_260_313);
const MINUTE_MS = 60_000;
const SERVICES = 10;
const PAST_MINUTES = 60;
const WINDOW_MINUTES = 5;
const WINDOWS = 576;

type Draw = () => number;
const normal = (random: Draw) =>
  Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());

/** Each makes the values of one service, minute by minute. */
const KINDS: Readonly<Record<string, (random: Draw) => () => number>> = {
  "spikes of a minute, six a day": (random) => () =>
    10 + random() + (random() < 6 / 1_440 ? 60 + 20 * random() : 0),
  "a drift that remembers": (random) => {
    let value = 0;
    return () => 30 + 3 * (value = 0.95 * value + normal(random));
  },
  "a random walk": (random) => {
    let value = 30;
    return () => (value = Math.max(5, Math.min(90, value + normal(random))));
  },
  "a job of three minutes every hour": (random) => {
    let minute = Math.floor(60 * random());
    return () => 10 + random() + (minute++ % 60 < 3 ? 50 : 0);
  },
  "a flat line": () => () => 10,
};

function alarmsOf(make: (random: Draw) => () => number): number {
  const source = new Random(seed);
  const random = () => source.fraction();
  const minutes = PAST_MINUTES + WINDOWS * WINDOW_MINUTES;
  const values = Array.from({ length: SERVICES }, () => {
    const next = make(random);
    return Array.from({ length: minutes }, () => next());
  });
  let alarms = 0;
  for (let from = PAST_MINUTES; from + WINDOW_MINUTES <= minutes; from += WINDOW_MINUTES) {
    const window = { startMs: from * MINUTE_MS, endMs: (from + WINDOW_MINUTES) * MINUTE_MS };
    const first = from - PAST_MINUTES;
    const length = PAST_MINUTES + WINDOW_MINUTES;
    const timesMs = Array.from({ length }, (_, at) => (first + at + 1) * MINUTE_MS);
    const all = values.map(
      (own, at): Series => ({
        service: `s${at}`,
        metric: "cpu",
        unit: "%",
        timesMs,
        values: own.slice(first, first + length),
      }),
    );
    if (detectMetrics(all, window).findings.some(({ anomalous }) => anomalous)) alarms += 1;
  }
  return alarms;
}

test.each(Object.keys(KINDS))("%s", (kind) => {
  const make = KINDS[kind];
  if (make === undefined) throw new Error(kind);
  // One alarmed window a day for 50 services is 0.4 in two days of ten; more than three is no chance.
  expect(alarmsOf(make)).toBeLessThanOrEqual(3);
});
