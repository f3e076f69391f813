/** What the durable core gives HTTP clients: a way back into a stream, tasks of their own, scopes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { SignJWT } from "jose";
import { z } from "zod";
import { jwtAuthenticator } from "../../../a2a/http/mod.ts";
import type { AgentDefinition } from "../../../a2a/mod.ts";
import { silentLogger, systemClock } from "../../../core/mod.ts";
import { until } from "../../support/until.ts";
import { worker } from "../echo.ts";
import {
  parseEvents,
  post,
  rpc,
  type SseEvent,
  type Stand,
  sending,
  startStand,
} from "./support.ts";

const SECRET = new TextEncoder().encode("0123456789abcdef0123456789abcdef");

/** Two skills, one of which needs a scope. */
const guarded: AgentDefinition = {
  ...worker,
  name: "guarded",
  skills: [
    { id: "read", name: "Read", description: "Reads.", tags: ["test"] },
    { id: "write", name: "Write", description: "Writes.", tags: ["test"], scopes: ["write"] },
  ],
};

let go: () => void = () => {};
/** Says five things, waits for the test, and says five more. */
const patient: AgentDefinition = {
  ...worker,
  name: "patient",
  run: async (turn) => {
    for (let step = 1; step <= 5; step++) turn.progress(`step ${step}`, { step });
    await new Promise<void>((resolve) => {
      go = resolve;
    });
    for (let step = 6; step <= 10; step++) turn.progress(`step ${step}`, { step });
    return { kind: "completed", text: "done" };
  },
};

let stand: Stand;
beforeAll(async () => {
  const keys = { kind: "secret", secret: SECRET } as const;
  const common = { issuer: "i", audience: "a", clock: systemClock, log: silentLogger };
  const authenticate = jwtAuthenticator({ keys, ...common });
  stand = await startStand({ authenticate, serve: [guarded, patient] });
});
afterAll(() => stand[Symbol.asyncDispose]());

async function tokenOf(sub: string, scope = ""): Promise<Record<string, string>> {
  const token = await new SignJWT({ scope })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("i")
    .setAudience("a")
    .setSubject(sub)
    .setExpirationTime(Math.floor(systemClock.nowMs() / 1_000) + 600)
    .sign(SECRET);
  return { authorization: `Bearer ${token}` };
}

const Update = z.object({
  result: z.object({
    task: z.object({ id: z.string() }).optional(),
    statusUpdate: z
      .object({
        status: z.object({
          state: z.string(),
          message: z.object({ parts: z.array(z.looseObject({})) }).optional(),
        }),
      })
      .optional(),
  }),
});
const steps = (events: readonly SseEvent[]) =>
  events.flatMap(({ data }) => {
    if (data === undefined) return [];
    const parts = Update.parse(JSON.parse(data)).result.statusUpdate?.status.message?.parts ?? [];
    return parts.flatMap(
      (part) =>
        z.object({ data: z.object({ step: z.number() }) }).safeParse(part).data?.data.step ?? [],
    );
  });

/** Reads a stream until `enough` of it is there, and leaves. */
async function readUntil(
  response: Response,
  enough: (events: readonly SseEvent[]) => boolean,
): Promise<SseEvent[]> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const whole = text.slice(0, text.lastIndexOf("\n\n") + 2);
    if (enough(parseEvents(whole))) return parseEvents(whole);
  }
  return parseEvents(text);
}

test("who left comes back with the last id, and misses nothing and sees nothing twice", async () => {
  const url = `${stand.url}/agents/patient`;
  const headers = await tokenOf("alice");
  const stream = await post(url, rpc("SendStreamingMessage", sending({})), headers);
  const first = await readUntil(stream, (events) => steps(events).length === 5);
  expect(steps(first)).toEqual([1, 2, 3, 4, 5]);
  await until("the stream has left", () => stand.open().streams === 0);
  const taskId = Update.parse(JSON.parse(first[0]?.data ?? "")).result.task?.id ?? "";
  const lastId = first.findLast(({ id }) => id !== undefined)?.id ?? "";
  expect(lastId).toMatch(/^\d+$/);
  go();
  const back = { ...headers, "last-event-id": lastId };
  const rest = await post(url, rpc("SubscribeToTask", { id: taskId }), back);
  const events = parseEvents(await rest.text());
  expect(steps(events)).toEqual([6, 7, 8, 9, 10]);
  const ids = events.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
  expect(ids[0]).toBe(Number(lastId) + 1);
  expect(ids).toEqual(ids.map((_, at) => Number(lastId) + 1 + at));
});

test("a task is its principal's alone, though one gateway asked for both", async () => {
  const url = `${stand.url}/agents/worker`;
  const alice = await tokenOf("alice");
  const bob = await tokenOf("bob");
  const made = await post(url, rpc("SendMessage", sending({ artifact: 1 })), alice);
  const Made = z.object({ result: z.object({ task: z.object({ id: z.string() }) }) });
  const { id } = Made.parse(await made.json()).result.task;
  const ask = async (who: Record<string, string>, method = "GetTask") =>
    (await post(url, rpc(method, { id }), who)).json();
  expect(await ask(alice)).toMatchObject({ result: { id } });
  expect(await ask(bob)).toMatchObject({ error: { code: -32001 } });
  expect(await ask(bob, "CancelTask")).toMatchObject({ error: { code: -32001 } });
  const list = async (who: Record<string, string>) =>
    (await fetch(`${url}/tasks`, { headers: { ...who, "a2a-version": "1.0" } })).text();
  expect(await list(alice)).toContain(id);
  expect(await list(bob)).not.toContain(id);
});

test("a skill that needs a scope is refused without it, and served with it", async () => {
  const url = `${stand.url}/agents/guarded`;
  const asking = (skillId: string) => {
    const { message } = sending({});
    return { message: { ...(message as object), metadata: { skillId } } };
  };
  const poor = await tokenOf("alice", "read");
  const refused = await post(url, rpc("SendMessage", asking("write")), poor);
  expect(refused.status).toBe(403);
  expect(await refused.text()).toContain("missing scope: write");
  const rest = await post(`${url}/message:send`, asking("write"), await tokenOf("alice"));
  expect(rest.status).toBe(403);
  expect(await rest.json()).toMatchObject({ error: { status: "PERMISSION_DENIED" } });
  expect((await post(url, rpc("SendMessage", asking("read")), poor)).status).toBe(200);
  const rich = await tokenOf("alice", "read write");
  expect((await post(url, rpc("SendMessage", asking("write")), rich)).status).toBe(200);
});
