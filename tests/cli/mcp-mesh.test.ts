/** The mesh's tools with the SDK's own MCP client, over a real mesh, and as `petrel mcp` serves them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { connect } from "nats";
import { AuditAccess, type Mesh } from "../../a2a/mod.ts";
import { INVESTIGATIONS_BUCKET } from "../../agents/mod.ts";
import { makeMeshPort } from "../../cli/mesh-port.ts";
import { silentLogger } from "../../core/mod.ts";
import { makeMcpHttpApp, meshTools } from "../../mcp/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { orphan } from "../agents/sre-fixtures.ts";
import {
  fullIncident,
  quiet,
  type SreStandIn,
  serveSupervisor,
  sreStandIn,
  summary,
  verdict,
} from "../agents/supervisor/fixtures.ts";
import { makeMeshStorage } from "../support/mesh-storage.ts";
import { type NatsServer, productionAccounts, startNats } from "../support/nats.ts";

const MAIN = join(import.meta.dir, "../../cli/main.ts");
const TOOLS = [
  "list_agents",
  "agent_status",
  "start_investigation",
  "get_task",
  "pending_work",
  "ask_petrel",
  "list_incidents",
  "show_incident",
];
const WINDOW = { from: "2026-11-21T14:40:00Z", to: "2026-11-21T14:45:00Z" };

let stack: AsyncDisposableStack;
let nats: NatsServer;
let sre: SreStandIn;
let mesh: Mesh;
let client: Client;

async function open(name: string): Promise<Mesh> {
  const opened = await openMesh(nats.url, name);
  stack.defer(() => opened.close());
  return opened;
}

/** An MCP client of the tools over `of`, by Streamable HTTP. */
async function clientOf(of: Mesh): Promise<Client> {
  const app = await makeMcpHttpApp(meshTools(makeMeshPort({ mesh: of, workMsMax: 30_000 })));
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: app.fetch });
  stack.defer(() => server.stop(true));
  const connected = new Client({ name: "test", version: "1" });
  await connected.connect(
    new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${server.port}/mcp`)),
  );
  stack.defer(() => connected.close());
  return connected;
}

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  nats = stack.use(await startNats());
  const [agents, supervisor] = [await open("sre"), await open("supervisor")];
  mesh = await open("cli");
  sre = sreStandIn();
  sre.incidents = [summary("01a2b3c4"), summary("01a2b3c5", { state: "pending" })];
  sre.show = { one: fullIncident("01a2b3c4") };
  await agents.serve(sre.agent);
  await serveSupervisor(supervisor);
  client = await clientOf(mesh);
});
afterAll(() => stack.disposeAsync());

interface Data {
  readonly [name: string]: unknown;
  readonly agents: readonly { agent: string }[];
  readonly agent: string;
  readonly taskId: string;
  readonly task: { state: string };
  readonly unread: readonly { what: string; why: string }[];
}

async function call(name: string, input: Record<string, unknown> = {}, of = client) {
  const result = CallToolResultSchema.parse(await of.callTool({ name, arguments: input }));
  const [first] = result.content;
  const text = first?.type === "text" ? first.text : "";
  const data = (result.structuredContent ?? {}) as unknown as Data;
  return { isError: result.isError ?? false, text, data };
}

test("every tool is listed, read-only, and says what it starts", async () => {
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(TOOLS);
  for (const tool of tools) expect(tool.annotations?.readOnlyHint).toBe(true);
  const started = tools.find(({ name }) => name === "start_investigation");
  expect(started?.description).toMatch(/counts as read-only: .*changes nothing in them/);
});

test("agents, and the status of one", async () => {
  const { data } = await call("list_agents");
  expect(data.agents.map(({ agent }) => agent)).toEqual(["sre", "supervisor"]);
  const asking = await call("list_agents", { skill: "ask" });
  expect(asking.data.agents).toMatchObject([{ agent: "supervisor", replicas: [{ running: 0 }] }]);
  expect((await call("agent_status", { agent: "sre" })).data).toMatchObject({
    isThere: true,
    agent: { skills: [{ id: "investigate" }, { id: "incidents" }] },
  });
  expect((await call("agent_status", { agent: "nobody" })).data).toMatchObject({ isThere: false });
});

test("an investigation: its verdict, or its task to look at later", async () => {
  sre.investigate = (request) => verdict(request);
  const done = await call("start_investigation", WINDOW);
  expect(done.data).toMatchObject({
    agent: "sre",
    state: "completed",
    verdict: {
      outcome: "incident",
      window: { start: "2026-11-21T14:40:00.000Z", end: "2026-11-21T14:45:00.000Z" },
      causes: [{ service: "payment-service", evidence: ["e1"] }],
      evidence: [{ id: "e1", source: "logs" }],
      sources: [{ source: "splunk" }, { source: "metrics" }],
    },
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  sre.investigate = async (request) => {
    await promise;
    return quiet(request);
  };
  const begun = await call("start_investigation", {
    ...WINDOW,
    services: ["a-service"],
    waitSeconds: 0.2,
  });
  expect(begun.data).toMatchObject({ agent: "sre", state: "working" });
  expect(begun.text).toContain("get_task");
  expect(sre.asked.at(-1)?.query).toEqual({ services: ["a-service"] });
  const { agent, taskId } = begun.data;
  const pending = await call("pending_work");
  expect(pending.data["tasks"]).toMatchObject([{ agent: "sre", taskId, state: "working" }]);
  resolve();
  for (;;) {
    const { data } = await call("get_task", { agent, taskId });
    if (data.task.state === "working") continue;
    expect(data.task).toMatchObject({ state: "completed", verdict: { outcome: "quiet" } });
    break;
  }
});

test("a window that cannot be is an error that the model can correct", async () => {
  const wrong = await call("start_investigation", { ...WINDOW, to: "2026-11-21T14:00:00Z" });
  expect(wrong).toMatchObject({
    isError: true,
    text: expect.stringMatching(/^USAGE: from: has to be/),
  });
  const long = await call("start_investigation", { ...WINDOW, to: "2026-11-25T14:00:00Z" });
  expect(long.text).toMatch(/^TOO_LARGE: to: at most 24 hours/);
  const zone = await call("start_investigation", { ...WINDOW, from: "2026-11-21T14:40:00" });
  expect(zone.text).toMatch(/^USAGE: from: .*zone/);
});

test("incidents: listed, cut, shown; one that is not there is said", async () => {
  const { data } = await call("list_incidents");
  expect(data["incidents"]).toHaveLength(2);
  const one = await call("list_incidents", { limit: 1 });
  expect(one.data).toMatchObject({ truncated: true, incidents: [{ id: "01a2b3c4" }] });
  const shown = await call("show_incident", { incident: "01a2b3c4" });
  expect(shown.data).toMatchObject({
    id: "01a2b3c4",
    evidence: [{ id: "e1" }],
    next: ["Look at the pool's size."],
  });
  const none = await call("show_incident", { incident: "01ffffff" });
  expect(none).toMatchObject({ isError: true });
  expect(none.text).toContain("no incident 01ffffff is known");
});

test("a question: the answer, or what Petrel needs to know, and how to go on", async () => {
  sre.investigate = (request) => verdict(request);
  const { data } = await call("ask_petrel", { question: "why is payment failing since 14:40?" });
  expect(data).toMatchObject({
    state: "completed",
    answer: { outcome: "incident", citations: [{ id: "e1" }] },
  });
  const unclear = await call("ask_petrel", { question: "lorem ipsum" });
  expect(unclear.data).toMatchObject({ state: "input-required", needs: "intent" });
  const { taskId } = unclear.data;
  const pending = await call("pending_work");
  expect(pending.data["tasks"]).toContainEqual(
    expect.objectContaining({ agent: "supervisor", taskId, state: "input-required" }),
  );
  const again = await call("ask_petrel", { question: "1", taskId });
  expect(again.data).toMatchObject({ state: "completed", taskId });
  const seen = await call("get_task", { agent: "supervisor", taskId });
  expect(seen.data.task).toMatchObject({ state: "completed", answer: { outcome: "incident" } });
});

test("a question that takes long leaves its task to look at", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  sre.investigate = async (request) => {
    await promise;
    return quiet(request);
  };
  const asked = await call("ask_petrel", { question: "what broke since 14:40?", waitSeconds: 0.5 });
  expect(asked.data).toMatchObject({ state: "working" });
  resolve();
});

test("windows without a verdict, and incidents not told yet, are pending", async () => {
  const kv = await mesh.kvm.create(INVESTIGATIONS_BUCKET);
  const before = await call("pending_work");
  expect(before.data).toMatchObject({ windows: [], unread: [], incidents: [{ id: "01a2b3c5" }] });
  const record = orphan();
  await kv.put(`task.${record.id}`, JSON.stringify(record));
  await kv.put("task.done", JSON.stringify(orphan({ id: "done", state: "closed" })));
  await kv.put("task.broken", "{");
  const { data } = await call("pending_work");
  expect(data["windows"]).toEqual([
    { id: record.id, window: record.window, openedAt: record.openedAt },
  ]);
});

test("a task that is not there, and one of somebody else", async () => {
  const none = await call("get_task", { agent: "sre", taskId: "nothing" });
  expect(none.data).toMatchObject({ isFound: false });
  const away = await call("get_task", { agent: "nobody", taskId: "nothing" });
  expect(away.text).toMatch(/^UNAVAILABLE: agent "nobody" is not there/);
});

test("hostile arguments reach nobody", async () => {
  for (const agent of ["*", "a.b", ">", "sre\n", "x".repeat(200)])
    expect((await call("get_task", { agent, taskId: "t" })).text).toMatch(/^USAGE/);
  const long = await call("ask_petrel", { question: "x".repeat(4_001) });
  expect(long.text).toMatch(/^USAGE/);
  const extra = await call("show_incident", { incident: "01a2b3c4", action: "confirm" });
  expect(extra.text).toMatch(/^USAGE/);
});

describe("under the permissions of deploy/nats", () => {
  test("what this user may not read is told, and not an empty list", async () => {
    await using guarded = await startNats(await productionAccounts());
    const admin = await connect({ servers: guarded.url, user: "admin", pass: "admin" });
    await makeMeshStorage(admin);
    await admin.close();
    // The bridge makes the stream of the audit; without it nobody may speak.
    const bridge = await AuditAccess.open({
      servers: [guarded.url],
      name: "bridge",
      account: { user: "bridge", password: "bridge" },
      log: silentLogger,
      retentionDays: 1,
    });
    await bridge.close();
    const cli = await openMesh(guarded.url, "cli", { user: "cli", password: "cli" });
    const guest = await clientOf(cli);
    const { data } = await call("pending_work", {}, guest);
    expect(data.unread.map(({ what }) => what)).toEqual(["incidents", "windows"]);
    expect(data.unread[1]?.why).toMatch(/permissions violation/i);
    expect((await call("list_agents", {}, guest)).data).toMatchObject({ agents: [] });
    await cli.close();
  });
});

describe("petrel mcp", () => {
  const env = { ...process.env, OPENAI_API_KEY: "", AZURE_OPENAI_API_KEY: "" } as Record<
    string,
    string
  >;

  test("over stdio: the mesh's tools, and nothing on standard error", async () => {
    const args = [MAIN, "mcp", "--nats", nats.url];
    const transport = new StdioClientTransport({
      command: process.execPath,
      args,
      env,
      stderr: "pipe",
    });
    const connected = new Client({ name: "test", version: "1" });
    let said = "";
    transport.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await connected.connect(transport);
    const { tools } = await connected.listTools();
    expect(tools.map(({ name }) => name)).toEqual(TOOLS);
    const { data } = await call("agent_status", { agent: "sre" }, connected);
    expect(data).toMatchObject({ isThere: true });
    await connected.close();
    expect(said).toBe("");
  });

  test("systems without a mesh: their tools alone, and standard error says so", async () => {
    const args = [MAIN, "mcp", "--nats", "nats://127.0.0.1:1"];
    const more = { ...env, PROMETHEUS_URL: "http://127.0.0.1:2" };
    const transport = new StdioClientTransport({
      command: process.execPath,
      args,
      env: more,
      stderr: "pipe",
    });
    let said = "";
    transport.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    const connected = new Client({ name: "test", version: "1" });
    await connected.connect(transport);
    const { tools } = await connected.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["query_prometheus"]);
    await connected.close();
    expect(said).toMatch(
      /^petrel mcp: no mesh, only the tools of the systems: .*no server answers/,
    );
  });

  test.each<[string, string[], Record<string, string>, number, RegExp]>([
    [
      "neither",
      [],
      {},
      4,
      /the mesh: .*; none of splunk, prometheus and grafana is configured either/,
    ],
    [
      "no mesh wanted",
      ["--no-mesh"],
      {},
      2,
      /none of splunk, prometheus and grafana is configured/,
    ],
    [
      "a mesh needed",
      ["--mesh"],
      { PROMETHEUS_URL: "http://127.0.0.1:2" },
      4,
      /the mesh: .*no server/,
    ],
    ["both", ["--mesh", "--no-mesh"], {}, 2, /exclude each other/],
  ])("%s: one clear error", async (_, words, more, code, expected) => {
    const child = Bun.spawn(
      [process.execPath, MAIN, "mcp", ...words, "--nats", "nats://127.0.0.1:1"],
      { env: { ...env, ...more }, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    );
    const [exit, err] = await Promise.all([child.exited, child.stderr.text()]);
    expect(exit).toBe(code);
    expect(err).toMatch(expected);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });
});
