/** The lease: one holder, a standby that takes over, and a holder that learns it has lost. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "nats";
import { acquireLease, type Held } from "../../bridge/lease.ts";
import { silentLogger, systemClock } from "../../core/mod.ts";
import { type LogBook, openLogBook } from "../support/log-book.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";

const TERM_MS = 600;
const KEY = "lease.0";

let nats: NatsServer;
let nc: NatsConnection;
let kv: KV;

beforeEach(async () => {
  nats = await startNats();
  nc = await connect({ servers: nats.url });
  kv = await new Kvm(nc).create("PETREL_BRIDGE", { history: 1 });
});

afterEach(async () => {
  await nc.close();
  await nats[Symbol.asyncDispose]();
});

function acquire(holder: string, signal = new AbortController().signal, book?: LogBook) {
  const log = book?.log ?? silentLogger;
  return acquireLease({ kv, key: KEY, holder, termMs: TERM_MS, clock: systemClock, log }, signal);
}

const holderNow = async () => (await kv.get(KEY))?.string();

describe("one lease", () => {
  test("has one holder; the other stands by and takes over when it is released", async () => {
    const first = await acquire("one");
    const book = openLogBook();
    const waiting = acquire("two", undefined, book);
    await until("the other stands by", () => book.count("lease.standby") === 1);
    expect(await holderNow()).toBe("one");
    await first.release();
    const second = await waiting;
    expect(await holderNow()).toBe("two");
    expect(first.signal.aborted).toBe(false);
    await second.release();
    expect((await kv.get(KEY))?.operation).toBe("DEL");
  });

  test("of a holder that does not renew any more is taken after a term, not before", async () => {
    await kv.create(KEY, "crashed");
    const before = (await kv.get(KEY))?.revision ?? 0;
    const held = await acquire("two");
    const entry = await kv.get(KEY);
    expect(entry?.string()).toBe("two");
    expect(entry?.revision).toBeGreaterThan(before);
    await held.release();
  });

  test("is renewed for as long as it is held", async () => {
    const held = await acquire("one");
    const first = (await kv.get(KEY))?.revision ?? 0;
    await until("renewed", async () => ((await kv.get(KEY))?.revision ?? 0) > first + 2);
    expect(held.signal.aborted).toBe(false);
    await held.release();
  });

  test("taken by another aborts the holder's signal, and its release leaves the other alone", async () => {
    const held = await acquire("one");
    await kv.put(KEY, "two");
    await until("lost", () => held.signal.aborted);
    expect(held.signal.reason).toMatchObject({ code: "CONFLICT" });
    await held.release();
    expect(await holderNow()).toBe("two");
  });

  test("is lost when the server is away for a term, and had again when it is back", async () => {
    const held = await acquire("one");
    await nats.kill9();
    await until("lost", () => held.signal.aborted);
    await held.release();
    await nats.restart();
    const again = await acquire("one");
    expect(await holderNow()).toBe("one");
    await again.release();
  });

  test("waited for in vain ends with the signal's reason", async () => {
    const held = await acquire("one");
    const stop = new AbortController();
    const waiting = acquire("two", stop.signal).then(
      () => "held",
      (error: unknown) => error,
    );
    const reason = new Error("no more");
    stop.abort(reason);
    expect(await waiting).toBe(reason);
    await held.release();
  });

  test("raced for by many goes to one", async () => {
    const stop = new AbortController();
    const racing = Array.from({ length: 8 }, (_, one) => acquire(`r${one}`, stop.signal));
    const first: Held = await Promise.any(racing);
    const winner = await holderNow();
    stop.abort(new Error("enough"));
    const settled = await Promise.allSettled(racing);
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(winner).toMatch(/^r\d$/);
    await first.release();
  });
});
