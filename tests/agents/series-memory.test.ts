import { describe, expect, test } from "bun:test";
import { AgentMemory } from "../../agents/memory.ts";
import { type History, SeriesMemory } from "../../agents/metrics/series-memory.ts";
import { silentLogger } from "../../core/mod.ts";
import type { Series } from "../../streams/mod.ts";
import { type Store, storeOf } from "./memory-fixtures.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const START_MS = 20_000 * DAY_MS;
const log = silentLogger;

const windowAt = (at: number) => {
  const startMs = START_MS + at * 5 * MINUTE_MS;
  return { startMs, endMs: startMs + 5 * MINUTE_MS };
};

function open(store: Store, clock = { nowMs: 0 }): SeriesMemory {
  const memory = new AgentMemory({ kv: store.kv, agent: "metrics", log });
  return new SeriesMemory({
    memory,
    clock: { nowMs: () => clock.nowMs, sleep: async () => {} },
    log,
  });
}

/** Series of each service, sampled each `stepMs` of `[fromMs, toMs]`. */
function seriesOf(services: readonly string[], fromMs: number, toMs: number, instances = 1) {
  const timesMs: number[] = [];
  const stepMs = toMs - fromMs > DAY_MS / 2 ? 10 * MINUTE_MS : MINUTE_MS;
  for (let at = fromMs; at <= toMs; at += stepMs) timesMs.push(at);
  const values = timesMs.map((at) => 20 + 10 * Math.sin((at / DAY_MS) * 2 * Math.PI));
  return services.flatMap((service) =>
    Array.from(
      { length: instances },
      (_, at): Series => ({
        service,
        instance: `${at}`,
        metric: "cpu",
        unit: "%",
        timesMs,
        values,
      }),
    ),
  );
}

const many = Array.from({ length: 40 }, (_, at) => `svc${at}`);

function asked(at: number, services: readonly string[] = many, instances = 1) {
  const window = windowAt(at);
  return seriesOf(services, window.startMs - 10 * MINUTE_MS, window.endMs, instances);
}

/** The history of `services` before the first window, and how often it was read. */
function historyOf(services: readonly string[] = many, wait = Promise.resolve(), instances = 1) {
  const read = { times: 0 };
  const history = async (): Promise<History> => {
    read.times += 1;
    await wait;
    const endMs = START_MS - 30 * MINUTE_MS;
    return { series: seriesOf(services, endMs - DAY_MS, endMs, instances), endMs };
  };
  return { read, history };
}

/** Of the readings, how many remember a day. */
async function warm(
  memory: SeriesMemory,
  at: number,
  services = many,
  history?: () => Promise<History>,
) {
  const { readings } = await memory.read(asked(at, services), windowAt(at), history);
  return [...readings.values()].filter(({ rememberedMs }) => rememberedMs > 0.9 * DAY_MS).length;
}

describe("SeriesMemory", () => {
  test("windows that start at once share one history, and all are warm", async () => {
    const gate = Promise.withResolvers<void>();
    const { read, history } = historyOf(many, gate.promise);
    const memory = open(storeOf());
    const all = [0, 1, 2].map((at) => memory.read(asked(at), windowAt(at), history));
    gate.resolve();
    await Promise.all(all);
    expect(read.times).toBe(1);
    expect(await warm(memory, 3)).toBe(many.length);
  });

  test("after a restart what was stored is known, and only the rest is read from the history", async () => {
    const store = storeOf();
    const first = open(store);
    await warm(first, 0, many, historyOf().history);
    await first.keep(windowAt(0));
    expect(store.values.size).toBeGreaterThan(0);
    expect(store.values.size).toBeLessThan(many.length);
    const { read, history } = historyOf();
    const second = open(store);
    expect(await warm(second, 1, many, history)).toBe(many.length);
    expect(read.times).toBe(1);
    for (let at = 1; at <= 6; at++) await second.keep(windowAt(at));
    expect(store.values.size).toBe(many.length);
    const last = historyOf();
    expect(await warm(open(store), 2, many, last.history)).toBe(many.length);
    expect(last.read.times).toBe(0);
  });

  test("the history is read once an hour at most, and failing costs nobody the window", async () => {
    const clock = { nowMs: 0 };
    const memory = open(storeOf(), clock);
    const { read, history } = historyOf(["a", "b", "c"]);
    await warm(memory, 0, ["a"], history);
    expect(await warm(memory, 1, ["b"], history)).toBe(0);
    expect(read.times).toBe(1);
    clock.nowMs = 3_600_000;
    expect(await warm(memory, 2, ["c"], history)).toBe(1);
    clock.nowMs = 7_200_000;
    const failing = () => Promise.reject(new Error("no answer"));
    expect(await warm(memory, 3, ["a", "d"], failing)).toBe(1);
  });

  test("a service whose store is away is not learnt, and loaded when it is back", async () => {
    const store = storeOf();
    const first = open(store);
    await warm(first, 0, ["a"], historyOf(["a"]).history);
    for (let at = 0; at < 6; at++) await first.keep(windowAt(at));
    const good = new Map(store.values);
    const second = open(store);
    store.isAway = true;
    const { read, history } = historyOf(["a"]);
    expect((await second.read(asked(1, ["a"]), windowAt(1), history)).readings.size).toBe(0);
    store.isAway = false;
    for (let at = 0; at < 6; at++) await second.keep(windowAt(at));
    expect(store.values).toEqual(good);
    expect(await warm(second, 2, ["a"], history)).toBe(1);
    expect(read.times).toBe(0);
  });

  test("a large service is stored under several names of one token, and comes back whole", async () => {
    const store = storeOf();
    const first = open(store);
    const { history } = historyOf(["a"], Promise.resolve(), 150);
    await first.read(asked(0, ["a"], 150), windowAt(0), history);
    for (let at = 0; at < 6; at++) await first.keep(windowAt(at));
    expect(store.values.size).toBe(3);
    for (const key of store.values.keys()) expect(key).toMatch(/^s\.metrics\.[0-9a-f]+-\d$/);
    const { readings } = await open(store).read(asked(1, ["a"], 150), windowAt(1));
    const since = [...readings.values()].filter(({ rememberedMs }) => rememberedMs > 0.9 * DAY_MS);
    expect(since).toHaveLength(150);
  });

  test("a service that lost its place is loaded again, before anything is written over it", async () => {
    const store = storeOf();
    const memory = open(store);
    await warm(memory, 0, ["a"], historyOf(["a"]).history);
    for (let at = 0; at < 6; at++) await memory.keep(windowAt(at));
    await memory.read(asked(1, ["b"], 2_000), windowAt(1));
    expect(await warm(memory, 2, ["a"])).toBe(1);
  });

  test("the event loop is not held up while many series are learnt", async () => {
    const memory = open(storeOf());
    const turns = { count: 0, isDone: false };
    const tick = () => {
      turns.count += 1;
      if (!turns.isDone) setImmediate(tick);
    };
    await memory.read(asked(0, ["a"], 10), windowAt(0));
    tick();
    await memory.read(asked(1, ["a"], 1_500), windowAt(1));
    turns.isDone = true;
    // 16 samples each, two thousand at a time.
    expect(turns.count).toBeGreaterThan(11);
  });
});
