import { describe, expect, test } from "bun:test";
import { AgentCard, SendMessageRequest, type StreamResponse, Task } from "@a2a-js/sdk";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import {
  type AgentExecutor,
  DefaultRequestHandler,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  ServerCallContext,
} from "@a2a-js/sdk/server";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { exportJWK, generateKeyPair } from "jose";
import { connect } from "nats";
import { CircuitBreakers } from "../../a2a/calls/breaker.ts";
import { RetryBudget } from "../../a2a/calls/call.ts";
import {
  EXTERNAL_BUCKET,
  ExternalAgents,
  type ExternalAgentsOptions,
} from "../../a2a/calls/external.ts";
import { fetchJwks } from "../../a2a/calls/fetch-json.ts";
import { importSigningKey, publicJwks } from "../../a2a/cards/keys.ts";
import { signCard } from "../../a2a/cards/sign.ts";
import { AddressGuard } from "../../a2a/push/address.ts";
import { newId, systemClock } from "../../core/mod.ts";
import { startNats } from "../support/nats.ts";

type Route = (request: Request) => Response | Promise<Response>;

/** An agent of others: its card at the well-known place, and what a test makes it answer. */
async function startAgent(options: { rpc?: Route; card?: (url: string) => unknown } = {}) {
  const seen: Headers[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname, origin } = new URL(request.url);
      seen.push(request.headers);
      if (pathname !== "/.well-known/agent-card.json") {
        return options.rpc?.(request) ?? new Response("", { status: 404 });
      }
      const card = await (options.card ?? cardAt)(origin);
      return card instanceof Response ? card : Response.json(card);
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  return { url, seen, [Symbol.asyncDispose]: () => server.stop(true) };
}

function cardAt(url: string, more: object = {}) {
  return {
    name: "Route Planner 2",
    description: "d",
    version: "1",
    supportedInterfaces: [
      { url: `${url}/grpc`, protocolBinding: "GRPC", protocolVersion: "1.0" },
      { url: `${url}/rpc`, protocolBinding: "JSONRPC", protocolVersion: "1.0" },
    ],
    capabilities: { streaming: true },
    securitySchemes: { bearer: { httpAuthSecurityScheme: { scheme: "Bearer" } } },
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain"],
    skills: [{ id: "s", name: "s", description: "s", tags: ["t"] }],
    ...more,
  };
}

/** An agent as the SDK's own server serves one: its task counts to three. */
function sdkRoute(): Route {
  const executor: AgentExecutor = {
    execute: async ({ taskId, contextId }, bus) => {
      const status = (state: string) => ({ state, timestamp: "2026-01-01T00:00:00Z" });
      bus.publish({
        kind: "task",
        data: Task.fromJSON({ id: taskId, contextId, status: status("TASK_STATE_WORKING") }),
      } as never);
      bus.finished();
    },
    cancelTask: async () => {},
  };
  const card = AgentCard.fromJSON(cardAt("http://x"));
  const handler = new JsonRpcTransportHandler(
    new DefaultRequestHandler(card, new InMemoryTaskStore(), executor),
  );
  return async (request) => {
    const context = new ServerCallContext({ requestedVersion: "1.0" });
    const answer = await handler.handle(await request.text(), context);
    if (!(Symbol.asyncIterator in answer)) return Response.json(answer);
    const lines = await Array.fromAsync(answer);
    return sse(lines);
  };
}

