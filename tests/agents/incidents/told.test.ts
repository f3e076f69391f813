/**
 * What was decided is told: through crashes at any step, sinks that fail, and two processes at once. A
 * process that dies here stops between two operations, or in one that is done and never answered.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KV } from "@nats-io/kv";
import type { Mesh } from "../../../a2a/mod.ts";
import { EMPTY_BOOK } from "../../../agents/incidents/book.ts";
import { INCIDENTS_BUCKET } from "../../../agents/incidents/store.ts";
import type { Verdict } from "../../../agents/mod.ts";
import type { AlarmSink, Notice } from "../../../alarms/mod.ts";
import { newId, PetrelError } from "../../../core/mod.ts";
import { Random } from "../../../sim/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { until } from "../../support/until.ts";
import { MINUTE_MS } from "../verdict-fixtures.ts";
import { fault, quiet, sources } from "./fixtures.ts";
import { allDone, Mortal, partyOf, Receivers } from "./parties.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const RUNS = 200;
/** More operations than any of these processes makes. */
const OPERATIONS_MAX = 60;

let nats: NatsServer;
let mesh: Mesh;

beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "sre");
});

afterAll(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

async function bucket(): Promise<KV> {
  return mesh.kvm.create(`${INCIDENTS_BUCKET}_${newId()}`, { history: 1 });
}

test(`killed at any of its steps, in ${RUNS} runs: the alarm is told, once where the sink knows its id`, async () => {
  const random = new Random(seed);
  let killed = 0;
  let twice = 0;
  const kv = await bucket();
  for (let run = 0; run < RUNS; run++) {
    const service = `service-${run}`;
    // Another hour each: the incidents of two runs have nothing to do with each other.
    const at = run * 200;
    const opened = fault(at, { service, affected: [] });
    const over = quiet(at + 1, { id: `over-${run}` });
    const verdicts = new Map([opened, over].map((one) => [one.id, one]));
    const receivers = new Receivers();
    const events = new Map<string, number>();
    const common = { kv, verdicts, events, words: new Map<string, number>() };
    const first = new Mortal(random.between(1, OPERATIONS_MAX), random.between(0, 1) === 0);
    const dying = partyOf({ ...common, process: first, sinks: receivers.sinks(first) });
    const work = (async () => {
      await (await dying.desk.take(opened)).told;
      await (await dying.desk.take(over)).told;
    })();
    await Promise.race([work, until("death", () => first.isDead)]);
    if (first.isDead) killed++;
    const next = partyOf({ ...common, sinks: receivers.sinks(new Mortal()) });
    await next.desk.take(opened);
    await next.desk.take(over);
    await allDone(next);
    const told = [...receivers.keyed.values()].filter((notice) => notice.service === service);
    expect(told.map(({ change }) => change).toSorted()).toEqual(["opened", "resolved"]);
    expect(new Set(told.map(({ incident }) => incident)).size).toBe(1);
    const plain = Map.groupBy(receivers.plain, ({ id }) => id);
    expect([...plain.keys()].toSorted()).toEqual(told.map(({ id }) => id).toSorted());
    for (const same of plain.values()) {
      if (same.length > 1) twice++;
      expect(new Set(same.map((notice) => JSON.stringify(notice))).size).toBe(1);
    }
    const record = await next.store.incident(told[0]?.incident ?? "");
    expect(record?.timeline.map(({ seq }) => seq)).toEqual([1, 2]);
    for (const { deliveries } of record?.timeline ?? []) {
      expect(deliveries).toEqual({ keyed: "delivered", plain: "delivered" });
    }
    expect([...events.keys()].filter((id) => id.startsWith(told[0]?.incident ?? "?"))).toHaveLength(
      2,
    );
    await next.teller.stop();
  }
  console.log(
    `seed ${seed}: ${RUNS} runs, ${killed} killed, ${twice} notices sent twice to a sink without a key`,
  );
  expect(killed).toBeGreaterThan(RUNS / 2);
}, 120_000);

describe("sinks that fail", () => {
  const busy = () => new PetrelError("OVERLOADED", "busy", { retryAfterMs: 1 });
  const refused = () => new PetrelError("QUERY_REFUSED", "no");
  /** Its token is being rotated. */
  const rotated = () => new PetrelError("UNAUTHENTICATED", "no such token");

  /** Fails as `failures` say, then takes everything. */
  const failing = (name: string, failures: (() => unknown)[]) => {
    const taken: Notice[] = [];
    let tries = 0;
    const sink: AlarmSink = {
      name,
      isIdempotent: false,
      minSeverity: "info",
      timeoutMs: 50,
      send: async (notice) => {
        const failure = failures[tries++];
        if (failure) throw await failure();
        taken.push(notice);
      },
    };
    return { sink, taken, tries: () => tries };
  };

  const tell = async (sinks: readonly AlarmSink[]) => {
    const verdict = fault(0);
    const kv = await bucket();
    const verdicts = new Map([[verdict.id, verdict]]);
    const party = partyOf({ kv, verdicts, sinks, events: new Map(), words: new Map() });
    const { told } = await party.desk.take(verdict);
    await told;
    const [id = ""] = await party.store.ids();
    return { kv, record: await party.store.incident(id) };
  };

  test("for a while are tried again, and cost the others nothing", async () => {
    const slow = failing("slow", [busy, rotated, () => new Promise(() => {})]);
    const good = failing("good", []);
    const { record } = await tell([slow.sink, good.sink]);
    expect(slow.tries()).toBe(4);
    expect([slow.taken.length, good.taken.length]).toEqual([1, 1]);
    expect(record?.timeline[0]?.deliveries).toEqual({ slow: "delivered", good: "delivered" });
  });

  test("for good are dead letters, with the notice and the reason", async () => {
    for (const failure of [refused, () => new TypeError("odd"), () => undefined]) {
      const bad = failing("bad", [failure]);
      const { kv, record } = await tell([bad.sink]);
      expect(bad.tries()).toBe(1);
      expect(record?.timeline[0]?.deliveries).toEqual({ bad: "dead" });
      const letter = await kv.get(`dl.${record?.id}.1.bad`);
      expect(letter?.json()).toMatchObject({ sink: "bad", notice: { incident: record?.id } });
    }
  });
});

test("a notice that is sent again by another says what it said, whatever became of the incident", async () => {
  const kv = await bucket();
  const windows = [fault(0), fault(4, { affected: ["order-service", "ledger-service"] })];
  const verdicts = new Map(windows.map((verdict) => [verdict.id, verdict]));
  const common = { kv, verdicts, events: new Map<string, number>(), words: new Map() };
  const tried: Notice[] = [];
  const away: AlarmSink = {
    name: "sink",
    isIdempotent: true,
    minSeverity: "info",
    timeoutMs: 5_000,
    send: async (notice) => {
      tried.push(notice);
      throw new PetrelError("UNAVAILABLE", "away");
    },
  };
  const first = partyOf({ ...common, sinks: [away] });
  for (const verdict of windows) await (await first.desk.take(verdict)).recorded;
  await until("an attempt", () => tried.length > 0);
  await first.teller.stop();
  const taken: Notice[] = [];
  const there: AlarmSink = { ...away, send: async (notice) => void taken.push(notice) };
  const next = partyOf({ ...common, sinks: [there] });
  await allDone(next);
  expect(taken.map(({ change }) => change)).toEqual(["opened", "updated"]);
  expect(tried[0]?.affected).not.toEqual(taken[1]?.affected ?? []);
  expect(taken[0]).toEqual(tried[0] as Notice);
});

test("a source that is away and a fault in one window: each is told in its own words", async () => {
  const kv = await bucket();
  const failed = sources("failed", "anomalous");
  const splunk = { ...failed["splunk"], reason: "UNAVAILABLE: splunk does not answer" };
  const verdict = { ...fault(0), sources: { ...failed, splunk } } as Verdict;
  const receivers = new Receivers();
  const verdicts = new Map([[verdict.id, verdict]]);
  const sinks = receivers.sinks(new Mortal());
  const party = partyOf({ kv, verdicts, sinks, events: new Map(), words: new Map() });
  await (await party.desk.take(verdict)).told;
  const told = receivers.plain.toSorted((a, b) => a.kind.localeCompare(b.kind));
  expect(told).toMatchObject([
    { kind: "fault", title: "payment-service: connection pool exhausted", evidence: [{}] },
    { kind: "inconclusive", title: "petrel: source splunk cannot be read", evidence: [] },
  ]);
  expect(told[1]?.text).toBe(
    "08:45–08:50 UTC: source splunk cannot be read. splunk: UNAVAILABLE: splunk does not answer.",
  );
  // And the model is asked about the fault alone.
  expect(party.explained).toEqual([verdict.id]);
});

test("an end is told to the sinks that were told of the beginning, and to no other", async () => {
  const kv = await bucket();
  const low = fault(0, { confidence: 0.5 });
  const windows = [low, fault(1, { confidence: 0.95 }), quiet(2)];
  const verdicts = new Map(windows.map((verdict) => [verdict.id, verdict]));
  const taken: string[] = [];
  const sinkOf = (name: string, minSeverity: AlarmSink["minSeverity"]): AlarmSink => ({
    name,
    minSeverity,
    isIdempotent: true,
    timeoutMs: 5_000,
    send: async ({ change, severity }) => void taken.push(`${name} ${severity} ${change}`),
  });
  const common = { kv, verdicts, events: new Map<string, number>(), words: new Map() };
  const silenced = partyOf({
    ...common,
    sinks: [sinkOf("chat", "warning"), sinkOf("pager", "critical")],
  });
  await (await silenced.desk.take(low)).told;
  const from = low.window.end;
  const end = new Date(Date.parse(from) + 60 * MINUTE_MS).toISOString();
  const matchers = [{ field: "service" as const, isEqual: true, value: "*" }];
  const silence = { id: "s1", matchers, from, until: end, by: "alice", comment: "" };
  await silenced.store.changeBook((book) => ({ ...book, silences: [silence] }));
  // It gets worse while nobody is told, and is over after whoever runs Petrel asked for less in chat.
  await (await silenced.desk.take(windows[1] as Verdict)).told;
  await silenced.teller.stop();
  const next = partyOf({
    ...common,
    sinks: [sinkOf("chat", "critical"), sinkOf("pager", "critical")],
  });
  await (await next.desk.take(windows[2] as Verdict)).told;
  expect(taken).toEqual(["chat warning opened", "chat critical resolved"]);
});

test("two processes that work at once on windows of one fault tell it once", async () => {
  const windows = Array.from({ length: 8 }, (_, at) => fault(at));
  const kv = await bucket();
  const receivers = new Receivers();
  const verdicts = new Map(windows.map((one) => [one.id, one]));
  const common = {
    kv,
    verdicts,
    events: new Map<string, number>(),
    words: new Map<string, number>(),
  };
  const parties = ["one", "two"].map((owner) =>
    partyOf({ ...common, owner, isGone: () => false, sinks: receivers.sinks(new Mortal()) }),
  );
  await Promise.all(
    windows.map(async (verdict, at) => {
      const party = parties[at % 2];
      await (await party?.desk.take(verdict))?.told;
    }),
  );
  await Promise.all(parties.map(allDone));
  expect([...receivers.keyed.values()].map(({ change }) => change)).toEqual(["opened"]);
  expect(receivers.plain).toHaveLength(1);
  const explained = parties.flatMap((party) => party.explained);
  expect(explained).toHaveLength(1);
});

test("a book and a record that cannot be read hold back no alarm, and are set aside", async () => {
  const kv = await bucket();
  await kv.put("book", '{"version":1}');
  const verdict = fault(0);
  const receivers = new Receivers();
  const verdicts = new Map([[verdict.id, verdict]]);
  const sinks = receivers.sinks(new Mortal());
  const party = partyOf({ kv, verdicts, sinks, events: new Map(), words: new Map() });
  await (await party.desk.take(verdict)).told;
  expect(receivers.plain).toHaveLength(1);
  expect((await kv.get("broken.book"))?.string()).toBe('{"version":1}');
});

test("a process that was held while another told it sends nothing afterwards", async () => {
  const verdict = fault(0);
  const kv = await bucket();
  const verdicts = new Map([[verdict.id, verdict]]);
  const common = { kv, verdicts, events: new Map<string, number>(), words: new Map() };
  const { promise: isHeld, resolve: held } = Promise.withResolvers<void>();
  const { promise: goOn, resolve: wake } = Promise.withResolvers<void>();
  let sent = 0;
  const sink: AlarmSink = {
    name: "list",
    isIdempotent: false,
    minSeverity: "info",
    timeoutMs: 30_000,
    send: async () => void sent++,
  };
  // Held between its record and its first attempt: its looks at the record do not come back.
  let isRecorded = false;
  const slow = new Proxy(kv, {
    get(target, name, receiver) {
      const found: unknown = Reflect.get(target, name, receiver);
      if (typeof found !== "function") return found;
      return async (...args: unknown[]) => {
        const isRecord = String(args[0]).startsWith("inc.");
        if (isRecord && name === "get" && isRecorded) {
          held();
          await goOn;
        }
        const done: unknown = await found.apply(target, args);
        if (isRecord && name === "create") isRecorded = true;
        return done;
      };
    },
  });
  const first = partyOf({ ...common, kv: slow, sinks: [sink], owner: "held" });
  const taken = await first.desk.take(verdict);
  await isHeld;
  const second = partyOf({ ...common, sinks: [sink], owner: "next" });
  await second.desk.resume();
  await allDone(second);
  expect(sent).toBe(1);
  wake();
  await taken.told;
  expect(sent).toBe(1);
});

test("what was given up by another stays a dead letter", async () => {
  const verdict = fault(0);
  const kv = await bucket();
  const verdicts = new Map([[verdict.id, verdict]]);
  const common = { kv, verdicts, events: new Map<string, number>(), words: new Map() };
  const { promise: isTried, resolve: tried } = Promise.withResolvers<void>();
  const { promise: goOn, resolve: wake } = Promise.withResolvers<void>();
  const refused = new PetrelError("QUERY_REFUSED", "no");
  const sinkOf = (send: AlarmSink["send"]): AlarmSink => {
    return { name: "list", isIdempotent: true, minSeverity: "info", timeoutMs: 30_000, send };
  };
  const slow = sinkOf(async () => {
    tried();
    await goOn;
    throw new PetrelError("UNAVAILABLE", "later");
  });
  const first = partyOf({ ...common, sinks: [slow], owner: "held" });
  const taken = await first.desk.take(verdict);
  await isTried;
  const second = partyOf({ ...common, sinks: [sinkOf(() => Promise.reject(refused))] });
  await allDone(second);
  wake();
  await taken.told;
  const [id = ""] = await second.store.ids();
  const record = await second.store.incident(id);
  expect(record?.timeline[0]?.deliveries).toEqual({ list: "dead" });
});

test("what is done is not told again to who looks at a book from before", async () => {
  const verdict = fault(0);
  const verdicts = new Map([[verdict.id, verdict]]);
  const common = { kv: await bucket(), verdicts, events: new Map(), words: new Map() };
  const sinks = new Receivers().sinks(new Mortal());
  let told = 0;
  const party = partyOf({ ...common, sinks, onTold: () => void told++ });
  const taken = await party.desk.take(verdict);
  const before = { ...EMPTY_BOOK, heads: [...taken.incidents] };
  await taken.told;
  await party.teller.see(before).told;
  expect(told).toBe(1);
});
