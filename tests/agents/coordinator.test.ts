/** What a coordinator owes an investigation: to ask no more than it must, and to lose nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KV } from "@nats-io/kv";
import type { Mesh } from "../../a2a/mod.ts";
import { replyKey, writeReply } from "../../agents/replies.ts";
import type { InvestigationRecord } from "../../agents/sre/records.ts";
import type { Versioned } from "../../agents/sre/store.ts";
import { supervise } from "../../agents/sre/supervisor.ts";
import { newId, systemClock } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { noAnswer, withFaults } from "../support/faults.ts";
import { openLogBook } from "../support/log-book.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import {
  type Coordinating,
  evidenceAgent,
  investigationsOf,
  orphan,
  SOURCE,
  startCoordinator,
  WINDOW,
} from "./sre-fixtures.ts";
import { report } from "./verdict-fixtures.ts";

const OWNERS_MAX = 5;

let nats: NatsServer;
let mesh: Mesh;
let source: Mesh;
let kv: KV;
/** How often the evidence agent was asked to look. */
let looked = 0;
const started: Coordinating[] = [];

beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "sre");
  source = await openMesh(nats.url, SOURCE);
  kv = await investigationsOf(mesh);
  const look = async () => {
    looked++;
    return report([]);
  };
  await source.serve(evidenceAgent(await investigationsOf(source), source, look));
});

afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  await Promise.all([mesh.close(), source.close()]);
  await nats[Symbol.asyncDispose]();
});

/** A coordinator whose KV fails as `faults` say. */
async function coordinate(faults: Partial<KV> = {}): Promise<Coordinating> {
  const coordinating = await startCoordinator(mesh, withFaults(kv, faults));
  started.push(coordinating);
  return coordinating;
}

/** Leaves an orphan in KV, answered already if `answered`. */
async function leave(
  more: Partial<InvestigationRecord>,
  answered: boolean,
): Promise<Versioned<InvestigationRecord>> {
  const value = orphan(more);
  const [messageId = ""] = value.sources.map((asked) => asked.messageId);
  const reply = { status: "answered", messageId, taskId: "t", report: report([]) } as const;
  if (answered) await writeReply(kv, value.id, SOURCE, reply);
  return { value, revision: await kv.create(`task.${value.id}`, JSON.stringify(value)) };
}

/** Runs `work`; says how often the agent was asked meanwhile. */
async function asksDuring(work: () => Promise<unknown>): Promise<number> {
  const before = looked;
  await work();
  return looked - before;
}

describe("an investigation that has had too many owners", () => {
  test("asks nobody, and uses the reply that is there", async () => {
    const { coordinator, events } = await coordinate();
    const left = await leave({ owners: OWNERS_MAX }, true);
    const asks = await asksDuring(async () => {
      expect(await coordinator.adopt(left)).toMatchObject({ outcome: "quiet" });
    });
    expect(asks).toBe(0);
    expect(events.map(({ type }) => type)).not.toContain("task_sent");
    expect(events.at(-1)).toMatchObject({ type: "closed" });
  });

  test("asks nobody, and without a reply is inconclusive", async () => {
    const { coordinator } = await coordinate();
    const left = await leave({ owners: OWNERS_MAX }, false);
    const asks = await asksDuring(async () => {
      const verdict = await coordinator.adopt(left);
      expect(verdict?.outcome).toBe("inconclusive");
      expect(verdict?.sources[SOURCE]?.status).toBe("timed_out");
    });
    expect(asks).toBe(0);
  });

  test("with one owner less, is asked about again", async () => {
    const { coordinator } = await coordinate();
    const left = await leave({ owners: OWNERS_MAX - 1 }, false);
    expect(await asksDuring(() => coordinator.adopt(left))).toBe(1);
  });
});