function sse(values: readonly unknown[]): Response {
  const text = values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join("");
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

async function openAgents(more: Partial<ExternalAgentsOptions> = {}) {
  const nats = await startNats();
  const nc = await connect({ servers: nats.url });
  const kv = await new Kvm(jetstream(nc)).create(EXTERNAL_BUCKET, { history: 1 });
  const clock = systemClock;
  const breakers = new CircuitBreakers({ clock });
  const budget = new RetryBudget(clock);
  const guard = new AddressGuard();
  const agents = new ExternalAgents({ kv, clock, breakers, budget, guard, ...more });
  return {
    agents,
    kv,
    breakers,
    [Symbol.asyncDispose]: async () => {
      await nc.close();
      await nats[Symbol.asyncDispose]();
    },
  };
}

const message = () =>
  SendMessageRequest.fromJSON({
    message: { messageId: newId(), role: "ROLE_USER", parts: [{ text: "hello" }] },
  });
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "none",
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

describe("external agents", () => {
  test("added by the URL of a host, listed, renewed, removed", async () => {
    let version = 1;
    await using agent = await startAgent({ card: (url) => cardAt(url, { version: `${version}` }) });
    await using bench = await openAgents();
    const { agents } = bench;
    const added = await agents.add(agent.url);
    expect(added).toMatchObject({
      name: "route-planner-2",
      url: `${agent.url}/.well-known/agent-card.json`,
    });
    expect(added.card.securitySchemes.bearer?.scheme?.$case).toBe("httpAuthSecurityScheme");
    version = 2;
    expect((await agents.refresh("route-planner-2")).card.version).toBe("2");
    await agents.add(`${agent.url}/.well-known/agent-card.json`, { name: "again" });
    expect((await agents.list()).map(({ name, card }) => [name, card.version])).toEqual([
      ["again", "2"],
      ["route-planner-2", "2"],
    ]);
    await bench.kv.put("junk", "junk");
    expect(await agents.list()).toHaveLength(2);
    await using other = await startAgent();
    expect(await codeOf(agents.add(other.url, { name: "again" }))).toBe("CONFLICT");
    expect(await agents.remove("again")).toBe(true);
    expect(await agents.remove("again")).toBe(false);
    expect(await codeOf(agents.get("again"))).toBe("USAGE");
    expect(await codeOf(agents.transport("../x"))).toBe("USAGE");
  });

  test("a card that is none, too large, slow, moved or elsewhere: a clear error", async () => {
    await using bench = await openAgents();
    const adding = async (card: (url: string) => unknown) => {
      await using agent = await startAgent({ card });
      return await codeOf(bench.agents.add(agent.url, { name: "x" }));
    };
    expect(await adding(() => new Response("junk"))).toBe("PROTOCOL_VIOLATION");
    expect(await adding(() => Response.json([1]))).toBe("PROTOCOL_VIOLATION");
    expect(await adding(() => ({}))).toBe("PROTOCOL_VIOLATION");
    expect(await adding(() => ({ name: "x" }))).toBe("PROTOCOL_VIOLATION");
    expect(await adding(() => cardAt("file:///etc"))).toBe("PROTOCOL_VIOLATION");
    expect(await adding((url) => cardAt(url, { supportedInterfaces: [] }))).toBe(
      "PROTOCOL_VIOLATION",
    );
    expect(await adding((url) => cardAt(url, { description: "x".repeat(300_000) }))).toBe(
      "TOO_LARGE",
    );
    expect(await adding(() => Response.redirect("http://127.0.0.1:1/"))).toBe("PROTOCOL_VIOLATION");
    expect(await adding(() => new Response("", { status: 401 }))).toBe("UNAUTHENTICATED");
    expect(await adding(() => new Response("", { status: 503 }))).toBe("UNAVAILABLE");
    const { agents } = bench;
    expect(await codeOf(agents.add("http://127.0.0.1:1"))).toBe("UNAVAILABLE");
    for (const url of ["", "ftp://x/", "file:///etc/passwd", "http://user:pass@x/", "x"]) {
      expect(await codeOf(agents.add(url))).toBe("USAGE");
    }
    await using agent = await startAgent({ card: () => new Promise(() => {}) });
    const signal = AbortSignal.abort(new Error("enough"));
    expect(await codeOf(agents.add(agent.url, { signal }))).toContain("enough");
    expect(await agents.list()).toEqual([]);
  });

  test("a card must be signed by the keys it was added with, then and when it is renewed", async () => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const key = await importSigningKey(await exportJWK(privateKey));
    let isForged = false;
    await using agent = await startAgent({
      card: async (url) => {
        const signed = AgentCard.toJSON(await signCard(AgentCard.fromJSON(cardAt(url)), [key]));
        return isForged ? { ...(signed as object), name: "mallory" } : signed;
      },
    });
    await using bench = await openAgents();
    const trust = { jwks: publicJwks([key]) };
    expect((await bench.agents.add(agent.url, { name: "a", trust })).kid).toBe(key.kid);
    isForged = true;
    expect(await codeOf(bench.agents.refresh("a"))).toBe("PROTOCOL_VIOLATION");
    expect((await bench.agents.get("a")).card.name).toBe("Route Planner 2");
    expect(
      await codeOf(bench.agents.add(agent.url, { name: "b", trust: { jwks: { keys: [] } } })),
    ).toBe("PROTOCOL_VIOLATION");
  });

  test("a card may not send us to another host inside", async () => {
    await using agent = await startAgent({
      card: () => cardAt("http://localhost:9"),
    });
    await using metadata = await startAgent({ card: () => cardAt("http://169.254.169.254") });
    await using bench = await openAgents();
    await bench.agents.add(agent.url, { name: "a" });
    await bench.agents.add(metadata.url, { name: "b" });
    expect(await codeOf(bench.agents.transport("a"))).toBe("USAGE");
    expect(await codeOf(bench.agents.transport("b"))).toBe("USAGE");
  });
});

