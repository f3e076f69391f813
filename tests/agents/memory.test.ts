import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KV } from "@nats-io/kv";
import type { Mesh, Turn } from "../../a2a/mod.ts";
import { AgentMemory, MEMORY_BYTES_MAX } from "../../agents/memory.ts";
import { WindowReader } from "../../agents/splunk/reader.ts";
import { silentLogger, systemClock } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
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
    await memory("one").save("x", bytes("learnt"));
    expect(await memory("one").load("x")).toEqual(bytes("learnt"));
    expect(await memory("two").load("x")).toBeUndefined();
  });

  test("writes nothing twice", async () => {
    const own = memory("three");
    await own.save("x", bytes("same"));
    const before = (await kv.get("s.three.x"))?.revision;
    await own.save("x", bytes("same"));
    expect((await kv.get("s.three.x"))?.revision).toBe(before);
    await own.save("x", bytes("other"));
    expect((await kv.get("s.three.x"))?.revision).toBeGreaterThan(before ?? 0);
  });

  test("what is too large is left out, and the store's absence fails nobody", async () => {
    await memory("four").save("x", new Uint8Array(MEMORY_BYTES_MAX + 1));
    expect(await memory("four").load("x")).toBeUndefined();
    const closed = await openMesh(nats.url);
    const away = await investigationsOf(closed);
    await closed.close();
    const lost = new AgentMemory({ kv: away, agent: "five", log });
    await lost.save("x", bytes("y"));
    expect(await lost.load("x")).toBeUndefined();
  });
});

describe("WindowReader", () => {
  const WINDOW = { startMs: 1_000_000, endMs: 1_300_000 };
  const names = Array.from(
    { length: 60 },
    (_, at) => `user-${String.fromCharCode(97 + (at % 26))}${at}x`,
  );

  /** Lines that a miner joins to one template only after it saw many of them. */
  function readerOf(agent: string) {
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
      memory: memory(agent),
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
    await memory("seven").save("templates", bytes("no snapshot"));
    expect(await idsOf(readerOf("seven"))).toHaveLength(1);
  });
});
