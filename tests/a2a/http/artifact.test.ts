/** Large artifacts over HTTP: their content, for their owner alone, and what a card says is needed for a skill. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { AgentCard, type Task } from "@a2a-js/sdk";
import type { Identity } from "../../../a2a/http/mod.ts";
import type { Mesh } from "../../../a2a/mod.ts";
import { scribe } from "../tasks/agents.ts";
import { post, rpc, type Stand, sending, startStand } from "./support.ts";

const PRINCIPALS: Readonly<Record<string, Identity>> = {
  "Bearer ann": { principal: "ann" },
  "Bearer bob": { principal: "bob" },
};
const guarded = {
  ...scribe,
  name: "guarded",
  skills: [{ id: "big", name: "Big", description: "Makes much.", tags: ["test"], scopes: ["big"] }],
};

let stand: Stand;
let mesh: Mesh;
beforeAll(async () => {
  stand = await startStand({
    serve: [scribe, guarded],
    authenticate: async (header) => PRINCIPALS[header ?? ""] ?? {},
    artifacts: (agent, place, hash) => mesh.artifacts.find(agent, place, hash),
  });
  mesh = stand.gateway;
});
afterAll(() => stand[Symbol.asyncDispose]());

async function largeArtifact(): Promise<{ task: Task; url: string; hash: string }> {
  const body = rpc("SendMessage", sending({}, "big 700000"));
  const answer = await post(`${stand.url}/agents/scribe`, body, { authorization: "Bearer ann" });
  const { result } = (await answer.json()) as { result: { task: Task } };
  const [part] = result.task.artifacts[0]?.parts ?? [];
  const hash = String(part?.metadata?.["sha256"]);
  const url = `${stand.url}/agents/scribe/artifacts/${result.task.id}/${hash}`;
  return { task: result.task, url, hash };
}

test("the owner gets the content, with its digest; nobody else does", async () => {
  const { url, hash } = await largeArtifact();
  const mine = await fetch(url, { headers: { authorization: "Bearer ann" } });
  expect(mine.status).toBe(200);
  expect(mine.headers.get("content-disposition")).toBe("attachment");
  expect(mine.headers.get("content-digest")).toBe(
    `sha-256=:${Buffer.from(hash, "hex").toString("base64")}:`,
  );
  expect(await mine.text()).toBe("b".repeat(700_000));
  const again = await fetch(url, {
    headers: { authorization: "Bearer ann", "if-none-match": `"${hash}"` },
  });
  expect(again.status).toBe(304);
  for (const authorization of ["Bearer bob", "none"]) {
    expect((await fetch(url, { headers: { authorization } })).status).toBe(404);
  }
});

test("an address that is none is not found", async () => {
  const { url, task } = await largeArtifact();
  const base = `${stand.url}/agents/scribe/artifacts`;
  const bad = [
    `${base}/${task.id}/short`,
    `${base}/a.b/${"0".repeat(64)}`,
    url.replace("scribe", "nobody"),
  ];
  for (const address of bad) {
    expect((await fetch(address, { headers: { authorization: "Bearer ann" } })).status).toBe(404);
  }
});

test("a skill's scopes stand in the card of a gateway that asks for tokens, and in no other", async () => {
  const card = async (url: string) => {
    const answer = await fetch(`${url}/agents/guarded/.well-known/agent-card.json`);
    return AgentCard.fromJSON(await answer.json());
  };
  const strict = await card(stand.url);
  expect(strict.skills[0]?.securityRequirements[0]?.schemes["bearer"]?.list).toEqual(["big"]);
  expect(strict.securitySchemes["bearer"]).toBeDefined();
  await using open = await startStand({ serve: [guarded] });
  const free = await card(open.url);
  expect(free.skills[0]?.securityRequirements).toEqual([]);
  expect(free.securitySchemes).toEqual({});
});
