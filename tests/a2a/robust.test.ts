/** One peer that misbehaves, one process that leaves: the rest goes on. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { headers } from "@nats-io/nats-core";
import { AUDIT_STREAM, type AuditRecord, type Mesh, unpackRecords } from "../../a2a/mod.ts";
import { newId } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";
import { openLogBook } from "../support/log-book.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { echo, openMesh, request } from "./echo.ts";

let nats: NatsServer;
let client: Mesh;

beforeAll(async () => {
  nats = await startNats();
  client = await openMesh(nats.url, "client");
});
afterAll(async () => {
  await client.close();
  await nats[Symbol.asyncDispose]();
});

describe("an agent that answers what nobody can read", () => {
  const KIB = 1024;
  const answers: readonly (readonly [string, Uint8Array])[] = [
    ["more than the audit takes", Buffer.alloc(1024 * KIB - 200, "x")],
    ["bytes that are no UTF-8", new Uint8Array(900 * KIB).fill(0xff)],
  ];

  test.each(answers)(
    "%s: the call fails, the audit keeps its digest and goes on",
    async (_, bytes) => {
      const name = `bad-${newId()}`;
      const host = await openMesh(nats.url, "bad");
      const given = headers();
      given.set("a2a-frame", "data");
      given.set("a2a-seq", "1");
      host.nc.subscribe(`a2a.v1.rpc.${name}.*.*`, {
        callback: (_error, message) => void message.respond(bytes, { headers: given }),
      });
      await host.nc.flush();
      const protocolViolation = { code: "PROTOCOL_VIOLATION", retry: "never" };
      // More bad packs than the outbox has in flight at once.
      for (let call = 1; call <= 6; call++) {
        const unary = client.transport(name).sendMessage(request({}));
        await expect(unary).rejects.toMatchObject(protocolViolation);
        const stream = client.transport(name).sendMessageStream(request({}));
        await expect(stream.next()).rejects.toMatchObject(protocolViolation);
      }
      await client.outbox.drain(10_000);
      expect(client.outbox.counts).toMatchObject({ pending: 0, retries: 0 });
      const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
      const { body } = await lastRecord(client);
      expect(JSON.parse(body)).toMatchObject({ bytes: bytes.length, sha256 });
      await host.close();
    },
  );
});

async function lastRecord(mesh: Mesh): Promise<AuditRecord> {
  const subject = `audit.${mesh.name}.${mesh.instance}.0`;
  const last = await mesh.jsm.streams.getMessage(AUDIT_STREAM, { last_by_subj: subject });
  const record = unpackRecords(last?.data ?? new Uint8Array()).at(-1);
  if (!record) throw new Error("nothing was audited");
  return record;
}

test("an answer goes to an inbox, never where records, requests or the audit are written", async () => {
  const book = openLogBook();
  const host = await openMesh(nats.url, "host", { log: book.log });
  await host.serve({ ...echo, name: "candid" });
  const forbidden = [
    "$KV.PETREL_INVESTIGATIONS.v.x",
    "$JS.API.STREAM.INFO.AUDIT",
    "$SRV.PING",
    "audit.forged.x",
    "a2a.v1.rpc.candid.mallory.SendMessage",
    "a2a.v1.skill.echo.mallory.SendMessage",
    "a2a.v1.task.candid.mallory.t1",
    `a2a.v1.ctl.candid.${host.instance}`,
    "a2a.v1.card.candid",
  ];
  const written: string[] = [];
  for (const subject of forbidden) {
    client.nc.subscribe(subject, {
      callback: (_error, { data }) => void written.push(`${subject}: ${data.length} bytes`),
    });
  }
  await client.nc.flush();
  for (const reply of forbidden) {
    client.nc.publish("a2a.v1.rpc.candid.mallory.SendMessage", "junk", { reply });
  }
  // The requests arrive at the spy too: it listens on their subject.
  const asked = forbidden.map(() => "a2a.v1.rpc.candid.mallory.SendMessage: 4 bytes");
  await until("every request", () => written.length >= asked.length);
  await until("every refusal", () => book.count("rpc.no_reply_subject") === forbidden.length);
  await host.nc.flush();
  await client.nc.flush();
  expect(written).toEqual(asked);
  const answer = await client.nc.request("a2a.v1.rpc.candid.mallory.SendMessage", "junk", {
    timeout: 5_000,
  });
  expect(answer.json()).toHaveProperty("error");
  await host.close();
});

/** The rejections that nobody handles, until the end of the block. */
function unhandledRejections(): Disposable & { readonly seen: readonly unknown[] } {
  const seen: unknown[] = [];
  const note = (error: unknown) => void seen.push(error);
  process.on("unhandledRejection", note);
  return { seen, [Symbol.dispose]: () => void process.off("unhandledRejection", note) };
}

test("a caller whose answer is under way when the agent stops is told so; the late answer is nobody's", async () => {
  using unhandled = unhandledRejections();
  const book = openLogBook();
  const host = await openMesh(nats.url, "late", { log: book.log });
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
  const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
  await host.serve({
    ...echo,
    name: "late",
    run: async () => {
      asked();
      await mayAnswer;
      return { kind: "message", text: "late" };
    },
  });
  const call = client.transport("late").sendMessage(request({}));
  const refused = failureOf(call);
  await isAsked;
  await host.close();
  expect(await refused).toMatchObject({ code: "UNAVAILABLE", fields: { remote: true } });
  answer();
  await mayAnswer;
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled.seen).toEqual([]);
  expect(book.count("rpc.not_answered")).toBe(0);
});
