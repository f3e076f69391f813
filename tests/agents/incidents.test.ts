import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Mesh } from "../../a2a/mod.ts";
import {
  type Alarm,
  type AlarmSink,
  INVESTIGATIONS_BUCKET,
  type Verdict,
} from "../../agents/mod.ts";
import { Alarms, fingerprintOf, type Raised } from "../../agents/sre/incidents.ts";
import { InvestigationStore } from "../../agents/sre/store.ts";
import { newId, PetrelError, silentLogger } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { HandClock, incident, MINUTE_MS, WORDS, windowAt } from "./verdict-fixtures.ts";

const REOPEN_AFTER_MS = 30 * MINUTE_MS;
const WINDOW_MS = 5 * MINUTE_MS;
const never = () => new AbortController().signal;

let nats: NatsServer;
const meshes: Mesh[] = [];

beforeAll(async () => {
  nats = await startNats();
  meshes.push(await openMesh(nats.url, "one"), await openMesh(nats.url, "two"));
});

afterAll(async () => {
  await Promise.all(meshes.map((mesh) => mesh.close()));
  await nats[Symbol.asyncDispose]();
});

/** A sink that fails as `failures` say, then takes every alarm. */
function sinkThat(failures: readonly Error[] = []) {
  const tried: Alarm[] = [];
  const taken: Alarm[] = [];
  const sink: AlarmSink = {
    name: "test",
    send: async (alarm) => {
      tried.push(alarm);
      const failure = failures[tried.length - 1];
      if (failure) throw failure;
      taken.push(alarm);
    },
  };
  return { sink, tried, taken };
}

const busy = () => new PetrelError("OVERLOADED", "busy");
const refused = () => new PetrelError("QUERY_REFUSED", "no");

/** The alarms of process `at`, over its own connection. */
async function alarmsOf(at: 0 | 1, sinks: readonly AlarmSink[], clock = new HandClock()) {
  const mesh = meshes[at];
  if (!mesh) throw new Error("no mesh");
  const kv = await mesh.kvm.create(INVESTIGATIONS_BUCKET, { history: 1 });
  const store = new InvestigationStore(kv, silentLogger);
  const record = async () => {};
  const options = {
    store,
    sinks,
    record,
    clock,
    log: silentLogger,
    reopenAfterMs: REOPEN_AFTER_MS,
  };
  return { alarms: new Alarms(options), store, kv };
}

/** Verdicts of one cause of its own, so that tests do not see each other's incidents. */
function cause() {
  const service = `service-${newId()}`;
  return (id: string, offsetMs = 0): Verdict =>
    incident(`${service}-${id}`, {
      window: windowAt(offsetMs),
      rootCause: { service, mechanism: "connection pool exhausted" },
    });
}

const idOf = (raised: Raised) => (raised.kind === "raised" ? raised.alarm.id : undefined);

describe("one incident", () => {
  test("over many windows is raised once, and counts them", async () => {
    const { sink, taken } = sinkThat();
    const { alarms, store } = await alarmsOf(0, [sink]);
    const verdict = cause();
    const first = await alarms.raise(verdict("0"), WORDS, never());
    for (let at = 1; at <= 9; at++) {
      const raised = await alarms.raise(verdict(`${at}`, at * WINDOW_MS), WORDS, never());
      expect(raised).toEqual({ kind: "suppressed", alarmId: idOf(first) ?? "", windows: at + 1 });
    }
    expect(taken.map(({ id }) => id)).toEqual([idOf(first) ?? ""]);
    const known = await store.incident(fingerprintOf(verdict("0")));
    expect(known?.value).toMatchObject({
      delivery: "delivered",
      windows: 10,
      firstWindow: windowAt(),
      lastWindow: windowAt(9 * WINDOW_MS),
    });
  });

  test("is raised anew after a pause longer than reopenAfterMs, not at it", async () => {
    const { sink, taken } = sinkThat();
    const { alarms } = await alarmsOf(0, [sink]);
    const verdict = cause();
    const ends = (pauseMs: number, after: number) => after + WINDOW_MS + pauseMs;
    await alarms.raise(verdict("0"), WORDS, never());
    const second = ends(REOPEN_AFTER_MS, 0);
    expect((await alarms.raise(verdict("1", second), WORDS, never())).kind).toBe("suppressed");
    const third = ends(REOPEN_AFTER_MS + 1, second);
    expect((await alarms.raise(verdict("2", third), WORDS, never())).kind).toBe("raised");
    expect(new Set(taken.map(({ id }) => id)).size).toBe(2);
  });

  test("windows that arrive out of order are the same incident", async () => {
    const { sink, taken } = sinkThat();
    const { alarms } = await alarmsOf(0, [sink]);
    const verdict = cause();
    for (const at of [2, 0, 1]) {
      await alarms.raise(verdict(`${at}`, at * WINDOW_MS), WORDS, never());
    }
    expect(taken).toHaveLength(1);
  });

  test("of another service or mechanism is another incident", async () => {
    const { sink, taken } = sinkThat();
    const { alarms } = await alarmsOf(0, [sink]);
    const [one, other] = [cause()("0"), cause()("0")];
    const service = one.rootCause?.service ?? "";
    const third = { ...one, id: `${one.id}-b`, rootCause: { service, mechanism: "slow disk" } };
    for (const verdict of [one, other, third]) await alarms.raise(verdict, WORDS, never());
    expect(taken).toHaveLength(3);
  });

  test("quiet and inconclusive windows raise nothing", async () => {
    const { sink, tried } = sinkThat();
    const { alarms } = await alarmsOf(0, [sink]);
    for (const outcome of ["quiet", "inconclusive"] as const) {
      const verdict = { ...cause()("0"), outcome };
      expect(await alarms.raise(verdict, WORDS, never())).toEqual({ kind: "none" });
    }
    expect(tried).toEqual([]);
  });
});

