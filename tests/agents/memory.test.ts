import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KV } from "@nats-io/kv";
import type { Mesh, Turn } from "../../a2a/mod.ts";
import { AgentMemory, MEMORY_BYTES_MAX } from "../../agents/memory.ts";
import { WindowReader } from "../../agents/splunk/reader.ts";
import { silentLogger, systemClock } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { storeOf } from "./memory-fixtures.ts";
import { investigationsOf } from "./sre-fixtures.ts";

let nats: NatsServer;
let mesh: Mesh;
let kv: KV;

beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url);
  kv = await investigationsOf(mesh);
});

afterAll(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

const log = silentLogger;
const memory = (agent: string) => new AgentMemory({ kv, agent, log });
const bytes = (text: string) => new TextEncoder().encode(text);

describe("AgentMemory", () => {
  test("keeps what was stored for whoever comes next, each agent's apart", async () => {
    const own = memory("one");
    expect(await own.load("x")).toEqual({ state: "absent" });
    await own.save("x", bytes("learnt"));
    expect(await memory("one").load("x")).toEqual({ state: "stored", bytes: bytes("learnt") });
    expect(await memory("two").load("x")).toEqual({ state: "absent" });
  });

  test("writes nothing twice", async () => {
    const own = memory("three");
    await own.load("x");
    await own.save("x", bytes("same"));
    const before = (await kv.get("s.three.x"))?.revision;
    await own.save("x", bytes("same"));
    expect((await kv.get("s.three.x"))?.revision).toBe(before);
    await own.save("x", bytes("other"));
    expect((await kv.get("s.three.x"))?.revision).toBeGreaterThan(before ?? 0);
  });

  test("what is too large is left out, and the store's absence fails nobody", async () => {
    const own = memory("four");
    await own.load("x");
    await own.save("x", new Uint8Array(MEMORY_BYTES_MAX + 1));
    expect(await own.load("x")).toEqual({ state: "absent" });
    const closed = await openMesh(nats.url);
    const away = await investigationsOf(closed);
    await closed.close();
    const lost = new AgentMemory({ kv: away, agent: "five", log });
    expect(await lost.load("x")).toEqual({ state: "away" });
    await lost.save("x", bytes("y"));
  });

  test("a name that could not be read is not written: what is there may be better", async () => {
    const store = storeOf();
    const own = new AgentMemory({ kv: store.kv, agent: "a", log });
    store.values.set("s.a.x", bytes("good"));
    store.isAway = true;
    expect(await own.load("x")).toEqual({ state: "away" });
    store.isAway = false;
    await own.save("x", bytes("young"));
    expect(store.values.get("s.a.x")).toEqual(bytes("good"));
    expect(await own.load("x")).toEqual({ state: "stored", bytes: bytes("good") });
    await own.save("x", bytes("better"));
    expect(store.values.get("s.a.x")).toEqual(bytes("better"));
  });
});

describe("WindowReader", () => {
  const WINDOW = { startMs: 1_000_000, endMs: 1_300_000 };
  const names = Array.from(
    { length: 60 },
    (_, at) => `user-${String.fromCharCode(97 + (at % 26))}${at}x`,
  );

  /** Lines that a miner joins to one template only after it saw many of them. */
  function readerOf(agent: string, own = memory(agent)) {
    return new WindowReader({
      source: {
        name: "fixture",
        async *open() {
          const rows = names.map((name, at) => ({
            raw: `INFO a.b.Login session opened for ${name} by root`,
            timeMs: WINDOW.startMs + at,
            service: "auth",
          }));
          yield { rows, bytes: 100 };
        },
      },
      clock: systemClock,
      memory: own,
      log,
    });
  }

  const turn = { signal: new AbortController().signal, progress: () => {} } as unknown as Turn;

  async function idsOf(reader: WindowReader): Promise<string[]> {
    const summary = await reader.current(await reader.read({}, WINDOW, turn, "window"));
    return [...summary.templates.keys()].sort();
  }

  test("a template keeps its id over a restart", async () => {
    const first = readerOf("six");
    const ids = await idsOf(first);
    await first.keep();
    expect(ids).toHaveLength(1);
    expect(await idsOf(readerOf("six"))).toEqual(ids);
  });

  test("a damaged memory is a new beginning", async () => {
    const own = memory("seven");
    await own.load("templates");
    await own.save("templates", bytes("no snapshot"));
    expect(await idsOf(readerOf("seven"))).toHaveLength(1);
  });

  test("a store that was away at first is taken up later, not overwritten", async () => {
    const store = storeOf();
    const open = () => new AgentMemory({ kv: store.kv, agent: "a", log });
    const first = readerOf("a", open());
    const ids = await idsOf(first);
    await first.keep();
    const good = store.values.get("s.a.templates");
    store.isAway = true;
    const second = readerOf("a", open());
    await second.current(await second.read({}, { startMs: 0, endMs: 1 }, turn, "window"));
    await second.keep();
    store.isAway = false;
    await second.keep();
    expect(store.values.get("s.a.templates")).toEqual(good);
    await second.keep();
    expect(await idsOf(readerOf("a", open()))).toEqual(ids);
  });
});
