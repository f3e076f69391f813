/**
 * A client and an agent written from docs/binding-nats.md alone, with nothing but a NATS library: what the
 * page says is enough to take part. Nothing of a2a/ is used on the side that is written by hand.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { GetTaskRequest, type StreamResponse, TaskState } from "@a2a-js/sdk";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "nats";
import { z } from "zod";
import type { Mesh } from "../../a2a/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { HandMade, headersOf } from "./by-hand-agent.ts";
import { saying } from "./script.ts";
import { parrot } from "./stand.ts";

let nats: NatsServer;
let mesh: Mesh;
let nc: NatsConnection;
beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "ours");
  await mesh.serve(parrot);
  nc = await connect({ servers: nats.url, inboxPrefix: "a2a.v1.reply.byhand" });
});
afterAll(async () => {
  await nc.close();
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

const Json = z.looseObject({});
const Answer = z.object({ id: z.literal(7), result: z.looseObject({}) });

function requestOf(method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 7, method, params });
}

const subjectOf = (method: string) => `a2a.v1.rpc.parrot.byhand.${method}`;
const hello = (messageId: string, text = "one two three") => ({
  message: { messageId, role: "ROLE_USER", parts: [{ text }] },
});

async function ask(method: string, params: unknown, more: Record<string, string> = {}) {
  const given = headersOf({ "a2a-version": "1.0", ...more });
  const options = { headers: given, timeout: 10_000 };
  const message = await nc.request(subjectOf(method), requestOf(method, params), options);
  expect(message.headers?.get("a2a-frame")).toBe("result");
  return Answer.parse(message.json()).result;
}

/** The frames of a stream, checked as the page says, until its end or until `enough` of them came. */
async function frames(method: string, params: unknown, more: Record<string, string>, enough = 100) {
  const inbox = `a2a.v1.reply.byhand.${crypto.randomUUID()}`;
  const sub = nc.subscribe(inbox);
  const given = headersOf({ "a2a-version": "1.0", ...more });
  nc.publish(subjectOf(method), requestOf(method, params), { headers: given, reply: inbox });
  const events: { event: number; result: Record<string, unknown> }[] = [];
  let seq = 0;
  for await (const message of sub) {
    const kind = message.headers?.get("a2a-frame");
    const number = Number(message.headers?.get("a2a-seq"));
    expect(number).toBe(kind === "heartbeat" ? seq : seq + 1);
    if (kind === "heartbeat") continue;
    seq = number;
    if (kind === "end") break;
    expect(kind).toBe("data");
    const event = Number(message.headers?.get("a2a-event"));
    events.push({ event, result: Answer.parse(message.json()).result });
    if (events.length >= enough) break;
  }
  sub.unsubscribe();
  return events;
}

const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text);

/** A UUID of version 8 over the first 128 bits (RFC 9562 section 5.8). */
function taskIdOf(agent: string, owner: string, messageId: string): string {
  const bits = sha256(JSON.stringify([agent, owner, messageId]))
    .digest()
    .subarray(0, 16);
  bits[6] = ((bits[6] ?? 0) & 0x0f) | 0x80;
  bits[8] = ((bits[8] ?? 0) & 0x3f) | 0x80;
  return bits.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

test("a client by hand: the task's id, a stream left and taken up by its cursor", async () => {
  const events = await frames("SendStreamingMessage", hello("m-1"), {}, 3);
  expect(events.map(({ event }) => event)).toEqual([1, 2, 3]);
  const id = taskIdOf("parrot", "byhand", "m-1");
  expect(events[0]?.result).toMatchObject({ task: { id } });
  const rest = await frames("SubscribeToTask", { id }, { "a2a-cursor": "3" });
  expect(rest.map(({ event }) => event)).toEqual([4, 5, 6, 7, 8]);
  expect(rest.at(-1)?.result).toMatchObject({
    statusUpdate: { status: { state: "TASK_STATE_COMPLETED" } },
  });
});

const Entry = z.object({
  event: z
    .object({
      task: z.looseObject({ artifacts: z.array(Json).optional() }).optional(),
      statusUpdate: z.object({ status: Json }).optional(),
      artifactUpdate: z
        .object({
          artifact: z.looseObject({ parts: z.array(Json) }),
          append: z.boolean().optional(),
        })
        .optional(),
    })
    .optional(),
});
const Body = z.object({ v: z.literal(1), entries: z.array(Entry) });

test("a reader by hand: a task of a principal is the fold over its records", async () => {
  const principal = { "a2a-on-behalf": "alice@example.com" };
  const hash = sha256(JSON.stringify(["alice@example.com", null])).digest("base64url");
  const owner = `byhand=${hash.slice(0, 22)}`;
  const id = taskIdOf("parrot", owner, "m-2");
  await ask("SendMessage", hello("m-2"), principal);
  const subject = `a2a.v1.task.parrot.${owner}.${id}`;
  const consumer = await mesh.js.consumers.get("A2A_TASK_LOG", { filter_subjects: subject });
  let event = 0;
  let task: Record<string, unknown> = {};
  const artifacts = new Map<unknown, z.infer<typeof Json>>();
  const left = (await consumer.info()).num_pending;
  for await (const record of await consumer.fetch({ max_messages: left })) {
    expect(Number(record.headers?.get("a2a-first"))).toBe(event + 1);
    for (const { event: told } of Body.parse(record.json()).entries) {
      if (!told) continue;
      event++;
      if (told.task) task = { ...told.task };
      if (told.statusUpdate) task["status"] = told.statusUpdate.status;
      if (!told.artifactUpdate) continue;
      const { artifact, append } = told.artifactUpdate;
      const known = artifacts.get(artifact["artifactId"]);
      const before = append && Array.isArray(known?.["parts"]) ? known["parts"] : [];
      artifacts.set(artifact["artifactId"], { ...artifact, parts: [...before, ...artifact.parts] });
    }
    expect(Number(record.headers?.get("a2a-last"))).toBe(event);
  }
  const folded = { ...task, artifacts: [...artifacts.values()] };
  expect(await ask("GetTask", { id }, principal)).toEqual(folded);
});

test("an agent by hand: found, asked, refused by, and its lost frame asked for again", async () => {
  const agent = new HandMade(nc);
  await agent.announce(mesh);
  await until("it is in the registry", () => mesh.registry.find({ tag: "by-hand" }).length === 1);
  const transport = mesh.transport("handmade");
  expect(await transport.sendMessage(saying("x"))).toMatchObject({ id: "t-1" });
  const none = transport.getTask(GetTaskRequest.fromJSON({ id: "none" }));
  await expect(none).rejects.toMatchObject({ name: "TaskNotFoundError" });
  const events: StreamResponse[] = [];
  for await (const event of transport.sendMessageStream(saying("x"))) events.push(event);
  expect(agent.lost).toBe(1);
  expect(events).toHaveLength(4);
  const last = events.at(-1)?.payload;
  expect(last?.$case === "statusUpdate" && last.value.status?.state).toBe(
    TaskState.TASK_STATE_COMPLETED,
  );
});
