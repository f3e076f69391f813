import { describe, expect, test } from "bun:test";
import { alarmJson, jsonLinesSink, webhookSink } from "../../agents/mod.ts";
import { failureOf } from "../support/failure.ts";
import { alarm } from "./verdict-fixtures.ts";

interface Post {
  readonly key: string | null;
  readonly type: string | null;
  readonly extra: string | null;
  readonly body: unknown;
}

/** A receiver that notes what it gets and answers as told, the last answer again and again. */
function receiver(answers: readonly (() => Response | Promise<Response>)[]) {
  const posts: Post[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { headers } = request;
      posts.push({
        key: headers.get("idempotency-key"),
        type: headers.get("content-type"),
        extra: headers.get("x-team"),
        body: await request.json(),
      });
      const answer = answers[Math.min(posts.length, answers.length) - 1];
      return answer ? await answer() : new Response();
    },
  });
  const url = `http://127.0.0.1:${server.port}/hook`;
  return { posts, url, [Symbol.asyncDispose]: () => server.stop(true) };
}

const status = (code: number) => () => new Response("body", { status: code });
const never = () => new AbortController().signal;
const sinkTo = (url: string, timeoutMs = 10_000) =>
  webhookSink({ url, timeoutMs, headers: { "x-team": "payments" } });

describe("webhook", () => {
  test("posts the alarm as JSON, under the alarm's id, with the given headers", async () => {
    await using hook = receiver([status(204)]);
    await sinkTo(hook.url).send(alarm("a-1"), never());
    expect(hook.posts).toEqual([
      {
        key: "a-1",
        type: "application/json",
        extra: "payments",
        body: JSON.parse(JSON.stringify(alarmJson(alarm("a-1")))),
      },
    ]);
  });

  test("500, then 200: the first says later, the second has the same key and body", async () => {
    await using hook = receiver([status(500), status(200)]);
    const sink = sinkTo(hook.url);
    const error = await failureOf(sink.send(alarm(), never()));
    expect(error).toMatchObject({ code: "OVERLOADED", retry: "later", fields: { status: 500 } });
    await sink.send(alarm(), never());
    expect(hook.posts).toHaveLength(2);
    expect(hook.posts[1]).toEqual(hook.posts[0] as Post);
  });

  test("what the receiver refuses is not sent again; what it has no room for is", async () => {
    for (const [code, retry] of [
      [400, "never"],
      [401, "never"],
      [404, "never"],
      [429, "later"],
      [503, "later"],
    ] as const) {
      await using hook = receiver([status(code)]);
      expect((await failureOf(sinkTo(hook.url).send(alarm(), never()))).retry).toBe(retry);
    }
  });

  test("a redirect is refused: the alarm goes nowhere else", async () => {
    await using other = receiver([status(200)]);
    for (const code of [301, 302, 307, 308]) {
      await using hook = receiver([() => Response.redirect(other.url, code)]);
      const error = await failureOf(sinkTo(hook.url).send(alarm(), never()));
      expect(error.fields.system).toBe("webhook");
    }
    expect(other.posts).toEqual([]);
  });

  test("a receiver that does not answer, or is not there, says later", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    await using hook = receiver([() => promise]);
    const late = await failureOf(sinkTo(hook.url, 50).send(alarm(), never()));
    resolve(new Response());
    expect(late).toMatchObject({ code: "DEADLINE_EXCEEDED", retry: "later" });
    const gone = await failureOf(sinkTo("http://127.0.0.1:1/").send(alarm(), never()));
    expect(gone).toMatchObject({ code: "UNAVAILABLE", retry: "later" });
  });

  test("the caller's abort ends it with the caller's reason", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    const stop = new AbortController();
    await using hook = receiver([
      () => {
        stop.abort("shutdown");
        return promise;
      },
    ]);
    const outcome: unknown = await sinkTo(hook.url)
      .send(alarm(), stop.signal)
      .catch((reason) => reason);
    resolve(new Response());
    expect(outcome).toBe("shutdown");
  });
});

test("jsonl: one line an alarm, that parses, with the evidence the cause cites", async () => {
  const lines: string[] = [];
  const sink = jsonLinesSink((line) => void lines.push(line));
  const hostile = alarm("a-2");
  await sink.send({ ...hostile, title: "two\nlines" }, never());
  expect(lines).toHaveLength(1);
  expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    type: "petrel.alarm/v1",
    id: "a-2",
    title: "two\nlines",
    rootCause: { service: "payment-service" },
    affected: ["order-service"],
    evidence: [{ id: "e1" }],
  });
});
