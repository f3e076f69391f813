import { expect, test } from "bun:test";
import type { StreamResponse } from "@a2a-js/sdk";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import * as fc from "fast-check";
import { connect } from "nats";
import { AddressGuard } from "../../a2a/push/address.ts";
import { PUSH_BUCKET, PushConfigs } from "../../a2a/push/configs.ts";
import { PushSender } from "../../a2a/push/deliver.ts";
import type { Follow } from "../../a2a/push/follow.ts";
import { PushWorker, type PushWorkerOptions } from "../../a2a/push/worker.ts";
import { systemClock } from "../../core/mod.ts";
import { openLogBook } from "../support/log-book.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { configOf, eventOf, numberIn, startWebhook } from "./push-support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const guard = new AddressGuard({ allow: ["127.0.0.1"], allowHttp: true });
const RETRY = { attemptsMax: 4, firstMs: 1, capMs: 5, totalMs: 60_000 };

/** A task's log as the core keeps one: numbered events, and an end. */
class TaskLog {
  readonly #tasks = new Map<string, { events: StreamResponse[]; isOver: boolean }>();
  readonly #wakers = new Set<() => void>();
  #disturbances = 0;

  start(taskId: string): void {
    this.#tasks.set(taskId, { events: [], isOver: false });
  }

  append(taskId: string, isLast = false): void {
    const task = this.#tasks.get(taskId);
    if (!task) return;
    task.events.push(eventOf(taskId, task.events.length + 1));
    task.isOver = isLast;
    for (const wake of this.#wakers) wake();
  }

  /** The next so many reads break off. */
  disturb(times: number): void {
    this.#disturbances = times;
  }

  readonly follow: Follow = (taskId, _owner, after, signal) => this.#follow(taskId, after, signal);

  async *#follow(taskId: string, after: number, signal: AbortSignal) {
    const task = this.#tasks.get(taskId);
    if (!task) throw new TaskNotFoundError();
    for (let event = after + 1; ; event++) {
      while (task.events.length < event) {
        if (task.isOver) return;
        await this.#changed(signal);
      }
      if (this.#disturbances > 0) {
        this.#disturbances--;
        throw new Error("the log went away");
      }
      const response = task.events[event - 1];
      if (response) yield { event, response };
    }
  }

  #changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const wake = () => {
        this.#wakers.delete(wake);
        resolve();
      };
      this.#wakers.add(wake);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }
}

