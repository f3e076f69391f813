/** The gateway as `petrel up --role gateway` wires it: configuration in, a server out. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type AgentDefinition, Mesh } from "../../a2a/mod.ts";
import { type ServedGateway, serveGateway } from "../../cli/gateway.ts";
import { Gateway, limits, silentLogger, systemClock } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";

const echo: AgentDefinition = {
  name: "echo",
  description: "Answers with what it was sent.",
  version: "1.0.0",
  skills: [{ id: "echo", name: "Echo", description: "Says it again.", tags: ["test"] }],
  messageOnly: true,
  run: async ({ text, caller }) => ({ kind: "message", text: `${caller}: ${text}` }),
};

let stack: AsyncDisposableStack;
let mesh: Mesh;
let stopping: AbortController;
let dir: string;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const common = { servers: [nats.url], log: silentLogger, cardTtlMs: 1_500 };
  const agents = await Mesh.open({ ...common, name: "agents" });
  stack.defer(() => agents.close());
  mesh = await Mesh.open({ ...common, name: "edge" });
  stack.defer(() => mesh.close());
  await agents.serve(echo);
  await until("the gateway knows the agent", () => mesh.registry.list().length === 1);
  stopping = new AbortController();
  stack.defer(() => stopping.abort());
  dir = await mkdtemp(join(tmpdir(), "petrel-gateway-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
});
afterEach(() => stack.disposeAsync());

async function serve(config: unknown): Promise<ServedGateway> {
  const served = await serveGateway(Gateway.parse(config), mesh, silentLogger, stopping.signal);
  stack.defer(() => served.stop());
  return served;
}

function say(url: string, text: string, headers: Record<string, string> = {}) {
  const message = { messageId: "m1", role: "ROLE_USER", parts: [{ text }] };
  return fetch(`${url}/agents/echo/message:send`, {
    method: "POST",
    headers: { "a2a-version": "1.0", "content-type": "application/json", ...headers },
    body: JSON.stringify({ message }),
  });
}

test("it serves under its own name in the mesh, and its card says where", async () => {
  const { url } = await serve({ port: 0, public_url: "https://agents.example/" });
  expect(await (await say(url, "ahoj")).text()).toContain("edge: ahoj");
  const card = await fetch(`${url}/agents/echo/.well-known/agent-card.json`);
  expect(await card.json()).toMatchObject({
    supportedInterfaces: [{ url: "https://agents.example/agents/echo" }, {}, {}, {}],
  });
});

test("with a key set from a file it asks for a token", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks_file = join(dir, "jwks.json");
  await writeFile(jwks_file, JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  const { url } = await serve({ port: 0, jwt: { jwks_file, issuer: "i", audience: "a" } });
  expect((await say(url, "ahoj")).status).toBe(401);
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: "ES256" })
    .setIssuer("i")
    .setAudience("a")
    .setSubject("alice")
    .setExpirationTime(Math.floor(systemClock.nowMs() / 1_000) + 60)
    .sign(privateKey);
  expect((await say(url, "ahoj", { authorization: `Bearer ${token}` })).status).toBe(200);
});

test("a key set that is not there, and a port that is taken, are told at the start", async () => {
  const jwt = { jwks_file: join(dir, "nothing.json"), issuer: "i", audience: "a" };
  expect(await failureOf(serve({ port: 0, jwt }))).toMatchObject({
    code: "CONFIG_INVALID",
    fields: { path: "gateway.jwt.jwks_file" },
  });
  const { url } = await serve({ port: 0 });
  const port = Number(new URL(url).port);
  expect(await failureOf(serve({ port }))).toMatchObject({ code: "UNAVAILABLE" });
});

test("what is far too large is refused, and stopping cuts what is open", async () => {
  const { url, stop } = await serve({ port: 0 });
  const large = await say(url, "x".repeat(2 * limits.ENVELOPE_BYTES_MAX)).catch(() => undefined);
  expect(large?.status).toBe(413);
  const { hostname, port } = new URL(url);
  const socket = dial(Number(port), hostname);
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  await new Promise<void>((resolve) => socket.on("connect", () => resolve()));
  socket.write("POST /agents/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
  await stop();
  await closed;
  expect(await say(url, "ahoj").catch(() => "gone")).toBe("gone");
});
