import { afterAll, beforeAll, expect, test } from "bun:test";
import { headers } from "@nats-io/nats-core";
import * as fc from "fast-check";
import { METHODS, type Mesh } from "../../a2a/mod.ts";
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
  for (const id of ["019a-none", "../../x", "a.b.>", "x".repeat(5_000)]) {
    expect((await ask("worker", "GetTask", rpc("GetTask", { id }))).error?.code).toBe(-32001);
  }
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
  const tasks = await mesh.kvm.open("A2A_TASKS");
  await tasks.put("worker.broken", junk);
  expect((await ask("worker", "GetTask", rpc("GetTask", { id: "broken" }))).error?.code).toBe(
    -32603,
  );
  expect(await mesh.transport("echo").sendMessage(request({}))).toHaveProperty("messageId");
});
