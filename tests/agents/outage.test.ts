/**
 * NATS killed as a power cut would, and started again, under investigations. The tests run side by side:
 * most of their time is a client's patience with a server that is not there.
 */
import { expect, test } from "bun:test";
import type { Mesh, Turn } from "../../a2a/mod.ts";
import { SreAgent, type SreEvent, type Verdict } from "../../agents/mod.ts";
import { replyKey, writeReply } from "../../agents/replies.ts";
import { InvestigationStore } from "../../agents/sre/store.ts";
import { supervise } from "../../agents/sre/supervisor.ts";
import { newId, systemClock } from "../../core/mod.ts";
import type { SourceReport } from "../../streams/mod.ts";
import { echo, openMesh } from "../a2a/echo.ts";
import { type LogBook, openLogBook } from "../support/log-book.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import {
  evidenceAgent,
  incidentSettings,
  investigationsOf,
  orphan,
  SOURCE,
  startCoordinator,
  WINDOW,
} from "./sre-fixtures.ts";
import { report } from "./verdict-fixtures.ts";

const TEST_MS_MAX = 60_000;

interface World extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly sre: SreAgent;
  readonly events: readonly SreEvent[];
  /** The SRE agent's own log, and its source's. */
  readonly sreLog: LogBook;
  readonly sourceLog: LogBook;
}

/** An SRE agent and one source, each with its own connection. */
async function openWorld(
  look?: (turn: Turn, nats: NatsServer) => Promise<SourceReport>,
): Promise<World> {
  const nats = await startNats();
  const [sreLog, sourceLog] = [openLogBook(), openLogBook()];
  const mesh = await openMesh(nats.url, "sre", { log: sreLog.log });
  const source = await openMesh(nats.url, SOURCE, { log: sourceLog.log });
  const kv = await investigationsOf(source);
  await source.serve(evidenceAgent(kv, source, look && ((turn) => look(turn, nats))));
  const events: SreEvent[] = [];
  const sre = new SreAgent({
    mesh,
    kv: await investigationsOf(mesh),
    log: sreLog.log,
    sources: [SOURCE],
    timeoutMs: 60_000,
    baselineWindows: 1,
    inFlightMax: 4,
    superviseEveryMs: 500,
    sinks: [],
    ...(await incidentSettings(mesh)),
    onEvent: (event) => void events.push(event),
  });
  await sre.start();
  const close = async () => {
    await sre.stop();
    await Promise.all([mesh.close(), source.close()]);
    await nats[Symbol.asyncDispose]();
  };
  return { nats, sre, events, sreLog, sourceLog, [Symbol.asyncDispose]: close };
}

/** The verdict, unless the wait for what has to come before it fails first. */
async function verdictAfter(
  verdict: Promise<Verdict | undefined>,
  meanwhile: Promise<void>,
): Promise<Verdict | undefined> {
  const [settled] = await Promise.all([verdict, meanwhile]);
  return settled;
}

test.concurrent(
  "a window that opens while NATS is away is investigated once it is back",
  async () => {
    await using world = await openWorld();
    const { nats, sre, sreLog } = world;
    await nats.kill9();
    const verdict = sre.investigate(WINDOW, { id: "w" });
    const back = until("a claim that failed", () => sreLog.count("store.retry") > 0).then(() =>
      nats.restart(),
    );
    expect(await verdictAfter(verdict, back)).toMatchObject({ id: "w", outcome: "quiet" });
    expect(await sre.verdict("w")).toMatchObject({ outcome: "quiet" });
  },
  TEST_MS_MAX,
);

test.concurrent(
  "NATS restarted as a source is asked: the source is heard all the same",
  async () => {
    await using world = await openWorld();
    const { nats, sre, events } = world;
    const verdict = sre.investigate(WINDOW, { id: "w" });
    const asked = until("the question", () => events.some(({ type }) => type === "task_sent"));
    const settled = await verdictAfter(
      verdict,
      asked.then(() => nats.kill9()).then(() => nats.restart()),
    );
    expect(settled?.sources[SOURCE]).toMatchObject({ status: "quiet" });
  },
  TEST_MS_MAX,
);

test.concurrent(
  "evidence that was found is written once NATS is back, and is not called failed",
  async () => {
    const { promise: isFound, resolve: found } = Promise.withResolvers<void>();
    let looks = 0;
    await using world = await openWorld(async (_, nats) => {
      // Who is asked again, its answer's stream having been cut, finds NATS there.
      if (++looks === 1) await nats.kill9();
      found();
      return report([]);
    });
    const { nats, sre, sourceLog } = world;
    const verdict = sre.investigate(WINDOW, { id: "w" });
    const lost = () => sourceLog.count("evidence.again") + sourceLog.count("evidence.failed") > 0;
    const back = isFound.then(() => until("a reply that was not written", lost));
    const settled = await verdictAfter(
      verdict,
      back.then(() => nats.restart()),
    );
    expect(settled?.sources[SOURCE]).toMatchObject({ status: "quiet" });
    expect(sourceLog.count("evidence.failed")).toBe(0);
  },
  TEST_MS_MAX,
);

