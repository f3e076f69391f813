/**
 * What a sink never took is sent to it again: the same notices, in the order of the changes, each once;
 * and whoever dies while at it, or is told no again, leaves what can be asked for again.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { KV } from "@nats-io/kv";
import type { Mesh } from "../../../a2a/mod.ts";
import { deadOf } from "../../../agents/incidents/deliveries.ts";
import { INCIDENTS_BUCKET } from "../../../agents/incidents/store.ts";
import type { Verdict } from "../../../agents/mod.ts";
import type { AlarmSink, Notice } from "../../../alarms/mod.ts";
import { newId, PetrelError } from "../../../core/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { until } from "../../support/until.ts";
import { fault, quiet } from "./fixtures.ts";
import { allDone, Mortal, type Party, partyOf } from "./parties.ts";

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

const NEVER = new AbortController().signal;
/** Nobody loses patience. */
const LATE_MS = Date.parse("9999-01-01T00:00:00Z");
const refused = () => new PetrelError("QUERY_REFUSED", "no such channel");
const away = () => new PetrelError("UNAVAILABLE", "nobody answers");
const rotated = () => new PetrelError("UNAUTHENTICATED", "no such token");

/** Opened, updated and resolved. */
const LIFE = [fault(0), fault(4, { affected: ["order-service", "ledger-service"] }), quiet(5)];

/** A receiver that says no as long as `says` does, and keeps what it takes and what it was asked. */
class Receiver {
  readonly taken: Notice[] = [];
  tries = 0;
  says: (notice: Notice) => unknown = () => undefined;
  readonly name: string;
  readonly isIdempotent: boolean;

  constructor(name = "chat", isIdempotent = false) {
    this.name = name;
    this.isIdempotent = isIdempotent;
  }

  sink(process = new Mortal()): AlarmSink {
    const { name, isIdempotent } = this;
    const send = (notice: Notice) =>
      process.do(async () => {
        this.tries++;
        const failure = await this.says(notice);
        if (failure) throw failure;
        this.taken.push(notice);
      });
    return { name, isIdempotent, minSeverity: "info", timeoutMs: 5_000, send };
  }

  get changes(): string[] {
    return this.taken.map(({ change }) => change);
  }
}

interface Told {
  readonly kv: KV;
  readonly party: Party;
  readonly id: string;
  /** Another process over the same bucket. */
  readonly another: (sinks: readonly AlarmSink[], process?: Mortal) => Party;
}

/** The windows told to `sinks`, as far as those take them. */
async function told(
  sinks: readonly AlarmSink[],
  windows: readonly Verdict[] = LIFE,
): Promise<Told> {
  const kv = await mesh.kvm.create(`${INCIDENTS_BUCKET}_${newId()}`, { history: 1 });
  const verdicts = new Map(windows.map((one) => [one.id, one]));
  const common = { kv, verdicts, events: new Map<string, number>(), words: new Map() };
  const another = (others: readonly AlarmSink[], process = new Mortal()) =>
    partyOf({ ...common, sinks: others, process });
  const party = another(sinks);
  for (const verdict of windows) await (await party.desk.take(verdict)).told;
  const [id = ""] = await party.store.ids();
  return { kv, party, id, another };
}

async function again({ teller, store }: Party, id: string, deadlineMs = LATE_MS) {
  const record = await store.incident(id);
  return teller.redeliver(id, record ? deadOf(record) : [], deadlineMs, NEVER);
}

async function statesOf({ store }: Party, id: string, sink = "chat") {
  const record = await store.incident(id);
  return record?.timeline.map(({ deliveries }) => deliveries[sink]);
}

async function letters(kv: KV): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of await kv.keys("dl.>")) keys.push(key);
  return keys.sort();
}

async function reasonOf(kv: KV, key: string): Promise<unknown> {
  return (await kv.get(key))?.json<{ reason: string }>().reason;
}

test("all that is dead is sent once, in order, as it was first put together", async () => {
  const chat = new Receiver();
  const refusedOnes: Notice[] = [];
  chat.says = (notice) => refusedOnes.push(notice) && refused();
  const { kv, party, id } = await told([chat.sink()]);
  expect(await statesOf(party, id)).toEqual(["dead", "dead", "dead"]);
  expect(await letters(kv)).toEqual([1, 2, 3].map((seq) => `dl.${id}.${seq}.chat`));
  chat.says = () => undefined;
  expect(await again(party, id)).toEqual(
    [1, 2, 3].map((seq) => ({ seq, sink: "chat", state: "delivered" as const })),
  );
  expect(chat.taken).toEqual(refusedOnes);
  expect(chat.changes).toEqual(["opened", "updated", "resolved"]);
  expect(await statesOf(party, id)).toEqual(["delivered", "delivered", "delivered"]);
  expect(await letters(kv)).toEqual([]);
  expect(await again(party, id)).toEqual([]);
  expect(chat.taken).toHaveLength(3);
});

test.each([
  ["is away", away, "nobody answers"],
  ["has another token", rotated, "no such token"],
])("a sink that %s is tried once, and its letter says so", async (_what, failure, words) => {
  const chat = new Receiver();
  chat.says = refused;
  const { kv, party, id } = await told([chat.sink()]);
  chat.says = failure;
  chat.tries = 0;
  const rest = { sink: "chat", state: "dead" as const, reason: "not tried after change 1" };
  expect(await again(party, id)).toEqual([
    { ...rest, seq: 1, reason: words },
    { ...rest, seq: 2 },
    { ...rest, seq: 3 },
  ]);
  expect(chat.tries).toBe(1);
  expect(await statesOf(party, id)).toEqual(["dead", "dead", "dead"]);
  expect(await reasonOf(kv, `dl.${id}.1.chat`)).toBe(words);
  expect(await reasonOf(kv, `dl.${id}.2.chat`)).toBe("no such channel");
});

