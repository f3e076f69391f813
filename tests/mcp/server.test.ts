/** The MCP server with the SDK's own client, over stdio (a process of its own) and over HTTP. */
import { afterAll, describe, expect, test } from "bun:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { type McpHttpOptions, makeMcpHttpApp, makeToolHost } from "../../mcp/mod.ts";
import { stopped, tools } from "./server.fixture.ts";

const TOKEN = "a-token-of-some-length";
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});

async function serve(options: McpHttpOptions = {}): Promise<string> {
  const app = await makeMcpHttpApp(tools, options);
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: app.fetch });
  closers.push(() => server.stop(true));
  return `http://127.0.0.1:${server.port}/mcp`;
}

async function httpClient(url: string, token?: string): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  closers.push(() => client.close());
  return client;
}

async function stdioClient(): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  const args = [`${import.meta.dir}/server.fixture.ts`];
  await client.connect(new StdioClientTransport({ command: process.execPath, args }));
  closers.push(() => client.close());
  return client;
}

async function call(client: Client, name: string, input: Record<string, unknown>) {
  const params = { name, arguments: input };
  const result = CallToolResultSchema.parse(await client.callTool(params));
  const first = result.content[0];
  return { ...result, text: first?.type === "text" ? first.text : "" };
}

const transports: [string, () => Promise<Client>][] = [
  ["stdio", stdioClient],
  ["HTTP", async () => httpClient(await serve({ token: TOKEN }), TOKEN)],
];
for (const [name, connect] of transports) {
  describe(`over ${name}`, () => {
    test("lists read-only tools with both schemas, and no tool that writes", async () => {
      const client = await connect();
      const { tools: listed } = await client.listTools();
      expect(listed.map((tool) => tool.name)).toEqual([
        "add",
        "list_some",
        "fail",
        "wait_for_ever",
      ]);
      expect(listed[0]?.inputSchema).toMatchObject({
        required: ["a"],
        additionalProperties: false,
      });
      expect(listed[0]?.outputSchema?.properties).toHaveProperty("truncated");
      expect(listed[0]?.annotations?.readOnlyHint).toBe(true);
    });

    test("answers with text and structured content", async () => {
      const result = await call(await connect(), "add", { a: 2 });
      expect(result.structuredContent).toEqual({ sum: 3, truncated: false });
      expect(result.text).toBe('The sum.\n{"sum":3,"truncated":false}');
    });

    test("says that a result was cut, and how much is missing", async () => {
      const result = await call(await connect(), "list_some", { rowsMax: 3 });
      expect(result.structuredContent).toMatchObject({ truncated: true, omitted: { count: 97 } });
      expect(result.text).toContain("TRUNCATED at rowsMax 3: 97 rows were left out");
    });

    test("bad arguments are an error the model can correct", async () => {
      const client = await connect();
      const wrong = await call(client, "add", { a: "2", c: 1 });
      expect(wrong.isError).toBe(true);
      expect(wrong.text).toMatch(/^USAGE: arguments of add: a: .*number.*; .*"c"/s);
      expect((await call(client, "nothing", {})).text).toContain('no tool "nothing"');
      expect((await call(client, "annotate", {})).text).toContain('no tool "annotate"');
    });

    test("failures carry the code and what to do; a defect tells nothing of the inside", async () => {
      const client = await connect();
      const refused = await call(client, "fail", { how: "refused" });
      expect(refused.isError).toBe(true);
      expect(refused.text).toBe(
        "QUERY_REFUSED: splunk refused: no such index\n" +
          "Change the query as the message says; the same call will fail again.",
      );
      expect((await call(client, "fail", { how: "busy" })).text).toMatch(/^OVERLOADED: .*\n.*wait/);
      const defect = await call(client, "fail", { how: "defect" });
      expect(defect.text).toMatch(/^INTERNAL/);
      expect(defect.text).not.toContain("secret");
      expect((await call(client, "fail", { how: "lie" })).text).toMatch(/^INTERNAL/);
      expect((await call(client, "fail", { how: "flood" })).text).toMatch(/^TOO_LARGE/);
    });
  });
}