test.concurrent(
  "whoever waits for a reply, for records or for cards hears them after a restart",
  async () => {
    await using nats = await startNats();
    const mesh = await openMesh(nats.url, "sre");
    const other = await openMesh(nats.url, "other");
    await other.serve(echo);
    const sre = await startCoordinator(mesh, await investigationsOf(mesh));
    const { desk, store } = sre;
    const seen: string[] = [];
    const done = new AbortController();
    await store.watch(({ value }) => void seen.push(value.id), done.signal);
    const kv = await investigationsOf(other);
    const [before, after] = [orphan(), orphan()];
    const theirs = new InvestigationStore(kv, mesh.log);
    await theirs.open(before);
    await until("the record before", () => seen.includes(before.id));
    const messageId = newId();
    const reply = desk.wait(replyKey("w", SOURCE, messageId), done.signal);

    await nats.kill9();
    await nats.restart();
    const written = async (write: () => Promise<unknown>) =>
      write().then(
        () => true,
        () => false,
      );
    const failed = { status: "failed", messageId, taskId: "t", code: "X", reason: "r" } as const;
    await until("the reply's write", () => written(() => writeReply(kv, "w", SOURCE, failed)));
    await until("the record's write", () => written(() => theirs.open(after)));

    expect(await reply).toEqual(failed);
    await until("the record after", () => seen.includes(after.id));
    await until("the card", () => mesh.registry.list().length === 1);
    done.abort();
    await sre.stop();
    await Promise.all([mesh.close(), other.close()]);
  },
  TEST_MS_MAX,
);

/** Serves an agent on both; says whether `watcher` ever took `owner` for gone until `check` held. */
async function wasJudgedGone(
  watcher: Mesh,
  owner: Mesh,
  what: string,
  check: () => boolean,
): Promise<boolean> {
  let gone = false;
  await until(what, () => {
    gone ||= watcher.registry.isGone(owner.instance);
    return gone || check();
  });
  return gone;
}

test.concurrent(
  "after an outage longer than their cards live, live owners are not judged gone",
  async () => {
    // Longer than the five seconds that a heartbeat waits for an acknowledgement that was lost.
    const cardTtlMs = 6_000;
    await using nats = await startNats();
    const watcher = await openMesh(nats.url, "watcher", { cardTtlMs });
    const owner = await openMesh(nats.url, "owner", { cardTtlMs });
    await watcher.serve({ ...echo, name: "one" });
    await owner.serve({ ...echo, name: "two" });
    const { registry } = watcher;
    const isHeard = () => registry.list().some(({ instance }) => instance === owner.instance);
    await until("the owner's card", isHeard);
    await nats.kill9();
    expect(await wasJudgedGone(watcher, owner, "the cards' end", () => !isHeard())).toBe(false);
    await nats.restart();
    expect(await wasJudgedGone(watcher, owner, "the owner again", isHeard)).toBe(false);
    // Who listens for a whole TTL knows again who is gone.
    const knows = () => registry.isGone("nobody");
    expect(await wasJudgedGone(watcher, owner, "somebody gone", knows)).toBe(false);
    await Promise.all([watcher.close(), owner.close()]);
  },
  TEST_MS_MAX,
);

test.concurrent(
  "a process that was paused judges nobody gone, and soon knows again who is",
  async () => {
    const cardTtlMs = 3_000;
    let pausedMs = 0;
    // As after SIGCONT: time has passed, and nothing that came meanwhile was read yet.
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + pausedMs };
    await using nats = await startNats();
    const watcher = await openMesh(nats.url, "watcher", { cardTtlMs, clock });
    const owner = await openMesh(nats.url, "owner", { cardTtlMs });
    await watcher.serve({ ...echo, name: "one" });
    await owner.serve({ ...echo, name: "two" });
    const knows = () => watcher.registry.isGone("nobody");
    expect(await wasJudgedGone(watcher, owner, "somebody gone", knows)).toBe(false);
    pausedMs = 10 * cardTtlMs;
    expect(watcher.registry.isGone(owner.instance)).toBe(false);
    expect(knows()).toBe(false);
    expect(await wasJudgedGone(watcher, owner, "somebody gone again", knows)).toBe(false);
    await Promise.all([watcher.close(), owner.close()]);
  },
  TEST_MS_MAX,
);

test.concurrent(
  "a supervisor that starts while NATS is away finds the orphans once it is back",
  async () => {
    await using nats = await startNats();
    const book = openLogBook();
    const mesh = await openMesh(nats.url, "sre", { log: book.log });
    const source = await openMesh(nats.url, SOURCE);
    await source.serve(evidenceAgent(await investigationsOf(source), source));
    const kv = await investigationsOf(mesh);
    const sre = await startCoordinator(mesh, kv, book.log);
    const { coordinator, store } = sre;
    const left = orphan();
    await store.open(left);
    await nats.kill9();
    const done = new AbortController();
    const { registry, instance, clock } = mesh;
    const resume = async () => {};
    const supervised = supervise(
      { coordinator, store, registry, instance, clock, log: book.log, everyMs: 200, resume },
      done.signal,
    );
    const retried = until(
      "a watch that failed",
      () => book.count("investigations.not_watched") > 0,
    );
    await Promise.race([retried, supervised]);
    await nats.restart();
    const adopted = async () => (await store.verdict(left.id).catch(() => undefined)) !== undefined;
    await until("the orphan's verdict", adopted);
    expect(await store.verdict(left.id)).toMatchObject({ outcome: "quiet" });
    done.abort();
    await supervised;
    await sre.stop();
    await Promise.all([mesh.close(), source.close()]);
  },
  TEST_MS_MAX,
);

test.concurrent(
  "a mesh whose NATS is dead closes all the same",
  async () => {
    const nats = await startNats();
    const book = openLogBook();
    const mesh = await openMesh(nats.url, "host", { log: book.log });
    await mesh.serve(echo);
    await until("the card", () => mesh.registry.list().length === 1);
    await nats[Symbol.asyncDispose]();
    await mesh.close();
    expect(mesh.nc.isClosed()).toBe(true);
  },
  TEST_MS_MAX,
);
