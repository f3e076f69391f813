/** Every sink that speaks HTTP against a receiver that is busy, broken, away, slow, or lies. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { isRetryable } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";
import { HTTP_CASES, type HttpCase } from "./http-sinks.ts";
import { notice } from "./notices.ts";
import { answers, never, rawReceiver, receiver } from "./receiver.ts";

const WRONG: [number, string, "never" | "later"][] = [
  [400, "QUERY_REFUSED", "never"],
  [401, "UNAUTHENTICATED", "never"],
  [403, "UNAUTHENTICATED", "never"],
  [404, "QUERY_REFUSED", "never"],
  [410, "QUERY_REFUSED", "never"],
  [413, "QUERY_REFUSED", "never"],
  [500, "UNAVAILABLE", "later"],
  [502, "UNAVAILABLE", "later"],
  [503, "OVERLOADED", "later"],
];

/** What a receiver says of a request, all of it: an error page may hold anything that was sent. */
const everything =
  (code: number) => async (request: { path: string; text: string; headers: Headers }) =>
    Response.json(
      { message: `${request.path} ${request.text} ${JSON.stringify([...request.headers])}` },
      { status: code, headers: { location: "/elsewhere" } },
    );

function checkFailures({ name, sinkAt, good, lies, secret }: HttpCase): void {
  const sendTo = (url: string, timeoutMs?: number) =>
    sinkAt(url, timeoutMs).send(notice(), never());
  /** The failure, which names the system and no secret, whatever part of it is looked at. */
  const failureTo = async (url: string, timeoutMs?: number) => {
    const error = await failureOf(sendTo(url, timeoutMs));
    expect(error.fields["system"]).toBe(name);
    expect(error.message).toContain(name);
    expect(Bun.inspect(error)).not.toContain(secret);
    return error;
  };

  test("takes the documented answer", async () => {
    await using there = receiver(good);
    await sendTo(there.url);
    expect(there.requests.at(-1)?.method).toBe("POST");
    expect(there.requests.at(-1)?.headers.get("content-type")).toBe("application/json");
  });

  for (const [status, code, retry] of WRONG) {
    test(`${status} is ${code}`, async () => {
      await using there = receiver(everything(status));
      const error = await failureTo(there.url);
      expect(error).toMatchObject({ code, retry, fields: { status } });
      expect(there.requests).toHaveLength(1);
    });
  }

  test("429 says when to come again", async () => {
    await using there = receiver(answers.text("rate_limited", 429, { "retry-after": "30" }));
    const error = await failureTo(there.url);
    expect(error).toMatchObject({ code: "OVERLOADED", fields: { retryAfterMs: 30_000 } });
  });

  test("a redirect is not followed", async () => {
    await using other = receiver(good);
    for (const status of [301, 302, 307, 308]) {
      await using there = receiver(answers.text("", status, { location: other.url }));
      expect(await failureTo(there.url)).toMatchObject({ code: "PROTOCOL_VIOLATION" });
    }
    expect(other.requests).toEqual([]);
  });

  test("no answer, no receiver, a cut connection: later", async () => {
    await using mute = await rawReceiver(() => undefined);
    expect(await failureTo(mute.url, 50)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await using cut = await rawReceiver((socket) => void socket.destroy());
    expect(await failureTo(cut.url)).toMatchObject({ code: "INCOMPLETE" });
    expect(await failureTo("http://127.0.0.1:1")).toMatchObject({ code: "UNAVAILABLE" });
  });

  test("an answer whose body never ends is not waited for longer than the deadline", async () => {
    if (name === "webhook") return; // It reads no body.
    await using slow = await rawReceiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[");
    });
    expect(await failureTo(slow.url, 100)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  test("a head without end ends with the deadline or before", async () => {
    await using flood = await rawReceiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      pour(socket, `x-more: ${"x".repeat(8_000)}\r\n`);
    });
    const error = await failureTo(flood.url, 300);
    expect(["DEADLINE_EXCEEDED", "UNAVAILABLE", "INCOMPLETE"]).toContain(error.code);
  });

  test.each(lies.map((answer, at) => [at, answer] as const))(
    "lie %d is named",
    async (_, answer) => {
      await using there = receiver(answer);
      const error = await failureTo(there.url);
      expect(["PROTOCOL_VIOLATION", "TOO_LARGE"]).toContain(error.code);
      expect(isRetryable(error)).toBe(false);
    },
  );

  test("the caller's abort ends it with the caller's reason", async () => {
    const stop = new AbortController();
    const { promise: answered, resolve: answer } = Promise.withResolvers<Response>();
    await using there = receiver(() => {
      stop.abort("shutdown");
      return answered;
    });
    const outcome: unknown = await sinkAt(there.url)
      .send(notice(), stop.signal)
      .catch((reason: unknown) => reason);
    answer(new Response());
    expect(outcome).toBe("shutdown");
  });
}

/** Writes as fast as the other side reads, until it is gone. */
function pour(socket: Socket, text: string): void {
  const more = () => {
    if (socket.destroyed) return;
    if (socket.write(text)) setImmediate(more);
    else socket.once("drain", more);
  };
  more();
}

for (const one of HTTP_CASES) describe(one.name, () => checkFailures(one));