test("a notice that is refused holds back no other, and no other sink", async () => {
  const [chat, mail] = [new Receiver(), new Receiver("mail")];
  chat.says = refused;
  mail.says = refused;
  const { party, id } = await told([chat.sink(), mail.sink()]);
  chat.says = ({ change }) => (change === "updated" ? refused() : undefined);
  mail.says = () => undefined;
  await again(party, id);
  expect(await statesOf(party, id)).toEqual(["delivered", "dead", "delivered"]);
  expect(mail.changes).toEqual(["opened", "updated", "resolved"]);
});

test("a sink that is gone from the configuration, and no time: said, and nothing is tried", async () => {
  const chat = new Receiver();
  chat.says = refused;
  const { kv, party, id, another } = await told([chat.sink()], LIFE.slice(0, 1));
  const dead = { seq: 1, sink: "chat", state: "dead" as const };
  expect(await again(another([]), id)).toEqual([
    { ...dead, reason: "no sink of this name is configured" },
  ]);
  chat.tries = 0;
  expect(await again(party, id, 0)).toEqual([
    { ...dead, reason: "there was no time left: ask again" },
  ]);
  expect(chat.tries).toBe(0);
  expect(await reasonOf(kv, `dl.${id}.1.chat`)).toBe("no such channel");
  await kv.delete(`n.${id}.1`);
  expect(await again(party, id)).toEqual([{ ...dead, reason: "its notice is no longer kept" }]);
});

test("a sink that keeps an alert hears last what it had heard last; another hears nothing twice", async () => {
  const [pager, chat] = [new Receiver("pager", true), new Receiver()];
  for (const one of [pager, chat]) {
    one.says = ({ change }) => (change === "resolved" ? undefined : refused());
  }
  const { party, id } = await told([pager.sink(), chat.sink()]);
  expect(await statesOf(party, id, "pager")).toEqual(["dead", "dead", "delivered"]);
  // The end cannot be told again: the opening it would end stays dead, and is asked for again.
  pager.says = ({ change }) => (change === "resolved" ? away() : undefined);
  chat.says = () => undefined;
  const outcomes = await again(party, id);
  expect(outcomes.filter(({ sink }) => sink === "pager")).toMatchObject(
    [1, 2].map((seq) => ({
      seq,
      state: "dead",
      reason: "it was sent, and change 3 could not be sent after it: nobody answers",
    })),
  );
  expect(await statesOf(party, id, "pager")).toEqual(["dead", "dead", "delivered"]);
  pager.says = () => undefined;
  expect(await again(party, id)).toMatchObject([{ state: "delivered" }, { state: "delivered" }]);
  expect(pager.changes.slice(-3)).toEqual(["opened", "updated", "resolved"]);
  expect(chat.changes).toEqual(["resolved", "opened", "updated"]);
  expect(await statesOf(party, id, "pager")).toEqual(["delivered", "delivered", "delivered"]);
});

test("while a later change is being sent there, nothing goes before it", async () => {
  const chat = new Receiver();
  chat.says = refused;
  const { party, id, another } = await told([chat.sink()], LIFE.slice(0, 1));
  const { promise: goOn, resolve: wake } = Promise.withResolvers<void>();
  let isSending = false;
  chat.says = async () => {
    isSending = true;
    await goOn;
  };
  const other = another([chat.sink()]);
  for (const verdict of LIFE) await (await party.desk.take(verdict)).recorded;
  await until("the end is being sent", () => isSending);
  const busy = [{ seq: 1, sink: "chat", state: "dead" as const, reason: /being sent/ }];
  for (const one of [party, other]) {
    const outcomes = await again(one, id);
    expect(outcomes.map(({ seq, reason }) => [seq, busy[0]?.reason.test(reason ?? "")])).toEqual([
      [1, true],
    ]);
  }
  wake();
  await allDone(party);
  expect(await again(party, id)).toEqual([{ seq: 1, sink: "chat", state: "delivered" }]);
});

test("killed at any step: what was not said to be delivered can be asked for again", async () => {
  const windows = LIFE.slice(0, 2);
  let killed = 0;
  for (let step = 1; step <= 24; step++) {
    const chat = new Receiver();
    chat.says = refused;
    const { kv, id, another } = await told([chat.sink()], windows);
    chat.says = () => undefined;
    const process = new Mortal(1 + Math.floor((step - 1) / 2), step % 2 === 0);
    const dying = again(another([chat.sink(process)], process), id);
    await Promise.race([dying, until("death", () => process.isDead)]);
    if (process.isDead) killed++;
    const next = another([chat.sink()]);
    const outcomes = await again(next, id);
    expect(outcomes.every(({ state }) => state === "delivered")).toBe(true);
    expect(await statesOf(next, id)).toEqual(["delivered", "delivered"]);
    expect(await letters(kv)).toEqual([]);
    // At least once, in order, and not again what was known to be taken.
    expect([...new Set(chat.changes)]).toEqual(["opened", "updated"]);
    expect(chat.taken.length).toBeLessThanOrEqual(3);
  }
  expect(killed).toBeGreaterThan(20);
});

test("two that are asked at once: every notice is taken, and none is left dead", async () => {
  const chat = new Receiver("chat", true);
  chat.says = refused;
  const { kv, party, id, another } = await told([chat.sink()]);
  chat.says = () => undefined;
  await Promise.all([again(party, id), again(another([chat.sink()]), id), again(party, id)]);
  expect(await statesOf(party, id)).toEqual(["delivered", "delivered", "delivered"]);
  expect(await letters(kv)).toEqual([]);
  expect(new Set(chat.changes)).toEqual(new Set(["opened", "updated", "resolved"]));
});