test("stdio: the process ends when the client closes its end", async () => {
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/server.fixture.ts`], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  await child.stdin.end();
  expect(await child.exited).toBe(0);
});

describe("HTTP", () => {
  const post = (url: string, headers: Record<string, string> = {}, body?: string) =>
    fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        ...headers,
      },
      body: body ?? '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    });

  test("a missing or wrong token is 401", async () => {
    const url = await serve({ token: TOKEN });
    for (const authorization of [
      "",
      "Bearer",
      "Bearer wrong",
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN}x`,
    ]) {
      const answer = await post(url, { Authorization: authorization });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
    expect((await post(url, { Authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  });

  test("another Host or Origin is 403, a listed one passes", async () => {
    const url = await serve({ token: TOKEN, hosts: ["petrel"], origins: ["https://ops.example"] });
    const auth = { Authorization: `Bearer ${TOKEN}` };
    expect((await post(url, { ...auth, Host: "evil.example" })).status).toBe(403);
    expect((await post(url, { ...auth, Origin: "http://evil.example" })).status).toBe(403);
    expect((await post(url, { ...auth, Host: "petrel:7000" })).status).toBe(200);
    expect((await post(url, { ...auth, Origin: "https://ops.example" })).status).toBe(200);
  });

  test("GET and DELETE are 405: there are no sessions", async () => {
    const url = await serve();
    for (const method of ["GET", "DELETE"]) {
      const answer = await fetch(url, { method });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    }
  });

  test("a body beyond the bound is 413, a broken one 400", async () => {
    const url = await serve();
    expect((await post(url, {}, `{"pad":"${"x".repeat(2_000_000)}"}`)).status).toBe(413);
    expect((await post(url, {}, "{")).status).toBe(400);
  });

  test("it refuses to be open to the network without a token", async () => {
    const refusal = "a token is required";
    await expect(makeMcpHttpApp(tools, { hosts: ["petrel"] })).rejects.toThrow(refusal);
    await expect(makeMcpHttpApp(tools, { token: "" })).rejects.toThrow(refusal);
  });

  test("a caller that goes away stops its call", async () => {
    const gone = new AbortController();
    const body =
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait_for_ever","arguments":{}}}';
    const seen = Promise.withResolvers<void>();
    const app = await makeMcpHttpApp(tools);
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => {
        seen.resolve();
        return app.fetch(request);
      },
    });
    closers.push(() => server.stop(true));
    const answer = fetch(`http://127.0.0.1:${server.port}/mcp`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
      },
      body,
      signal: gone.signal,
    }).catch(() => "gone");
    await seen.promise;
    gone.abort();
    expect(await answer).toBe("gone");
    expect(await stopped.promise).toBe("stopped");
  });
});

describe("the tool host", () => {
  const never = new AbortController().signal;

  test("bounds how long a call runs", async () => {
    const host = makeToolHost(tools, { callTimeoutMs: 20 });
    const answer = await host.call("wait_for_ever", {}, never);
    expect(answer.content[0]?.text).toMatch(/^DEADLINE_EXCEEDED/);
    expect(answer.isError).toBe(true);
  });

  test("bounds how many calls run, and counts them down again", async () => {
    const host = makeToolHost(tools, { callsRunningMax: 1 });
    const stop = new AbortController();
    const first = host.call("wait_for_ever", {}, stop.signal);
    expect((await host.call("add", { a: 1 }, never)).content[0]?.text).toMatch(/^OVERLOADED/);
    stop.abort();
    expect((await first).content[0]?.text).toMatch(/^CANCELLED/);
    expect((await host.call("add", { a: 1 }, never)).isError).toBeUndefined();
  });

  test("registers tools that write only when writes are enabled", () => {
    const names = makeToolHost(tools, { writes: true }).list.map((tool) => tool.name);
    expect(names).toContain("annotate");
  });

  test("refuses two tools of one name", () => {
    expect(() => makeToolHost([...tools, ...tools])).toThrow("unique");
  });
});
