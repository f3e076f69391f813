import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AUDIT_STREAM, type Mesh, packRecords } from "../../a2a/mod.ts";
import { type AuditEntry, type ReadOptions, readAudit, tallyAudit } from "../../bridge/mod.ts";
import { echo, openMesh, request } from "../a2a/echo.ts";
import { record } from "../support/audit-records.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";

let nats: NatsServer;
let mesh: Mesh;

beforeEach(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "host");
});

afterEach(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

const never = () => new AbortController().signal;

function read(more: Partial<ReadOptions> = {}): AsyncGenerator<AuditEntry, void, undefined> {
  return readAudit({ js: mesh.js, jsm: mesh.jsm, follow: false, signal: never(), ...more });
}

/** Stores one pack with a report by the caller for each id. */
function publish(...ids: readonly string[]) {
  return mesh.js.publish("audit.a.i", packRecords(ids.map((id) => record(id, "caller"))));
}

const namesOf = (entries: readonly AuditEntry[]) =>
  entries.map((entry) => (entry.kind === "record" ? entry.record.id : entry.kind));

describe("to the present end", () => {
  test("an empty stream has no entries, nor has one that is read from beyond its end", async () => {
    expect(await Array.fromAsync(read())).toEqual([]);
    await publish("one");
    expect(await Array.fromAsync(read({ fromSeq: 2 }))).toEqual([]);
  });

  test("every report comes with its place; a pack that cannot be unpacked is handed on", async () => {
    await publish("one", "two");
    await mesh.js.publish("audit.mallory.x", "junk");
    await publish("three");
    const entries = await Array.fromAsync(read());
    expect(namesOf(entries)).toEqual(["one", "two", "malformed", "three"]);
    expect(entries.map(({ seq }) => seq)).toEqual([1, 1, 2, 3]);
    expect(entries.map((entry) => (entry.kind === "record" ? entry.index : -1))).toEqual([
      0, 1, -1, 0,
    ]);
    expect(entries[2]).toMatchObject({ seq: 2, subject: "audit.mallory.x" });
    expect(namesOf(await Array.fromAsync(read({ fromSeq: 3 })))).toEqual(["three"]);
  });

  test("real calls tally: both ends reported each envelope", async () => {
    await mesh.serve(echo);
    for (let call = 1; call <= 30; call++) await mesh.transport("echo").sendMessage(request({}));
    await mesh.outbox.drain(5_000);
    expect(await tallyAudit(read())).toEqual({
      envelopes: 60,
      halfReported: 0,
      malformedPacks: 0,
      examples: [],
    });
  });
});

describe("a part does not pass for the whole", () => {
  test("a reader that is stopped rejects with the reason, and so does the tally", async () => {
    for (let pack = 1; pack <= 50; pack++) await publish(`p${pack}`);
    const stop = new AbortController();
    async function* stopping(): AsyncGenerator<AuditEntry> {
      for await (const entry of read({ signal: stop.signal })) {
        stop.abort(new Error("enough"));
        yield entry;
      }
    }
    await expect(tallyAudit(stopping())).rejects.toThrow("enough");
  });

  test("a reader that is stopped before it begins rejects too", async () => {
    await publish("one");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(Array.fromAsync(read({ signal }))).rejects.toThrow("enough");
  });

  test.each([true, false])(
    "a stream that is deleted while it is read is no end (follow: %p)",
    async (follow) => {
      // More than a reader is sent ahead.
      for (let pack = 1; pack <= 300; pack++) await publish(`p${pack}`);
      const cut = async () => {
        for await (const { seq } of read({ follow })) {
          if (seq === 1) await mesh.jsm.streams.delete(AUDIT_STREAM);
        }
      };
      await expect(cut()).rejects.toMatchObject({ code: "INCOMPLETE" });
    },
  );
});

describe("follow", () => {
  test("goes on with what arrives later, and ends when it is told", async () => {
    await publish("one");
    const stop = new AbortController();
    const seen: AuditEntry[] = [];
    const reading = (async () => {
      for await (const entry of read({ follow: true, signal: stop.signal })) seen.push(entry);
    })();
    await until("what was there", () => seen.length === 1);
    await publish("two");
    await until("what came later", () => seen.length === 2);
    stop.abort();
    await reading;
    expect(namesOf(seen)).toEqual(["one", "two"]);
  });

  test("goes on after NATS was killed and came back", async () => {
    await publish("one");
    const stop = new AbortController();
    const seen: AuditEntry[] = [];
    const reading = (async () => {
      for await (const entry of read({ follow: true, signal: stop.signal })) seen.push(entry);
    })();
    await until("what was there", () => seen.length === 1);
    await nats.kill9();
    await nats.restart();
    const published = async () => (await publish("two").catch(() => undefined)) !== undefined;
    await until("a pack that was taken", published);
    await until("what came later", () => seen.length > 1);
    stop.abort();
    await reading;
    expect(new Set(namesOf(seen))).toEqual(new Set(["one", "two"]));
  }, 60_000);

  test("ends at once when it was told before", async () => {
    const signal = AbortSignal.abort();
    expect(await Array.fromAsync(read({ follow: true, signal }))).toEqual([]);
  });
});

describe("a copy of a pack", () => {
  test("that is sent again within an hour is stored once", async () => {
    const { config } = await mesh.jsm.streams.info(AUDIT_STREAM);
    expect(config.duplicate_window).toBeGreaterThanOrEqual(3_600 * 1e9);
    const pack = packRecords([record("one", "caller")]);
    for (let copy = 1; copy <= 3; copy++) await mesh.js.publish("audit.a.i", pack, { msgID: "m" });
    expect(namesOf(await Array.fromAsync(read()))).toEqual(["one"]);
  });

  test("that is stored all the same is read as it is, and no envelope is counted twice", async () => {
    await publish("one", "two");
    await publish("one", "two");
    await mesh.js.publish(
      "audit.b.i",
      packRecords([record("one", "agent"), record("two", "agent")]),
    );
    await publish("one", "two");
    expect(namesOf(await Array.fromAsync(read()))).toHaveLength(8);
    expect(await tallyAudit(read())).toMatchObject({ envelopes: 2, halfReported: 0 });
  });
});