describe("two processes", () => {
  test("at once, with the same cause in many windows: one alarm", async () => {
    const { sink, taken } = sinkThat();
    const [one, two] = await Promise.all([alarmsOf(0, [sink]), alarmsOf(1, [sink])]);
    const verdict = cause();
    const all = await Promise.all(
      [0, 1, 2, 3].map((at) => {
        const { alarms } = at % 2 === 0 ? one : two;
        return alarms.raise(verdict(`${at}`, at * WINDOW_MS), WORDS, never());
      }),
    );
    expect(all.filter(({ kind }) => kind === "raised")).toHaveLength(1);
    expect(all.filter(({ kind }) => kind === "suppressed")).toHaveLength(3);
    expect(taken).toHaveLength(1);
    const known = await one.store.incident(fingerprintOf(verdict("0")));
    expect(known?.value).toMatchObject({ windows: 4, delivery: "delivered" });
  });

  test("the first died before its alarm was out: the second sends it under the same id", async () => {
    const verdict = cause()("0");
    const lost = sinkThat(Array.from({ length: 9 }, refused));
    const first = await (await alarmsOf(0, [lost.sink])).alarms.raise(verdict, WORDS, never());
    const { sink, taken } = sinkThat();
    const { alarms } = await alarmsOf(1, [sink]);
    const second = await alarms.raise(verdict, WORDS, never());
    expect(idOf(second)).toBe(idOf(first) ?? "");
    expect(taken.map(({ id }) => id)).toEqual([idOf(first) ?? ""]);
    const third = await alarms.raise(verdict, WORDS, never());
    expect(third.kind).toBe("suppressed");
    expect(taken).toHaveLength(1);
  });
});

describe("an owner that does not end well", () => {
  test("dies while it says an alarm again: the next one to have the window sends it", async () => {
    const verdict = cause();
    const first = await alarmsOf(0, [sinkThat([refused()]).sink]);
    const raised = await first.alarms.raise(verdict("0"), WORDS, never());
    const { promise: isSending, resolve: sending } = Promise.withResolvers<void>();
    const send = () => {
      sending();
      return new Promise<void>(() => {});
    };
    const dying = await alarmsOf(0, [{ name: "test", send }]);
    void dying.alarms.raise(verdict("1", WINDOW_MS), WORDS, never());
    await isSending;
    const { sink, taken } = sinkThat();
    const { alarms } = await alarmsOf(1, [sink]);
    expect((await alarms.raise(verdict("1", WINDOW_MS), WORDS, never())).kind).toBe("raised");
    const later = await alarms.raise(verdict("2", 2 * WINDOW_MS), WORDS, never());
    expect(later.kind).toBe("suppressed");
    expect(taken.map(({ id }) => id)).toEqual([idOf(raised) ?? ""]);
  });

  test("stops while it sends, or before it tries again: the alarm stays pending", async () => {
    for (const stopsIn of ["send", "sleep"] as const) {
      const verdict = cause()("0");
      const stop = new AbortController();
      const stopNow = () => stop.abort(new PetrelError("CANCELLED", "stopping"));
      const clock = new HandClock();
      clock.sleep = async (_, signal) => {
        stopNow();
        signal?.throwIfAborted();
      };
      const send: AlarmSink["send"] = async (_, signal) => {
        if (stopsIn === "send") stopNow();
        signal.throwIfAborted();
        throw busy();
      };
      const { alarms, store } = await alarmsOf(0, [{ name: "test", send }], clock);
      const stopped = alarms.raise(verdict, WORDS, stop.signal);
      await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
      const pending = await store.incident(fingerprintOf(verdict));
      expect(pending?.value.delivery).toBe("pending");
      const { sink, taken } = sinkThat();
      await (await alarmsOf(1, [sink])).alarms.raise(verdict, WORDS, never());
      expect(taken.map(({ id }) => id)).toEqual([pending?.value.alarmId ?? ""]);
    }
  });
});

