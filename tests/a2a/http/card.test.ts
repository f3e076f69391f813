/** Cards over HTTP: whose they are, what they say of the gateway, and how they are cached. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { AgentCard } from "@a2a-js/sdk";
import { echo } from "../echo.ts";
import { post, rpc, type Stand, startStand, V1 } from "./support.ts";

let stand: Stand;
let signed = 0;
beforeAll(async () => {
  const sign = async (card: AgentCard) => {
    const signature = { protected: "e30", signature: `s${signed++}`, header: undefined };
    return { ...card, signatures: [...card.signatures, signature] };
  };
  const extended = { description: "More of it.", skills: [] };
  const serve = [{ ...echo, name: "known", extended }];
  stand = await startStand({ serve, sign, cardMaxAgeS: 30, corsOrigins: ["https://page.example"] });
});
afterAll(() => stand[Symbol.asyncDispose]());

const cardUrl = (agent = "echo", file = "agent-card.json") =>
  `${stand.url}/agents/${agent}/.well-known/${file}`;

test("the gateway's addresses stand first, the agent's own behind them", async () => {
  const response = await fetch(cardUrl());
  expect(response.headers.get("content-type")).toBe("application/json");
  const card = AgentCard.fromJSON(await response.json());
  expect(card.name).toBe("echo");
  expect(
    card.supportedInterfaces.map(({ protocolBinding, protocolVersion }) => [
      protocolBinding,
      protocolVersion,
    ]),
  ).toEqual([
    ["JSONRPC", "1.0"],
    ["HTTP+JSON", "1.0"],
    ["JSONRPC", "0.3"],
    ["urn:petrel:a2a:binding:nats:v1", "1.0"],
  ]);
  expect(card.supportedInterfaces[0]?.url).toBe(`${stand.url}/agents/echo`);
  expect(card.securitySchemes).toEqual({});
  expect(card.signatures).toHaveLength(1);
});

test("a client that has the card is told so, and it is signed once", async () => {
  const first = await fetch(cardUrl("worker"));
  const etag = first.headers.get("etag") ?? "";
  expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
  expect(first.headers.get("cache-control")).toBe("public, max-age=30");
  expect(first.headers.get("last-modified")).toContain("GMT");
  const before = signed;
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const again = await fetch(cardUrl("worker"), { headers: { "if-none-match": tag } });
    expect(again.status).toBe(304);
    expect(again.headers.get("etag")).toBe(etag);
    expect(await again.text()).toBe("");
  }
  const other = await fetch(cardUrl("worker"), { headers: { "if-none-match": '"x"' } });
  expect(other.status).toBe(200);
  expect(signed).toBe(before);
});

test("a client of 0.3 finds a card in its own words", async () => {
  const urls = [
    fetch(cardUrl("echo", "agent.json")),
    fetch(cardUrl(), { headers: { "a2a-version": "0.3" } }),
  ];
  for (const response of await Promise.all(urls)) {
    expect(response.headers.get("vary")).toContain("A2A-Version");
    const card = await response.json();
    expect(card).toMatchObject({
      name: "echo",
      url: `${stand.url}/agents/echo`,
      preferredTransport: "JSONRPC",
      protocolVersion: "0.3",
      capabilities: { streaming: true },
    });
    expect(card).not.toHaveProperty("signatures");
  }
});

test("what is not there is not found", async () => {
  for (const url of [cardUrl("nobody"), cardUrl("a.b"), cardUrl("echo", "jwks.json")]) {
    const response = await fetch(url);
    expect(response.status).toBe(404);
    await response.text();
  }
  expect((await fetch(`${stand.url}/`)).status).toBe(404);
});

test("the card for those who are known bears the gateway's addresses too, and its signature", async () => {
  const extended = { description: "More of it.", skills: [] };
  await using known = await startStand({
    serve: [{ ...echo, name: "known", extended }],
    authenticate: async () => ({ principal: "ann" }),
    sign: async (card) => ({
      ...card,
      signatures: [{ protected: "e30", signature: "s", header: undefined }],
    }),
  });
  const check = (json: unknown) => {
    const card = AgentCard.fromJSON(json);
    expect(card.description).toBe("More of it.");
    expect(card.supportedInterfaces[0]?.url).toBe(`${known.url}/agents/known`);
    expect(card.supportedInterfaces).toHaveLength(4);
    expect(card.signatures).toHaveLength(1);
  };
  const url = `${known.url}/agents/known`;
  const answer = await post(url, rpc("GetExtendedAgentCard", {}));
  check(((await answer.json()) as { result: unknown }).result);
  check(await (await fetch(`${url}/extendedAgentCard`, { headers: V1 })).json());
});

test("where nobody is asked who they are, nobody gets it, and the card says so", async () => {
  const url = `${stand.url}/agents/known`;
  const card = AgentCard.fromJSON(await (await fetch(cardUrl("known"))).json());
  expect(card.capabilities?.extendedAgentCard).toBe(false);
  const answer = await post(url, rpc("GetExtendedAgentCard", {}));
  expect(((await answer.json()) as { error: { code: number } }).error.code).toBe(-32004);
  const rest = await fetch(`${url}/extendedAgentCard`, { headers: V1 });
  expect(rest.status).toBe(400);
});

test("the list names every agent once", async () => {
  const response = await fetch(`${stand.url}/agents`);
  const { agents } = (await response.json()) as { agents: { name: string }[] };
  expect(agents.map(({ name }) => name)).toEqual(["echo", "known", "worker"]);
  expect(agents[0]).toEqual({
    name: "echo",
    description: "Answers with what it was sent.",
    version: "1.0.0",
    url: `${stand.url}/agents/echo`,
    card: cardUrl(),
    skills: [{ id: "echo", name: "Echo", tags: ["test"] }],
  } as (typeof agents)[0]);
});

test("a page of an origin that is named may ask, and no other", async () => {
  const ask = async (origin: string) => {
    const response = await fetch(`${stand.url}/agents`, { headers: { origin } });
    await response.text();
    return response.headers.get("access-control-allow-origin");
  };
  expect(await ask("https://page.example")).toBe("https://page.example");
  expect(await ask("https://evil.example")).toBe(null);
});