describe("called like one of ours", () => {
  test("JSON-RPC, served by the SDK's own server: unary, stream and error", async () => {
    await using agent = await startAgent({ rpc: sdkRoute() });
    await using bench = await openAgents({
      credentials: () => ({ authorization: "Bearer t0ken" }),
    });
    await bench.agents.add(agent.url, { name: "a" });
    const transport = await bench.agents.transport("a");
    expect(transport.protocolName).toBe("JSONRPC");
    const answer = await transport.sendMessage(message());
    expect("status" in answer && answer.id).toBeTruthy();
    const streamed = await Array.fromAsync(transport.sendMessageStream(message()));
    expect(streamed[0]?.payload?.$case).toBe("task");
    const missing = transport.getTask({ id: "none", tenant: "", historyLength: 0 });
    await expect(missing).rejects.toBeInstanceOf(TaskNotFoundError);
    const last = agent.seen.at(-1);
    expect(last?.get("authorization")).toBe("Bearer t0ken");
    expect(last?.get("a2a-version")).toBe("1.0");
    expect(JSON.stringify(await bench.agents.list())).not.toContain("t0ken");
    expect(bench.breakers.list()).toMatchObject([
      { target: "external:a", state: "closed", failures: 0 },
    ]);
  });

  test("HTTP+JSON, with the tenant its card names", async () => {
    const paths: string[] = [];
    const rpc: Route = async (request) => {
      paths.push(`${request.method} ${new URL(request.url).pathname}`);
      if (request.url.endsWith(":stream")) {
        return sse([{ statusUpdate: { taskId: "t1", status: { state: "TASK_STATE_WORKING" } } }]);
      }
      if (request.method === "POST")
        return Response.json({ message: { messageId: "m", parts: [] } });
      const details = [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "TASK_NOT_FOUND",
          domain: "a2a-protocol.org",
        },
      ];
      return Response.json({ error: { code: 404, message: "no", details } }, { status: 404 });
    };
    const card = (url: string) =>
      cardAt(url, {
        supportedInterfaces: [
          {
            url: `${url}/v1`,
            protocolBinding: "HTTP+JSON",
            protocolVersion: "1.0",
            tenant: "acme",
          },
        ],
      });
    await using agent = await startAgent({ rpc, card });
    await using bench = await openAgents();
    await bench.agents.add(agent.url, { name: "a" });
    const transport = await bench.agents.transport("a");
    expect(await transport.sendMessage(message())).toMatchObject({ messageId: "m" });
    const streamed: StreamResponse[] = await Array.fromAsync(
      transport.sendMessageStream(message()),
    );
    expect(streamed).toHaveLength(1);
    const missing = transport.getTask({ id: "none", tenant: "", historyLength: 0 });
    await expect(missing).rejects.toBeInstanceOf(TaskNotFoundError);
    expect(paths[0]).toContain("acme");
  });

  test("what goes wrong is of the closed set; an error of another Petrel comes out whole", async () => {
    const petrel = (code: string) => ({
      code: -32603,
      message: "busy",
      data: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "INTERNAL_ERROR",
          domain: "a2a-protocol.org",
          metadata: { petrelCode: code, retry: "later", retryAfterMs: "1" },
        },
      ],
    });
    const cases: readonly [string, Route][] = [
      ["UNAUTHENTICATED", () => new Response("no", { status: 401 })],
      [
        "UNAUTHENTICATED",
        () => Response.json({ error: { code: 403, message: "x" } }, { status: 403 }),
      ],
      ["UNAVAILABLE", () => new Response("", { status: 503 })],
      ["INCOMPLETE", () => new Response("", { status: 502 })],
      ["DEADLINE_EXCEEDED", () => new Response("", { status: 504 })],
      ["OVERLOADED", () => new Response("", { status: 429, headers: { "retry-after": "0" } })],
      ["PROTOCOL_VIOLATION", () => new Response("", { status: 404 })],
      ["PROTOCOL_VIOLATION", () => Response.redirect("http://127.0.0.1:1/")],
      ["PROTOCOL_VIOLATION", () => new Response("junk")],
      ["PROTOCOL_VIOLATION", () => Response.json({ jsonrpc: "1.0" })],
      ["PROTOCOL_VIOLATION", () => Response.json({ jsonrpc: "2.0", id: 999, result: {} })],
      ["TOO_LARGE", () => new Response("x".repeat(17 * 1024 * 1024))],
      [
        "OVERLOADED",
        () => Response.json({ jsonrpc: "2.0", id: null, error: petrel("OVERLOADED") }),
      ],
      ["CONFLICT", () => Response.json({ error: petrel("CONFLICT") }, { status: 500 })],
    ];
    for (const [code, rpc] of cases) {
      await using agent = await startAgent({ rpc });
      await using bench = await openAgents();
      await bench.agents.add(agent.url, { name: "a" });
      const transport = await bench.agents.transport("a");
      expect(await codeOf(transport.sendMessage(message()))).toBe(code);
    }
  });

  test("a deadline, a signal and a lost connection end a call; the breaker opens when it goes on", async () => {
    const silent: Route = () => new Promise(() => {});
    await using agent = await startAgent({ rpc: silent });
    await using bench = await openAgents();
    await bench.agents.add(agent.url, { name: "a" });
    const transport = await bench.agents.transport("a");
    const serviceParameters = { "a2a-timeout-ms": "50" };
    expect(await codeOf(transport.sendMessage(message(), { serviceParameters }))).toBe(
      "DEADLINE_EXCEEDED",
    );
    const streaming = Array.fromAsync(
      transport.sendMessageStream(message(), { serviceParameters }),
    );
    expect(await codeOf(streaming)).toBe("DEADLINE_EXCEEDED");
    const stop = new AbortController();
    const stopped = transport.sendMessage(message(), { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(stopped).rejects.toThrow("enough");
    await agent[Symbol.asyncDispose]();
    const codes = new Set<string>();
    for (let n = 0; n < 12; n++) codes.add(await codeOf(transport.sendMessage(message())));
    expect([...codes]).toEqual(["UNAVAILABLE"]);
    expect(bench.breakers.list()[0]).toMatchObject({ target: "external:a", state: "open" });
  });
});

test("keys are fetched over https alone, and only what is a key set is one", async () => {
  const answering = (body: unknown) => ({
    clock: systemClock,
    fetch: async () => Response.json(body),
  });
  const jku = "https://keys.example/jwks.json";
  const keys = [{ kty: "EC", crv: "P-256", x: "x", y: "y", kid: "k" }];
  expect(await fetchJwks(jku, answering({ keys }))).toEqual({ keys });
  expect(await codeOf(fetchJwks("http://keys.example/", answering({ keys })))).toBe("USAGE");
  for (const junk of [{}, { keys: 1 }, { keys: [{}] }, [], "x", null]) {
    expect(await codeOf(fetchJwks(jku, answering(junk)))).toBe("PROTOCOL_VIOLATION");
  }
  const big = { keys, more: "x".repeat(300_000) };
  expect(await codeOf(fetchJwks(jku, answering(big)))).toBe("TOO_LARGE");
});