interface Replica {
  readonly worker: PushWorker;
  readonly configs: PushConfigs;
  /** As kill -9 would: nothing is given back. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

async function startReplica(
  nats: NatsServer,
  log: TaskLog,
  instance: string,
  more: Partial<PushWorkerOptions> = {},
): Promise<Replica> {
  const nc = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const jsm = await jetstreamManager(nc);
  const kv = await new Kvm(jetstream(nc)).create(PUSH_BUCKET, { history: 1 });
  const configs = new PushConfigs({ kv, jsm, agent: "worker", guard });
  const clock = systemClock;
  const worker = new PushWorker({
    configs,
    sender: new PushSender({ guard, clock, retry: RETRY, attemptTimeoutMs: 5_000 }),
    follow: log.follow,
    instance,
    isGone: () => false,
    clock,
    log: openLogBook().log,
    tickMs: 50,
    ...more,
  });
  const stopping = new AbortController();
  const running = worker.run(stopping.signal);
  const end = async (isKilled: boolean) => {
    if (isKilled) await nc.close();
    stopping.abort(new Error("stopped"));
    await running;
    await nc.close();
  };
  return { worker, configs, kill: () => end(true), stop: () => end(false) };
}

test("every event once and in order, to every config; the config ends with its task", async () => {
  await using nats = await startNats();
  await using one = startWebhook();
  await using two = startWebhook((n) => (n % 3 === 0 ? 503 : 200));
  const log = new TaskLog();
  const replica = await startReplica(nats, log, "r1");
  log.start("t1");
  await replica.configs.create("owner", configOf({ id: "c1", url: one.url }));
  for (let n = 1; n <= 20; n++) log.append("t1");
  await until("the first 20", () => one.received.length === 20);
  // It wants to hear from now on.
  await replica.configs.create("owner", configOf({ id: "c2", url: two.url }), 20);
  for (let n = 21; n <= 40; n++) log.append("t1", n === 40);
  const isOver = async () =>
    (await replica.configs.entries("owner", "t1")).every(({ state }) => state === "ended");
  await until("the end", isOver);
  expect(one.received.map(({ body }) => numberIn(body))).toEqual(range(1, 40));
  const second = two.received.filter((_, n) => (n + 1) % 3 !== 0).map(({ body }) => numberIn(body));
  expect(second).toEqual(range(21, 40));
  await until("nothing left to follow", () => replica.worker.following === 0);
  expect(replica.worker.counts).toEqual({ delivered: 60, refused: 0, stopped: 0 });
  await replica.stop();
});

test("two replicas: one of them delivers; when it is killed the other goes on", async () => {
  await using nats = await startNats();
  await using webhook = startWebhook();
  const log = new TaskLog();
  const gone = new Set<string>();
  const isGone = (instance: string) => gone.has(instance);
  const replicas = new Map<string, Replica>();
  for (const name of ["r1", "r2"]) {
    replicas.set(name, await startReplica(nats, log, name, { isGone }));
  }
  log.start("t1");
  const asking = await connect({ servers: nats.url });
  const jsm = await jetstreamManager(asking);
  const kv = await new Kvm(jetstream(asking)).open(PUSH_BUCKET);
  const configs = new PushConfigs({ kv, jsm, agent: "worker", guard });
  await configs.create("owner", configOf({ url: webhook.url }));
  const holder = async () => (await configs.entries("owner", "t1"))[0]?.holder ?? "";
  for (let n = 1; n <= 10; n++) log.append("t1");
  await until("ten", () => webhook.received.length === 10);
  const first = await holder();
  await replicas.get(first)!.kill();
  for (let n = 11; n <= 20; n++) log.append("t1", n === 20);
  expect(webhook.received.length).toBe(10);
  gone.add(first);
  await until("the rest", async () => (await configs.entries("owner", "t1"))[0]?.state === "ended");
  const numbers = webhook.received.map(({ body }) => numberIn(body));
  // The event in flight as it died may come again, in its place.
  expect([...new Set(numbers)]).toEqual(range(1, 20));
  expect(numbers.length).toBeLessThanOrEqual(21);
  expect(await holder()).not.toBe(first);
  for (const [name, replica] of replicas) if (name !== first) await replica.stop();
  await asking.close();
});

test("a replica that was only thought gone stops; at worst an event comes twice", async () => {
  await using nats = await startNats();
  await using webhook = startWebhook();
  const log = new TaskLog();
  const one = await startReplica(nats, log, "r1");
  log.start("t1");
  log.append("t1");
  await one.configs.create("owner", configOf({ url: webhook.url }));
  await until("the first", () => webhook.received.length === 1);
  const two = await startReplica(nats, log, "r2", { isGone: (instance) => instance === "r1" });
  await until("the other has it", () => two.worker.following === 1 && one.worker.following === 0);
  for (let n = 2; n <= 10; n++) log.append("t1", n === 10);
  await until("the end", () => two.worker.following === 0);
  const numbers = webhook.received.map(({ body }) => numberIn(body));
  expect([...new Set(numbers)]).toEqual(range(1, 10));
  expect(numbers.length).toBeLessThanOrEqual(11);
  await Promise.all([one.stop(), two.stop()]);
});

test("replicas are killed and come back at any moment: none left out, the order kept", async () => {
  await using nats = await startNats();
  let run = 0;
  // After how many notifications the replica that delivers is killed, again and again.
  const kills = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 });
  const property = fc.asyncProperty(kills, async (after) => {
    const taskId = `k${++run}`;
    await using webhook = startWebhook();
    const log = new TaskLog();
    const gone = new Set<string>();
    const isGone = (instance: string) => gone.has(instance);
    let replica = await startReplica(nats, log, `${taskId}r0`, { isGone });
    log.start(taskId);
    await replica.configs.create("owner", configOf({ taskId, url: webhook.url }));
    let events = 0;
    for (const [at, count] of after.entries()) {
      for (let n = 0; n < count; n++, events++) log.append(taskId);
      if (count > 0) await until("some of them", () => webhook.received.length > events - count);
      await replica.kill();
      gone.add(`${taskId}r${at}`);
      replica = await startReplica(nats, log, `${taskId}r${at + 1}`, { isGone });
    }
    log.append(taskId, true);
    await until("the end", async () => {
      const [entry] = await replica.configs.entries("owner", taskId);
      return entry?.state === "ended";
    });
    const numbers = webhook.received.map(({ body }) => numberIn(body));
    expect([...new Set(numbers)]).toEqual(range(1, events + 1));
    expect(numbers.length).toBeLessThanOrEqual(events + 1 + after.length);
    await replica.stop();
  });
  await fc.assert(property, { seed, numRuns: 12 });
});

test("a replica that stops gives back what it holds, and another takes it at once", async () => {
  await using nats = await startNats();
  await using webhook = startWebhook();
  const log = new TaskLog();
  const one = await startReplica(nats, log, "r1");
  log.start("t1");
  log.append("t1");
  await one.configs.create("owner", configOf({ url: webhook.url }));
  await until("the first", () => webhook.received.length === 1);
  const two = await startReplica(nats, log, "r2");
  await one.stop();
  log.append("t1", true);
  await until("the second", () => webhook.received.length === 2);
  await two.stop();
});

test("a deleted config is left at once; a replaced one goes on under its new address", async () => {
  await using nats = await startNats();
  await using old = startWebhook();
  await using fresh = startWebhook();
  const log = new TaskLog();
  const replica = await startReplica(nats, log, "r1");
  log.start("t1");
  log.start("t2");
  await replica.configs.create("owner", configOf({ url: old.url }));
  await replica.configs.create("owner", configOf({ taskId: "t2", url: old.url }));
  log.append("t1");
  log.append("t2");
  await until("both", () => old.received.length === 2);
  await replica.configs.create("owner", configOf({ url: fresh.url }));
  await replica.configs.delete("owner", configOf({ taskId: "t2", url: old.url }));
  await until("the one left", () => replica.worker.following === 1);
  log.append("t2");
  log.append("t1", true);
  await until("the new address", () => fresh.received.length === 1);
  expect(old.received).toHaveLength(2);
  expect(numberIn(fresh.received[0]!.body)).toBe(2);
  await replica.stop();
});

test("a webhook that refuses or is gone, a task that is gone, a log that breaks off", async () => {
  await using nats = await startNats();
  await using refusing = startWebhook(() => 400);
  await using gone = startWebhook(() => 410);
  await using dead = startWebhook(() => 500);
  await using picky = startWebhook((n) => (n === 2 ? 413 : 200));
  const book = openLogBook();
  const log = new TaskLog();
  const replica = await startReplica(nats, log, "r1", { log: book.log });
  log.start("t1");
  for (let n = 1; n <= 8; n++) log.append("t1", n === 8);
  const hooks = { refusing, gone, dead, picky };
  for (const [id, { url }] of Object.entries(hooks)) {
    await replica.configs.create("owner", configOf({ id, url }));
  }
  await replica.configs.create("owner", configOf({ taskId: "t9", url: picky.url }));
  const states = async () =>
    Object.fromEntries(
      (await replica.configs.entries("owner", "t1")).map(({ config, state }) => [config.id, state]),
    );
  await until("all settled", async () => !Object.values(await states()).includes("active"));
  expect(await states()).toEqual({
    refusing: "stopped",
    gone: "stopped",
    dead: "stopped",
    picky: "ended",
  });
  expect(refusing.received).toHaveLength(5);
  expect(gone.received).toHaveLength(1);
  expect(dead.received).toHaveLength(RETRY.attemptsMax);
  expect(picky.received).toHaveLength(8);
  expect(replica.worker.counts).toEqual({ delivered: 7, refused: 6, stopped: 3 });
  expect(book.count("push.stopped")).toBe(3);
  await until("t9 gone", async () => (await replica.configs.entries("owner", "t9")).length === 0);

  log.start("t2");
  log.disturb(2);
  await replica.configs.create("owner", configOf({ taskId: "t2", url: picky.url }));
  log.append("t2");
  log.append("t2", true);
  await until("in spite of it", () => picky.received.length === 10);
  expect(book.count("push.follow_failed")).toBe(2);
  await replica.stop();
});

test("no log line shows what the client keeps secret", async () => {
  await using nats = await startNats();
  await using webhook = startWebhook(() => 400);
  const lines: string[] = [];
  const note = (event: string, fields?: object) => lines.push(JSON.stringify({ event, ...fields }));
  const logger = { debug: note, info: note, warn: note, error: note, with: () => logger };
  const log = new TaskLog();
  const replica = await startReplica(nats, log, "r1", { log: logger });
  log.start("t1");
  for (let n = 1; n <= 6; n++) log.append("t1", n === 6);
  const secrets = {
    url: `${webhook.url}?key=s3cr3t`,
    token: "s3cr3t",
    authentication: { scheme: "Bearer", credentials: "s3cr3t" },
  };
  await replica.configs.create("owner", configOf(secrets));
  await until("given up", () => replica.worker.counts.stopped === 1);
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.join("\n")).not.toContain("s3cr3t");
  await replica.stop();
});

test("more configs than it follows at a time wait, and are served; NATS may be away meanwhile", async () => {
  await using nats = await startNats();
  await using webhook = startWebhook();
  const log = new TaskLog();
  const replica = await startReplica(nats, log, "r1", { followedMax: 8 });
  for (let n = 1; n <= 6; n++) {
    log.start(`t${n}`);
    await replica.configs.create("owner", configOf({ taskId: `t${n}`, url: webhook.url }));
  }
  // A quarter of its places is one owner's at most.
  expect(replica.worker.following).toBeLessThanOrEqual(2);
  await nats.kill9();
  for (let n = 1; n <= 6; n++) log.append(`t${n}`, true);
  await nats.restart();
  const tasks = () =>
    new Set(webhook.received.map(({ body }) => JSON.parse(body).statusUpdate.taskId));
  await until("all six", () => tasks().size === 6);
  await replica.stop();
});

test("whatever the webhook answers, it gets the events in order and none is left out", async () => {
  await using nats = await startNats();
  const log = new TaskLog();
  const replica = await startReplica(nats, log, "r1");
  let run = 0;
  const answers = fc.array(fc.constantFrom(200, 200, 204, 429, 500, 503), { maxLength: 20 });
  const property = fc.asyncProperty(
    answers,
    fc.integer({ min: 1, max: 8 }),
    async (statuses, events) => {
      const taskId = `p${++run}`;
      const taken: number[] = [];
      let failedInRow = 0;
      await using webhook = startWebhook((n, { body }) => {
        const asked = statuses[n - 1] ?? 200;
        // Never so often that it would be given up.
        const status = asked >= 400 && failedInRow >= RETRY.attemptsMax - 1 ? 200 : asked;
        failedInRow = status >= 400 ? failedInRow + 1 : 0;
        if (status < 400) taken.push(numberIn(body));
        return status === 204 ? new Response(null, { status }) : status;
      });
      log.start(taskId);
      await replica.configs.create("owner", configOf({ taskId, url: webhook.url }));
      for (let n = 1; n <= events; n++) log.append(taskId, n === events);
      await until("the last", () => taken.length >= events);
      expect(taken).toEqual(range(1, events));
    },
  );
  await fc.assert(property, { seed, numRuns: 25 });
  await replica.stop();
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}
