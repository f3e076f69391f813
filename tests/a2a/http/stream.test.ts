/** Streams through the gateway, from an agent that does what it should and from one that does not. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { connect as dial } from "node:net";
import { connect } from "nats";
import { until } from "../../support/until.ts";
import { type Asked, fakeAgent } from "./fake-agent.ts";
import { parseEvents, post, rpc, type Stand, sending, startStand, V1 } from "./support.ts";

let stand: Stand;
let answer: (asked: Asked) => void | Promise<void> = () => {};
let nc: Awaited<ReturnType<typeof connect>>;

beforeAll(async () => {
  stand = await startStand();
  nc = await connect({ servers: stand.nats.url });
  await fakeAgent(nc, "fake", (asked) => answer(asked));
});
afterAll(async () => {
  await nc.close();
  await stand[Symbol.asyncDispose]();
});
afterEach(() => until("no stream is left", () => stand.open().streams === 0));

const url = () => `${stand.url}/agents/fake`;
const status = (n: number) => ({ statusUpdate: { taskId: "t", contextId: "c", n } });

async function streamOf(headers: Record<string, string> = {}, method = "SendStreamingMessage") {
  const params = method === "SubscribeToTask" ? { id: "t" } : sending({});
  const response = await post(url(), rpc(method, params, "me"), headers);
  return { response, events: parseEvents(await response.text()) };
}

test("events bear the number of the task's event, and the agent's own bytes", async () => {
  answer = (asked) => {
    asked.data(1, status(1), 41);
    asked.send({ kind: "heartbeat", seq: 1 });
    asked.data(2, status(2), 42);
    asked.send({ kind: "end", seq: 3 });
  };
  const { response, events } = await streamOf();
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const said = events.filter(({ data }) => data !== undefined);
  expect(said.map(({ id }) => id)).toEqual(["41", "42"]);
  const envelope = JSON.stringify({ jsonrpc: "2.0", id: "me", result: status(1) });
  expect(said[0]?.data).toBe(envelope);
});

test("HTTP+JSON: the same events, without the envelope", async () => {
  answer = (asked) => {
    asked.data(1, status(1), 41);
    // As another implementation might write it.
    const envelope = { result: status(2), id: asked.id, jsonrpc: "2.0" };
    asked.send({ kind: "data", seq: 2, event: 42, body: JSON.stringify(envelope, null, 2) });
    asked.send({ kind: "end", seq: 3 });
  };
  const response = await post(`${url()}/message:stream`, sending({}));
  const events = parseEvents(await response.text());
  expect(events.map(({ id, data }) => [id, JSON.parse(data ?? "")])).toEqual([
    ["41", status(1)],
    ["42", status(2)],
  ]);
});

test("who comes back says where it was, in both bindings; the agent hears it", async () => {
  const seen: (string | undefined)[] = [];
  answer = (asked) => {
    seen.push(asked.header("a2a-cursor"));
    asked.data(1, status(3), 43);
    asked.send({ kind: "end", seq: 2 });
  };
  await streamOf({ "last-event-id": "42" }, "SubscribeToTask");
  await streamOf({ "last-event-id": "not a number" }, "SubscribeToTask");
  // A new stream has no place to come back to.
  await streamOf({ "last-event-id": "42" });
  const headers = { ...V1, "last-event-id": "42" };
  await (await fetch(`${url()}/tasks/t:subscribe`, { headers })).text();
  await (await fetch(`${url()}/tasks/t:subscribe`, { method: "POST", headers })).text();
  expect(seen).toEqual(["42", undefined, undefined, "42", "42"]);
});

test("a line break in an agent's bytes begins no field", async () => {
  answer = (asked) => {
    asked.send({ kind: "data", seq: 1, body: '{"a":1,\r\n"b":2,\nid: 99\r"c":3}' });
    asked.send({ kind: "end", seq: 2 });
  };
  const { events } = await streamOf();
  expect(events).toEqual([{ data: '{"a":1,\n"b":2,\nid: 99\n"c":3}' }]);
});

test("a break that only some readers know is escaped, and means the same", async () => {
  const text = "one\u2028two\u2029three\u0085four\u2014five";
  answer = (asked) => {
    asked.data(1, { text });
    asked.send({ kind: "end", seq: 2 });
  };
  const { events } = await streamOf();
  expect(events[0]?.data).not.toMatch(/[\u0085\u2028\u2029]/);
  expect(events[0]?.data).toContain("\u2014");
  expect(JSON.parse(events[0]?.data ?? "").result).toEqual({ text });
});

test("an error before the first event is an answer, not a stream", async () => {
  answer = ({ send, id }) => {
    const error = { code: -32004, message: "no streams here" };
    send({ kind: "error", body: JSON.stringify({ jsonrpc: "2.0", id, error }) });
  };
  const { response } = await streamOf();
  expect(response.headers.get("content-type")).toBe("application/json");
  const rest = await post(`${url()}/message:stream`, sending({}));
  expect(rest.status).toBe(400);
  expect(await rest.json()).toMatchObject({ error: { message: "no streams here" } });
});

test("an error in mid-stream is its last event", async () => {
  answer = ({ send, data, id }) => {
    data(1, status(1), 1);
    const error = { code: -32603, message: "broken" };
    send({ kind: "error", seq: 2, body: JSON.stringify({ jsonrpc: "2.0", id, error }) });
  };
  const { events } = await streamOf();
  expect(JSON.parse(events[1]?.data ?? "")).toMatchObject({
    id: "me",
    error: { message: "broken" },
  });
  const rest = await post(`${url()}/message:stream`, sending({}));
  const restEvents = parseEvents(await rest.text());
  expect(restEvents[1]?.event).toBe("error");
  expect(JSON.parse(restEvents[1]?.data ?? "")).toMatchObject({
    error: { code: 500, message: "broken" },
  });
});

test("an error in place of an event, as of one too large to send, ends an HTTP+JSON stream", async () => {
  answer = ({ send, id }) => {
    const error = { code: -32603, message: "too large" };
    send({ kind: "data", seq: 1, body: JSON.stringify({ jsonrpc: "2.0", id, error }) });
    send({ kind: "end", seq: 2 });
  };
  const rest = await post(`${url()}/message:stream`, sending({}));
  const events = parseEvents(await rest.text());
  expect(events).toHaveLength(1);
  expect(events[0]?.event).toBe("error");
});

test("a frame that is missing ends the stream, and says so", async () => {
  answer = ({ data }) => {
    data(1, status(1));
    data(3, status(3));
  };
  const { events } = await streamOf();
  const last = JSON.parse(events.at(-1)?.data ?? "");
  expect(last.error.data[0].metadata).toMatchObject({ petrelCode: "INCOMPLETE", retry: "later" });
  expect(last.id).toBe("me");
});

test("a lost tail is noticed by the heartbeat", async () => {
  answer = ({ data, send }) => {
    data(1, status(1));
    send({ kind: "heartbeat", seq: 2 });
  };
  const { events } = await streamOf();
  expect(events.at(-1)?.data).toContain("INCOMPLETE");
});

test("frames of somebody else's answer are passed over", async () => {
  answer = ({ data, send }) => {
    data(1, status(1));
    send({ kind: "data", seq: 2, body: '{"forged":true}', envelope: "another" });
    data(2, status(2));
    send({ kind: "end", seq: 3 });
  };
  const { events } = await streamOf();
  expect(events).toHaveLength(2);
  expect(JSON.stringify(events)).not.toContain("forged");
});

test("a unary answer under another envelope is passed over", async () => {
  answer = ({ send, id }) => {
    const body = (who: string) => JSON.stringify({ jsonrpc: "2.0", id, result: { who } });
    send({ kind: "result", body: body("mallory"), envelope: "another" });
    send({ kind: "result", body: body("fake") });
  };
  const response = await post(url(), rpc("GetTask", { id: "t" }));
  expect(await response.json()).toMatchObject({ result: { who: "fake" } });
});

test("bytes that are no text, and a frame nobody knows, are an invalid agent response", async () => {
  answer = ({ send }) => send({ kind: "result", body: new Uint8Array([0xff, 0xfe]) });
  const response = await post(url(), rpc("GetTask", { id: "t" }));
  expect(await response.json()).toMatchObject({ id: 1, error: { code: -32006 } });
  answer = ({ send }) => send({ kind: "surprise", body: "{}" });
  const rest = await fetch(`${url()}/tasks/t`, { headers: V1 });
  expect(rest.status).toBe(500);
  expect(await rest.json()).toMatchObject({
    error: { status: "INTERNAL", details: [{ reason: "INVALID_AGENT_RESPONSE" }] },
  });
});

test("nobody waits longer than the client said", async () => {
  answer = ({ message, header, data }) => {
    if (message.subject.endsWith("SendStreamingMessage")) data(1, status(1));
    expect(Number(header("a2a-timeout-ms"))).toBeLessThanOrEqual(200);
  };
  const timeout = { "a2a-timeout-ms": "200" };
  const { events } = await streamOf(timeout);
  expect(events.at(-1)?.data).toContain("DEADLINE_EXCEEDED");
  const unary = await post(url(), rpc("GetTask", { id: "t" }), timeout);
  expect(unary.status).toBe(504);
  expect(await unary.json()).toMatchObject({ id: 1, error: { code: -32603 } });
});

test("an agent that says it is overloaded says when to come back, in both bindings", async () => {
  answer = ({ send, id }) => {
    const metadata = { petrelCode: "OVERLOADED", retry: "later", retryAfterMs: "2500" };
    const error = { code: -32603, message: "full", data: [{ reason: "INTERNAL_ERROR", metadata }] };
    send({ kind: "error", body: JSON.stringify({ jsonrpc: "2.0", id, error }) });
  };
  for (const response of [
    await post(url(), rpc("SendMessage", sending({}))),
    await post(`${url()}/message:send`, sending({})),
  ]) {
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("3");
    expect(await response.text()).toContain("OVERLOADED");
  }
});

test("a trace and extensions go through", async () => {
  let seen: (string | undefined)[] = [];
  answer = ({ header, send, id }) => {
    seen = [header("traceparent"), header("a2a-extensions"), header("a2a-on-behalf")];
    send({ kind: "result", body: JSON.stringify({ jsonrpc: "2.0", id, result: {} }) });
  };
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  await post(url(), rpc("GetTask", { id: "t" }), {
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    "a2a-extensions": "https://one.example/a, urn:two",
    // The gateway alone says for whom it asks.
    "a2a-on-behalf": "somebody",
  });
  expect(seen[0]).toContain(traceId);
  expect(seen[0]).not.toContain("00f067aa0ba902b7");
  expect(seen.slice(1)).toEqual(["https://one.example/a,urn:two", undefined]);
});

test("a client that does not read holds little, and is told where it broke off", async () => {
  const FRAMES = 600;
  const filler = "x".repeat(64 * 1024);
  let isSaid = false;
  answer = async ({ data }) => {
    for (let n = 1; n <= FRAMES; n++) {
      data(n, { ...status(n), filler }, n);
      if (n % 20 === 0) await nc.flush();
    }
    await nc.flush();
    isSaid = true;
  };
  const { hostname, port } = new URL(stand.url);
  const body = JSON.stringify(rpc("SendStreamingMessage", sending({}), "slow"));
  const socket = dial(Number(port), hostname);
  const text = await new Promise<string>((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString()));
    socket.on("connect", () => {
      socket.pause();
      const head =
        "POST /agents/fake HTTP/1.1\r\nhost: x\r\nconnection: close\r\na2a-version: 1.0\r\n";
      const type = "content-type: application/json\r\n";
      socket.write(`${head}${type}content-length: ${body.length}\r\n\r\n${body}`);
      socket.on("data", (chunk) => {
        chunks.push(Buffer.from(chunk));
        if (chunk.includes("0\r\n\r\n")) socket.end();
      });
      socket.pause();
    });
    // The agent has said everything to a client that took nothing.
    void (async () => {
      await until("the agent has said everything", () => isSaid);
      await stand.gateway.nc.flush();
      socket.resume();
    })();
  });
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids.length).toBeGreaterThan(0);
  expect(ids.length).toBeLessThan(FRAMES);
  expect(ids).toEqual(Array.from(ids, (_, i) => i + 1));
  expect(text).toContain("reads too slowly");
});
