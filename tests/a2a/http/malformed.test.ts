/** What nobody should send: each gets the error the specification names, in both bindings the same. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import * as fc from "fast-check";
import { z } from "zod";
import { limits } from "../../../core/mod.ts";
import { JSON_V1, post, rpc, type Stand, sending, startStand, V1 } from "./support.ts";

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand[Symbol.asyncDispose]());

const RestError = z.object({
  error: z.object({
    code: z.number(),
    status: z.string(),
    message: z.string(),
    details: z.array(z.unknown()),
  }),
});
const RpcAnswer = z.object({
  jsonrpc: z.literal("2.0"),
  id: z.union([z.string(), z.number(), z.null()]),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});
const seed = Number(process.env["PETREL_TEST_SEED"]);
const echo = () => `${stand.url}/agents/echo`;
const good = rpc("SendMessage", sending({ n: 1 }), 7);
const notUtf8 = new Uint8Array([0x7b, 0xff, 0x7d]);

interface Case {
  readonly what: string;
  readonly body: string | Uint8Array;
  readonly headers?: Record<string, string>;
  readonly code: number;
  readonly id?: unknown;
  readonly status?: number;
  readonly path?: string;
}

const text = (value: unknown) => JSON.stringify(value);
const CASES: readonly Case[] = [
  { what: "nothing", body: "", code: -32700 },
  { what: "no JSON", body: "{", code: -32700 },
  { what: "no UTF-8", body: notUtf8, code: -32700 },
  { what: "a batch", body: text([good]), code: -32600 },
  { what: "a string", body: '"hello"', code: -32600 },
  { what: "another jsonrpc", body: text({ ...good, jsonrpc: "1.0" }), code: -32600, id: 7 },
  { what: "an object as id", body: text({ ...good, id: {} }), code: -32600, id: null },
  { what: "half an id", body: text({ ...good, id: 1.5 }), code: -32600, id: null },
  { what: "a number as method", body: text({ ...good, method: 1 }), code: -32600, id: 7 },
  { what: "no method", body: text({ jsonrpc: "2.0", id: "x" }), code: -32600, id: "x" },
  { what: "an unknown method", body: text({ ...good, method: "Explode" }), code: -32601, id: 7 },
  { what: "a method of Object", body: text({ ...good, method: "toString" }), code: -32601, id: 7 },
  { what: "a method of 0.3", body: text({ ...good, method: "message/send" }), code: -32601, id: 7 },
  { what: "no parameters", body: text(rpc("SendMessage", undefined, 7)), code: -32602, id: 7 },
  { what: "parameters as a list", body: text(rpc("SendMessage", [], 7)), code: -32602, id: 7 },
  { what: "no message", body: text(rpc("SendMessage", {}, 7)), code: -32602, id: 7 },
  { what: "an unknown task", body: text(rpc("GetTask", { id: "x" }, 7)), code: -32001, id: 7 },
  {
    what: "an unknown version",
    body: text(good),
    headers: { "a2a-version": "99.0" },
    code: -32009,
    id: 7,
  },
  {
    what: "no version with a method of 1.0",
    body: text(good),
    headers: { "a2a-version": "" },
    code: -32601,
    id: 7,
  },
  {
    what: "plain text",
    body: text(good),
    headers: { "content-type": "text/plain" },
    code: -32005,
    status: 415,
  },
  {
    what: "too much",
    body: text(rpc("SendMessage", sending("x".repeat(limits.ENVELOPE_BYTES_MAX)))),
    code: -32600,
    status: 413,
  },
  {
    what: "no such agent",
    body: text(good),
    path: "/agents/nobody",
    code: -32000,
    status: 404,
    id: 7,
  },
  { what: "a name that is none", body: text(good), path: "/agents/a.b", code: -32000, status: 404 },
];

for (const { what, body, headers, code, id, status, path } of CASES) {
  test(`JSON-RPC: ${what}`, async () => {
    const response = await fetch(stand.url + (path ?? "/agents/echo"), {
      method: "POST",
      headers: { ...JSON_V1, ...headers },
      body,
    });
    expect(response.status).toBe(status ?? 200);
    expect(response.headers.get("content-type")).toBe("application/json");
    const answer = await response.json();
    expect(answer).toMatchObject({ jsonrpc: "2.0", id: id ?? null, error: { code } });
    expect(answer).not.toHaveProperty("result");
  });
}

test("JSON-RPC: a body that does not say its length is bounded too", async () => {
  const chunk = new TextEncoder().encode("x".repeat(64 * 1024));
  let sent = 0;
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(chunk);
      sent += chunk.length;
      if (sent > 2 * limits.ENVELOPE_BYTES_MAX) controller.close();
    },
  });
  const response = await fetch(echo(), { method: "POST", headers: JSON_V1, body });
  expect(response.status).toBe(413);
});

test("the patch number of a version counts for nothing, and the query may name it", async () => {
  for (const version of ["1.0", "1.0.7", " 1.0 "]) {
    const response = await post(echo(), good, { "a2a-version": version });
    expect(await response.json()).toHaveProperty("result");
  }
  const headers = { "content-type": "application/json" };
  const url = `${echo()}?A2A-Version=1.0`;
  const response = await fetch(url, { method: "POST", headers, body: text(good) });
  expect(await response.json()).toHaveProperty("result");
});

test("only POST asks", async () => {
  for (const method of ["GET", "PUT", "DELETE"]) {
    const response = await fetch(echo(), { method, headers: V1 });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  }
});

interface RestCase {
  readonly what: string;
  readonly path: string;
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly reason?: string;
  readonly name: string;
}

const REST_CASES: readonly RestCase[] = [
  { what: "an unknown path", path: "/nothing", status: 404, name: "NOT_FOUND" },
  { what: "the version of the path", path: "/v1/tasks", status: 404, name: "NOT_FOUND" },
  { what: "another verb", path: "/tasks", method: "DELETE", status: 405, name: "UNIMPLEMENTED" },
  { what: "no JSON", path: "/message:send", body: "{", status: 400, name: "INVALID_ARGUMENT" },
  { what: "nothing", path: "/message:send", body: "", status: 400, name: "INVALID_ARGUMENT" },
  { what: "no UTF-8", path: "/message:send", body: notUtf8, status: 400, name: "INVALID_ARGUMENT" },
  { what: "a list", path: "/message:send", body: "[]", status: 400, name: "INVALID_ARGUMENT" },
  { what: "no message", path: "/message:send", body: "{}", status: 400, name: "INVALID_ARGUMENT" },
  { what: "no number", path: "/tasks/x?historyLength=a", status: 400, name: "INVALID_ARGUMENT" },
  { what: "a broken escape", path: "/tasks/%zz", status: 400, name: "INVALID_ARGUMENT" },
  {
    what: "an unknown task",
    path: "/tasks/x",
    status: 404,
    name: "NOT_FOUND",
    reason: "TASK_NOT_FOUND",
  },
  {
    what: "a task with a slash in its name",
    path: "/tasks/a%2Fb:cancel",
    method: "POST",
    status: 404,
    name: "NOT_FOUND",
    reason: "TASK_NOT_FOUND",
  },
  {
    what: "no version",
    path: "/tasks/x",
    headers: { "a2a-version": "" },
    status: 400,
    name: "FAILED_PRECONDITION",
    reason: "VERSION_NOT_SUPPORTED",
  },
  {
    what: "plain text",
    path: "/message:send",
    body: "{}",
    headers: { "content-type": "text/plain" },
    status: 415,
    name: "INVALID_ARGUMENT",
    reason: "CONTENT_TYPE_NOT_SUPPORTED",
  },
];

for (const { what, path, method, body, headers, status, reason, name } of REST_CASES) {
  test(`HTTP+JSON: ${what}`, async () => {
    const verb = method ?? (body === undefined ? "GET" : "POST");
    const response = await fetch(`${stand.url}/agents/worker${path}`, {
      method: verb,
      headers: { ...JSON_V1, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    expect(response.status).toBe(status);
    const { error } = RestError.parse(await response.json());
    expect(error).toMatchObject({ code: status, status: name });
    if (reason) expect(error.details[0]).toMatchObject({ reason });
    expect(error.message.length).toBeGreaterThan(5);
  });
}

test("HTTP+JSON answers in the media type the client named, else in plain JSON", async () => {
  const ask = async (headers: Record<string, string>) => {
    const url = `${stand.url}/agents/worker/tasks/x`;
    const response = await fetch(url, { headers: { ...V1, ...headers } });
    return response.headers.get("content-type");
  };
  expect(await ask({ accept: "application/a2a+json, application/json" })).toBe(
    "application/a2a+json",
  );
  expect(await ask({ accept: "application/json" })).toBe("application/json");
  expect(await ask({ accept: "*/*" })).toBe("application/json");
});