describe("an adopted window", () => {
  test("with its reply there asks nobody", async () => {
    const { coordinator } = await coordinate();
    const left = await leave({}, true);
    const asks = await asksDuring(async () => {
      expect(await coordinator.adopt(left)).toMatchObject({ outcome: "quiet" });
    });
    expect(asks).toBe(0);
  });

  test("is adopted by one of two that try at once", async () => {
    const [one, two] = await Promise.all([coordinate(), coordinate()]);
    const left = await leave({}, true);
    const verdicts = await Promise.all([one.coordinator.adopt(left), two.coordinator.adopt(left)]);
    expect(verdicts.filter(Boolean)).toHaveLength(1);
    expect((await one.store.get(left.value.id))?.value).toMatchObject({
      owners: 2,
      state: "closed",
    });
  });
});

describe("a claim", () => {
  test("whose acknowledgement was lost is ours, and is worked on once", async () => {
    const id = newId();
    let lost = false;
    const { coordinator, store, events } = await coordinate({
      create: async (key, value) => {
        const revision = await kv.create(key, value);
        if (key !== `task.${id}` || lost) return revision;
        lost = true;
        throw noAnswer();
      },
    });
    const verdict = await coordinator.investigate({ window: WINDOW, baseline: [], id });
    expect(verdict?.outcome).toBe("quiet");
    expect(lost).toBe(true);
    expect(events.filter(({ type }) => type === "window_opened")).toHaveLength(1);
    expect((await store.get(id))?.value).toMatchObject({ state: "closed", owners: 1 });
  });

  test("that another made before is not ours", async () => {
    const left = await leave({}, false);
    const { coordinator } = await coordinate();
    const asks = await asksDuring(async () => {
      const claimed = coordinator.investigate({ window: WINDOW, baseline: [], id: left.value.id });
      expect(await claimed).toBeUndefined();
    });
    expect(asks).toBe(0);
    expect((await kv.get(`task.${left.value.id}`))?.revision).toBe(left.revision);
  });

  test("whose acknowledgement was lost, and that another has adopted since, is not ours", async () => {
    const id = newId();
    const { coordinator } = await coordinate({
      create: async (key, value) => {
        const revision = await kv.create(key, value);
        if (key !== `task.${id}`) return revision;
        const record: InvestigationRecord = JSON.parse(String(value));
        await kv.update(key, JSON.stringify({ ...record, owner: "other", owners: 2 }), revision);
        throw noAnswer();
      },
    });
    const claimed = coordinator.investigate({ window: WINDOW, baseline: [], id });
    expect(await claimed).toBeUndefined();
  });
});

test("a window whose verdict nobody can read is not tried again and again", async () => {
  const book = openLogBook();
  const sre = await startCoordinator(mesh, kv, book.log);
  started.push(sre);
  const left = await leave({ owner: mesh.instance }, true);
  await kv.put(`v.${left.value.id}`, "junk");
  let rounds = 0;
  const sleep = (ms: number, signal?: AbortSignal) => {
    rounds++;
    return systemClock.sleep(ms, signal);
  };
  const { coordinator, store } = sre;
  const { registry, instance } = mesh;
  const clock = { ...systemClock, sleep };
  const done = new AbortController();
  const resume = async () => {};
  const common = { coordinator, store, registry, instance, clock, log: book.log };
  const options = { ...common, resume, everyMs: 5 };
  const supervised = supervise(options, done.signal);
  const refused = () => book.count("investigation.not_adopted");
  await until("the refusal", () => refused() > 0);
  const first = rounds;
  await until("more rounds", () => rounds > first + 50);
  // The watch may bring our own adoption late, and so once more.
  expect(refused()).toBeLessThanOrEqual(3);
  done.abort();
  await supervised;
});

test("a KV that cannot be read for a moment costs the source nothing", async () => {
  const id = newId();
  const isReply = (key: string) => key.startsWith(replyKey(id, SOURCE, ""));
  let failures = 3;
  const { coordinator } = await coordinate({
    get: async (key, options) => {
      if (isReply(key) && failures-- > 0) throw noAnswer();
      return kv.get(key, options);
    },
  });
  const verdict = await coordinator.investigate({ window: WINDOW, baseline: [], id });
  expect(verdict?.sources[SOURCE]).toMatchObject({ status: "quiet" });
  expect(failures).toBeLessThanOrEqual(0);
});
