/** The arithmetic of the figures, and that unequal work is seen. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { figuresOf, percentile, spreadOf, tableOf } from "../../bench/figure.ts";
import { readArguments } from "../../bench/main.ts";
import { type BenchContext, checkWork, type Run, runRounds } from "../../bench/run.ts";
import { failureOf } from "../support/failure.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const run = (ms: number, answered = 1): Run => ({ work: { answered }, cost: { ms } });

const context: BenchContext = {
  rounds: 3,
  signal: new AbortController().signal,
  onProgress: () => undefined,
};

test("the median has as many values on either side; the spread holds them all", () => {
  const values = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 });
  fc.assert(
    fc.property(values, (given) => {
      const { median, min, max } = spreadOf(given);
      const below = given.filter((value) => value < median).length;
      const above = given.filter((value) => value > median).length;
      expect(below).toBeLessThanOrEqual(given.length / 2);
      expect(above).toBeLessThanOrEqual(given.length / 2);
      expect([min, max]).toEqual([Math.min(...given), Math.max(...given)]);
    }),
    { seed },
  );
});

test("a percentile is one of the values, by nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0.5, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 99, 100]);
  expect(percentile([7], 0.5)).toBe(7);
});

describe("rounds", () => {
  test("each side runs once a round, the order turned round by round, the first not counted", async () => {
    const order: string[] = [];
    let ms = 0;
    const side = (name: string) => async () => {
      order.push(name);
      return run(ms++);
    };
    const { a, b } = await runRounds("x", { a: side("a"), b: side("b") }, context);
    expect(order.join("")).toBe("abbaabba");
    expect(a.map(({ cost }) => cost["ms"])).toEqual([3, 4, 7]);
    expect(b.map(({ cost }) => cost["ms"])).toEqual([2, 5, 6]);
  });

  test("sides that did not do the same work are named", async () => {
    const sides = { a: async () => run(1, 10), b: async () => run(1, 9) };
    const { message } = await failureOf(runRounds("x", sides, context));
    expect(message).toBe("x: not the same work: answered is 10 for a, 9 for b");
    expect(() => checkWork("x", run(1, 9), { answered: 9, echoedBytes: 1 })).toThrow(/echoedBytes/);
  });

  test("an abort ends them before the next run", async () => {
    const stop = new AbortController();
    let runs = 0;
    const a = async () => {
      runs++;
      stop.abort(new Error("enough"));
      return run(1);
    };
    const stopped = runRounds("x", { a }, { ...context, signal: stop.signal });
    expect(await stopped.catch((error: unknown) => String(error))).toBe("Error: enough");
    expect(runs).toBe(1);
  });
});

test("a figure holds medians, spread and ratio; without a peer it has nulls", () => {
  const metrics = [{ name: "took", unit: "ms", of: "ms" }];
  const [compared] = figuresOf("x", metrics, [run(2), run(4), run(3)], [run(1), run(2), run(1.5)]);
  expect(compared).toEqual({
    case: "x",
    metric: "took",
    ours: 3,
    peer: 1.5,
    ratio: 2,
    unit: "ms",
    runs: 3,
    oursMin: 2,
    oursMax: 4,
    peerMin: 1,
    peerMax: 2,
  });
  const alone = figuresOf("x", metrics, [run(2_000)]);
  expect(alone[0]).toMatchObject({ peer: null, ratio: null, peerMin: null, peerMax: null });
  expect(tableOf(alone).split("\n")[1]).toMatch(/^x +took +2,000 +2,000\.\.2,000 +- +- +ms +1$/);
  expect(() => figuresOf("x", [{ name: "rss", unit: "MB" }], [run(2)])).toThrow(/rss/);
});

describe("arguments", () => {
  test("cases are picked by name and keep their order", () => {
    const asked = readArguments(["startup", "--json", "rpc", "--rounds", "2"]);
    if (asked === "help") throw new Error("no help was asked for");
    expect(asked.cases.map(({ name }) => name)).toEqual(["rpc", "startup"]);
    expect([asked.json, asked.rounds]).toEqual([true, 2]);
  });

  const wrong: [string[], RegExp][] = [
    [["frob"], /"frob" is none of rpc, stream/],
    [["--rounds", "0"], /--rounds "0"/],
    [["--rounds", "1.5"], /--rounds "1.5"/],
    [["--fast"], /--fast/],
  ];
  for (const [words, message] of wrong) {
    test(`refused: ${words.join(" ")}`, () => {
      expect(() => readArguments(words)).toThrow(message);
    });
  }
});