test("whatever comes is answered in JSON-RPC, and nothing breaks", async () => {
  const member = fc.oneof(fc.jsonValue(), fc.constantFrom("2.0", "SendMessage", "GetTask", null));
  const request = fc.record(
    { jsonrpc: fc.oneof(fc.constant("2.0"), member), id: member, method: member, params: member },
    { requiredKeys: [] },
  );
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    request.map((value) => new TextEncoder().encode(JSON.stringify(value))),
  );
  const holds = fc.asyncProperty(body, async (bytes) => {
    const response = await fetch(echo(), { method: "POST", headers: JSON_V1, body: bytes });
    expect(response.status).toBe(200);
    const answer = RpcAnswer.parse(await response.json());
    expect(answer.result === undefined).toBe(answer.error !== undefined);
  });
  await fc.assert(holds, { seed, numRuns: 300 });
});

test("whatever comes is answered over HTTP+JSON, and nothing breaks", async () => {
  const segment = fc.oneof(
    fc.constantFrom("tasks", "message:send", "pushNotificationConfigs", "x:cancel", "%2e%2e", ""),
    fc.string({ maxLength: 10 }).map((one) => encodeURIComponent(one.toWellFormed())),
  );
  const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
  const verb = fc.constantFrom("GET", "POST", "DELETE", "PUT");
  const holds = fc.asyncProperty(path, verb, async (tail, method) => {
    const response = await fetch(`${stand.url}/agents/worker/${tail}`, {
      method,
      headers: JSON_V1,
    });
    await response.text();
    expect(response.status).toBeLessThan(500);
  });
  await fc.assert(holds, { seed, numRuns: 200 });
});
