import { afterAll, beforeAll, expect, test } from "bun:test";
import { headers } from "@nats-io/nats-core";
import * as fc from "fast-check";
import { METHODS, type Mesh, unpackRecords } from "../../a2a/mod.ts";
import { recordHeaders } from "../../a2a/tasks/record.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { echo, openMesh, request, worker } from "./echo.ts";

let nats: NatsServer;
let mesh: Mesh;

beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "host");
  await mesh.serve(echo);
  await mesh.serve(worker);
});
afterAll(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

async function ask(agent: string, method: string, body: string | Uint8Array, version = "1.0") {
  const given = headers();
  if (version) given.set("a2a-version", version);
  const subject = `a2a.v1.rpc.${agent}.stranger.${method}`;
  const answer = await mesh.nc.request(subject, body, { timeout: 5_000, headers: given });
  return answer.json<{ id: unknown; error?: { code: number; message: string } }>();
}

const rpc = (method: string, params: unknown) =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });

test.each([
  ["not UTF-8", new Uint8Array([0xff, 0xfe, 0x00]), -32700],
  ["empty", "", -32700],
  ["not JSON", "{", -32700],
  ["an array", "[]", -32600],
  ["another method than the subject's", rpc("GetTask", {}), -32600],
  ["no message", rpc("SendMessage", {}), -32602],
  ["params that are no object", rpc("SendMessage", 7), -32602],
  [
    "no parts",
    rpc("SendMessage", { message: { messageId: "m", role: "ROLE_USER", parts: [] } }),
    -32602,
  ],
  [
    "no message id",
    rpc("SendMessage", { message: { role: "ROLE_USER", parts: [{ text: "x" }] } }),
    -32602,
  ],
])("an envelope that is %s gets one error reply", async (_what, body, code) => {
  expect((await ask("echo", "SendMessage", body)).error?.code).toBe(code);
});

test("a request without a version is A2A 0.3, which this binding does not speak", async () => {
  const message = { messageId: "m", role: "ROLE_USER", parts: [{ text: "x" }] };
  expect((await ask("echo", "SendMessage", rpc("SendMessage", { message }), "")).error?.code).toBe(
    -32009,
  );
});

test("an unknown task and an id that is no token are both simply not found", async () => {
  for (const id of ["019a-none", "../../x", "a.b.>", "x".repeat(512)]) {
    expect((await ask("worker", "GetTask", rpc("GetTask", { id }))).error?.code).toBe(-32001);
  }
  const endless = rpc("GetTask", { id: "x".repeat(5_000) });
  expect((await ask("worker", "GetTask", endless)).error?.code).toBe(-32602);
});

test("whatever bytes arrive on whatever method, one reply comes back and the agent lives", async () => {
  const seed = Number(process.env.PETREL_TEST_SEED ?? 1);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...METHODS),
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      async (method, body) => {
        expect((await ask("worker", method, body)).error).toBeDefined();
      },
    ),
    { seed, numRuns: 200 },
  );
  const alive = await mesh.transport("echo").sendMessage(request({ still: "here" }));
  expect(alive).toHaveProperty("messageId");
});

test("a request without a reply subject is dropped, and nothing breaks", async () => {
  mesh.nc.publish("a2a.v1.rpc.echo.stranger.SendMessage", "junk");
  await mesh.nc.flush();
  expect(await mesh.transport("echo").sendMessage(request({}))).toHaveProperty("messageId");
});

test("what is too large to answer or to audit is refused, and the audit goes on", async () => {
  const big = new Uint8Array(1_000_000).fill(0xff);
  for (let n = 0; n < 6; n++)
    expect((await ask("worker", "GetTask", big)).error?.code).toBe(-32600);
  const nonUtf8 = big.subarray(0, 900_000);
  for (let n = 0; n < 6; n++)
    expect((await ask("worker", "GetTask", nonUtf8)).error?.code).toBe(-32700);
  await mesh.outbox.drain(5_000);
  const call = mesh.transport("echo").sendMessage(request({}, { text: "x".repeat(1_200_000) }));
  await expect(call).rejects.toMatchObject({ code: "TOO_LARGE", retry: "never" });
  expect(mesh.outbox.counts.pending).toBe(0);
});

test("a caller whose name is no name is answered, and its report can be read", async () => {
  const given = headers();
  given.set("a2a-version", "1.0");
  const subject = `a2a.v1.rpc.echo.${"c".repeat(130)}.SendMessage`;
  const answer = await mesh.nc.request(subject, "{}", { timeout: 5_000, headers: given });
  expect(answer.json<{ error: { code: number } }>().error.code).toBe(-32600);
  await mesh.outbox.drain(5_000);
  const last = await mesh.jsm.streams.getMessage("AUDIT", {
    last_by_subj: `audit.host.${mesh.instance}.0`,
  });
  expect(unpackRecords(last?.data ?? new Uint8Array()).at(-1)?.caller).toBe("unnamed");
});

test.each(["two words", "ünïcode", "x".repeat(129), "a/b", '","side":"caller'])(
  "an envelope id that is none (%p) is replaced, and never stands in a record",
  async (id) => {
    const given = headers();
    for (const name of ["a2a-envelope", "a2a-shard"]) given.set(name, id);
    await mesh.nc.request("a2a.v1.rpc.echo.stranger.SendMessage", "{}", {
      timeout: 5_000,
      headers: given,
    });
    await mesh.outbox.drain(5_000);
    const last = await mesh.jsm.streams.getMessage("AUDIT", {
      last_by_subj: `audit.host.${mesh.instance}.0`,
    });
    const ids = unpackRecords(last?.data ?? new Uint8Array()).map((record) => record.id);
    expect(ids.at(-1)).toMatch(/^[0-9a-f-]{36}\.r$/);
  },
);

test("junk on every other subject and key changes nothing", async () => {
  const junk = new Uint8Array([0xff, 0x00, 0x7b]);
  const control = await mesh.nc.request(`a2a.v1.ctl.worker.${mesh.instance}`, junk, {
    timeout: 5_000,
  });
  expect(control.string()).toBe("unknown");
  expect(
    (await mesh.nc.request("a2a.v1.card.worker", junk, { timeout: 5_000 })).json(),
  ).toHaveProperty("name", "worker");
  await mesh.js.publish("audit.stranger.x", junk);
  // A hint that is none: the log decides, and there is none.
  const tasks = await mesh.kvm.open("A2A_TASKS");
  for (const key of ["worker.broken", "worker.stranger.broken", "worker.a.b.c"])
    await tasks.put(key, junk);
  expect((await ask("worker", "GetTask", rpc("GetTask", { id: "broken" }))).error?.code).toBe(
    -32001,
  );
  // A log that is none: whoever asks for the task is told so.
  const ofRecord = recordHeaders(
    { owner: "x", writer: 1, first: 1, last: 1, state: "", context: "", at: "" },
    {},
  );
  await mesh.js.publish("a2a.v1.task.worker.stranger.broken", junk, { headers: ofRecord });
  for (const method of ["GetTask", "CancelTask", "SubscribeToTask"]) {
    const { error } = await ask("worker", method, rpc(method, { id: "broken" }));
    expect(error).toMatchObject({ code: -32603, message: expect.stringContaining("broken at ") });
  }
  expect(await mesh.transport("echo").sendMessage(request({}))).toHaveProperty("messageId");
  expect(await mesh.transport("worker").sendMessage(request({}))).toHaveProperty("status");
});