test("a look back at an old window leaves the incident that is going on as it is", async () => {
  const { sink, taken } = sinkThat();
  const { alarms, store } = await alarmsOf(0, [sink]);
  const verdict = cause();
  const lastWeek = -7 * 24 * 60 * MINUTE_MS;
  const live = await alarms.raise(verdict("0"), WORDS, never());
  expect((await alarms.raise(verdict("old", lastWeek), WORDS, never())).kind).toBe("raised");
  // The same look back again, and the live incident's next window, are both known.
  const oldAgain = await alarms.raise(verdict("old", lastWeek), WORDS, never());
  const next = await alarms.raise(verdict("1", WINDOW_MS), WORDS, never());
  expect(oldAgain.kind).toBe("suppressed");
  expect(next).toEqual({ kind: "suppressed", alarmId: idOf(live) ?? "", windows: 2 });
  expect(taken).toHaveLength(2);
  const known = await store.incident(fingerprintOf(verdict("0")));
  expect(known?.value).toMatchObject({ firstWindow: windowAt(), lastWindow: windowAt(WINDOW_MS) });
});

test.each(["{}", "junk", "[]", '{"delivery":"delivered"}'])(
  "an incident's record that reads %s holds back no alarm",
  async (junk) => {
    const { sink, taken } = sinkThat();
    const { alarms, store, kv } = await alarmsOf(0, [sink]);
    const verdict = cause();
    await kv.put(`i.${fingerprintOf(verdict("0"))}`, junk);
    expect((await alarms.raise(verdict("0"), WORDS, never())).kind).toBe("raised");
    const next = await alarms.raise(verdict("1", WINDOW_MS), WORDS, never());
    expect(next.kind).toBe("suppressed");
    expect(taken).toHaveLength(1);
    const known = await store.incident(fingerprintOf(verdict("0")));
    expect(known?.value.delivery).toBe("delivered");
  },
);

describe("a sink that fails", () => {
  test("and says later is tried again, after waits that grow, under the same id", async () => {
    const clock = new HandClock();
    const { sink, tried, taken } = sinkThat([busy(), busy()]);
    const { alarms, store } = await alarmsOf(0, [sink], clock);
    const verdict = cause()("0");
    await alarms.raise(verdict, WORDS, never());
    expect(tried).toHaveLength(3);
    expect(taken).toHaveLength(1);
    expect(new Set(tried.map(({ id }) => id)).size).toBe(1);
    expect(clock.naps).toHaveLength(2);
    expect(clock.naps[1]).toBeGreaterThan(clock.naps[0] ?? 0);
    expect((await store.incident(fingerprintOf(verdict)))?.value.delivery).toBe("delivered");
  });

  test("and says later for ever is given up, and the record says it is not delivered", async () => {
    const { sink, tried } = sinkThat(Array.from({ length: 99 }, busy));
    const { alarms, store } = await alarmsOf(0, [sink]);
    const verdict = cause()("0");
    expect((await alarms.raise(verdict, WORDS, never())).kind).toBe("raised");
    expect(tried.length).toBeGreaterThan(1);
    expect(tried.length).toBeLessThan(10);
    expect((await store.incident(fingerprintOf(verdict)))?.value.delivery).toBe("undeliverable");
  });

  test("and says never is tried once, and costs the other sinks nothing", async () => {
    for (const failure of [refused(), new TypeError("odd")]) {
      const bad = sinkThat([failure]);
      const good = sinkThat();
      const { alarms } = await alarmsOf(0, [bad.sink, good.sink]);
      await alarms.raise(cause()("0"), WORDS, never());
      expect(bad.tried).toHaveLength(1);
      expect(good.taken).toHaveLength(1);
    }
  });
});
