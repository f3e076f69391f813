/** The day's budget over a real NATS: never more than the limit, however many take from it at once. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type KV, Kvm } from "@nats-io/kv";
import { connect, type NatsConnection } from "nats";
import { DayLedger, type DayLedgerOptions } from "../../../agents/explain/ledger.ts";
import { silentLogger, systemClock } from "../../../core/mod.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { HandClock } from "../verdict-fixtures.ts";
import { ANSWER, explain, modelThat, never, poolVerdict } from "./fixtures.ts";

let nats: NatsServer;
const connections: NatsConnection[] = [];

beforeAll(async () => {
  nats = await startNats();
});
afterAll(async () => {
  await Promise.all(connections.map((one) => one.close()));
  await nats[Symbol.asyncDispose]();
});

async function bucket(name: string): Promise<KV> {
  const connection = await connect({ servers: nats.url });
  connections.push(connection);
  return new Kvm(connection).create(name, { history: 1 });
}

const LIMITS = { calls: 50, tokens: 1_000_000, usd: 100 };
const ledger = (kv: KV, more: Partial<DayLedgerOptions> = {}) =>
  new DayLedger({ kv, limits: LIMITS, clock: systemClock, log: silentLogger, ...more });
const day = (ms = systemClock.nowMs()) => new Date(ms).toISOString().slice(0, 10);
const MOST = { prompt: 900, completion: 100 };

describe("the day's budget", () => {
  test("two processes that race for 50 calls get 50, and what they used is settled", async () => {
    const both = [await bucket("RACE"), await bucket("RACE")].map((kv) => ledger(kv));
    const asked = Array.from({ length: 80 }, (_, at) => both[at % 2]?.reserve(MOST, never()));
    const answers = (await Promise.all(asked)).flatMap((one) => one ?? []);
    const granted = answers.flatMap((one) => (one.isGranted ? [one] : []));
    expect(granted).toHaveLength(50);
    expect(await both[0]?.spent(day())).toEqual({ calls: 50, tokens: 50_000, usd: 0 });
    await Promise.all(granted.map((one) => one.settle({ prompt: 500, completion: 10 })));
    expect(await both[1]?.spent(day())).toEqual({ calls: 50, tokens: 25_500, usd: 0 });
    const refused = answers.find((one) => !one.isGranted);
    expect(refused).toMatchObject({ why: "the day's 50 calls are used up" });
  });

  test.each([
    ["tokens", { tokens: 2_500 }, 2],
    ["USD", { usd: 0.0035 }, 3],
  ])("%s are bounded too, by what a call may cost at most", async (what, limits, times) => {
    const kv = await bucket(`BY_${what}`);
    const prices = { promptPerMillion: 1, completionPerMillion: 1 };
    const one = ledger(kv, { limits: { ...LIMITS, ...limits }, prices });
    for (let at = 0; at < times; at++)
      expect((await one.reserve(MOST, never())).isGranted).toBe(true);
    expect(await one.reserve(MOST, never())).toMatchObject({
      isGranted: false,
      why: expect.stringContaining(what),
    });
  });

  test("a new day begins at nothing, and an old call is settled on its own", async () => {
    const clock = new HandClock(Date.UTC(2026, 0, 29, 23, 59));
    const one = ledger(await bucket("DAYS"), { clock, limits: { ...LIMITS, calls: 1 } });
    const late = await one.reserve(MOST, never());
    expect((await one.reserve(MOST, never())).isGranted).toBe(false);
    clock.ms += 120_000;
    expect((await one.reserve(MOST, never())).isGranted).toBe(true);
    if (late.isGranted) await late.settle({ prompt: 1, completion: 1 });
    expect(await one.spent("2026-01-29")).toEqual({ calls: 1, tokens: 2, usd: 0 });
    expect(await one.spent("2026-01-30")).toEqual({ calls: 1, tokens: 1_000, usd: 0 });
  });

  test("a record nobody can read refuses", async () => {
    const kv = await bucket("BROKEN");
    await kv.put(`spend.${day()}`, '{"calls":-1}');
    expect(await ledger(kv).reserve(MOST, never())).toMatchObject({ isGranted: false });
  });

  test("a store that is away refuses, nobody is asked, and the explanation says so", async () => {
    const away = () => Promise.reject(new Error("no responders"));
    const { llm, calls } = modelThat(ANSWER);
    const got = await explain(poolVerdict(), {
      llm,
      day: ledger({ get: away, create: away, update: away } as unknown as KV),
    });
    expect([got.by, calls.length, got.cost.calls]).toEqual(["statistics", 0, 0]);
    expect(got.remarks).toEqual([
      "Out of budget: what the day has cost cannot be read or written.",
    ]);
  });

  test("a caller who leaves is not held up", async () => {
    const stop = new AbortController();
    const hanging = { get: () => new Promise<never>(() => {}) } as unknown as KV;
    const waiting = ledger(hanging).reserve(MOST, stop.signal);
    stop.abort(new Error("gone"));
    expect(waiting).rejects.toThrow("gone");
  });
});
