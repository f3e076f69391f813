/** The shared HTTP call against real sockets: each failure has its code, none tells a secret. */
import { afterAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { z } from "zod";
import { type HttpRequest, httpRequest, readBytes, readJson } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";

const stops: (() => void)[] = [];
afterAll(() => {
  for (const stop of stops) stop();
});

function serve(fetch: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch });
  stops.push(() => void server.stop(true));
  return `http://127.0.0.1:${server.port}`;
}

/** A raw TCP server: what it writes after the first bytes of a request is up to `answer`. */
async function serveRaw(answer: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => answer(socket));
  });
  stops.push(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

const call = (url: string, more: Partial<HttpRequest> = {}) =>
  httpRequest({ system: "splunk", url, timeoutMs: 5_000, ...more });

function dates(now: string, then: string): Record<string, string> {
  const at = (time: string) => `Fri, 13 Mar 2026 ${time} GMT`;
  return { date: at(now), "retry-after": at(then) };
}

describe("statuses", () => {
  const cases: [number, string][] = [
    [301, "PROTOCOL_VIOLATION"],
    [400, "QUERY_REFUSED"],
    [401, "UNAUTHENTICATED"],
    [403, "UNAUTHENTICATED"],
    [404, "QUERY_REFUSED"],
    [422, "QUERY_REFUSED"],
    [429, "OVERLOADED"],
    [500, "UNAVAILABLE"],
    [502, "UNAVAILABLE"],
    [503, "OVERLOADED"],
    [504, "DEADLINE_EXCEEDED"],
  ];
  for (const [status, code] of cases) {
    test(`${status} is ${code}, with the system's own words`, async () => {
      const body = JSON.stringify({ messages: [{ type: "FATAL", text: "its own words" }] });
      const url = serve(() => new Response(body, { status, headers: { Location: "/elsewhere" } }));
      const error = await failureOf(call(url));
      expect<string>(error.code).toBe(code);
      expect(error.fields).toMatchObject({ system: "splunk", status, message: "its own words" });
    });
  }

  const bodies: [string, string, string][] = [
    [
      "Prometheus",
      '{"status":"error","errorType":"bad_data","error":"parse error"}',
      "parse error",
    ],
    ["Grafana", '{"message":"Invalid API key","messageId":"api-key.invalid"}', "Invalid API key"],
    [
      "Grafana query",
      '{"results":{"A":{"error":"no such metric","status":400}}}',
      "no such metric",
    ],
    ["an LLM", '{"error":{"message":"context too long","code":"x"}}', "context too long"],
    ["plain text", "404 page\nnot found", "404 page not found"],
    ["a page", "<html><body>secret layout</body></html>", ""],
  ];
  for (const [who, body, message] of bodies) {
    test(`the reason of ${who} is found`, async () => {
      const error = await failureOf(call(serve(() => new Response(body, { status: 400 }))));
      expect(error.fields["message"]).toBe(message);
    });
  }

  test("an endless error body is read only to its bound", async () => {
    const flood = () =>
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    const error = await failureOf(call(serve(() => new Response(flood(), { status: 500 }))));
    expect(error.code).toBe("UNAVAILABLE");
  });

  const waits: [string, Record<string, string>, number | undefined][] = [
    ["seconds", { "retry-after": "7" }, 7_000],
    ["a date, by the server's own clock", dates("10:00:00", "10:01:30"), 90_000],
    ["a date that has passed", dates("10:00:00", "09:00:00"), undefined],
    ["more than a day", { "retry-after": "99999999999999999999" }, 86_400_000],
    ["nonsense", { "retry-after": "-1, soon" }, undefined],
    ["nothing", {}, undefined],
  ];
  for (const [what, headers, ms] of waits) {
    test(`Retry-After: ${what}`, async () => {
      const error = await failureOf(call(serve(() => new Response("", { status: 429, headers }))));
      expect(error).toMatchObject({ code: "OVERLOADED", retry: "later" });
      expect(error.fields["retryAfterMs"]).toBe(ms);
    });
  }

  test("what is named as secret stands in no error: of the address, of the answer, of its cause", async () => {
    const secrets = ["/T0/B0/hush-hush"];
    const echo = (request: Request) =>
      new Response(JSON.stringify({ errors: [`no ${new URL(request.url).pathname}`] }), {
        status: 404,
      });
    const refused = await failureOf(call(`${serve(echo)}/T0/B0/hush-hush`, { secrets }));
    expect(refused.message).toContain("no [secret]");
    const cut = await serveRaw((socket) => void socket.destroy());
    for (const url of ["http://127.0.0.1:1", cut]) {
      const error = await failureOf(call(`${url}/T0/B0/hush-hush`, { secrets }));
      expect(error.message).toContain("[secret]");
      expect(Bun.inspect(error)).not.toContain("hush-hush");
    }
  });

  test("a credential that comes back in an error page is removed", async () => {
    const echo = (request: Request) =>
      new Response(`you sent ${request.headers.get("authorization")}`, { status: 403 });
    const headers = { Authorization: "Bearer s3cret-token-value" };
    const error = await failureOf(call(serve(echo), { headers }));
    expect(JSON.stringify(error.toJSON())).not.toContain("s3cret-token-value");
    expect(error.message).toContain("[secret]");
  });
});

describe("transport", () => {
  test("a closed port is UNAVAILABLE and the address is named without user or query", async () => {
    const error = await failureOf(call("http://user:pass@127.0.0.1:1/path?token=abc"));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain("http://127.0.0.1:1/path");
    expect(error.message).not.toMatch(/pass@|abc/);
  });

  test("an unknown host is UNAVAILABLE", async () => {
    expect((await failureOf(call("http://nobody.invalid/"))).code).toBe("UNAVAILABLE");
  });

  test("an address that is no http URL is CONFIG_INVALID", async () => {
    expect((await failureOf(call("file:///etc/passwd"))).code).toBe("CONFIG_INVALID");
    expect((await failureOf(call("splunk:8089"))).code).toBe("CONFIG_INVALID");
  });

  test("no answer is DEADLINE_EXCEEDED", async () => {
    const url = await serveRaw(() => undefined);
    expect((await failureOf(call(url, { timeoutMs: 50 }))).code).toBe("DEADLINE_EXCEEDED");
  });

  test("a body that stalls is DEADLINE_EXCEEDED", async () => {
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    const url = await serveRaw((socket) => void socket.write(head));
    const response = await call(url, { timeoutMs: 100 });
    expect((await failureOf(readBytes(response, 100))).code).toBe("DEADLINE_EXCEEDED");
  });

  test("the caller's signal is CANCELLED, before and while reading", async () => {
    const url = await serveRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    });
    expect((await failureOf(call(url, { signal: AbortSignal.abort() }))).code).toBe("CANCELLED");
    const controller = new AbortController();
    const response = await call(url, { signal: controller.signal });
    controller.abort();
    expect((await failureOf(readBytes(response, 100))).code).toBe("CANCELLED");
  });

  test("a connection cut before the head or within the body is INCOMPLETE", async () => {
    const mute = await serveRaw((socket) => void socket.destroy());
    expect((await failureOf(call(mute))).code).toBe("INCOMPLETE");
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    const short = await serveRaw((socket) => void socket.end(chunked));
    const response = await call(short);
    expect((await failureOf(readBytes(response, 100))).code).toBe("INCOMPLETE");
  });

  test("leaving the body early frees the connection", async () => {
    const cancelled = Promise.withResolvers<void>();
    const url = serve(
      () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
            cancel: () => cancelled.resolve(),
          }),
        ),
    );
    for await (const part of (await call(url)).body) {
      expect(part.byteLength).toBeGreaterThan(0);
      break;
    }
    await cancelled.promise;
  });
});

describe("readJson", () => {
  const Shape = z.object({ entry: z.array(z.object({ count: z.number() })) });
  const read = async (body: string, bytesMax = 1_000) =>
    readJson(await call(serve(() => new Response(body))), Shape, bytesMax);

  test("gives what the schema allows", async () => {
    expect(await read('{"entry":[{"count":1}],"more":true}')).toEqual({ entry: [{ count: 1 }] });
  });

  test("names the place of a wrong value", async () => {
    const error = await failureOf(read('{"entry":[{"count":1},{"count":"2"}]}'));
    expect(error.code).toBe("PROTOCOL_VIOLATION");
    expect(error.fields["place"]).toBe("entry.1.count");
  });

  test("an empty or broken body is PROTOCOL_VIOLATION", async () => {
    expect((await failureOf(read(""))).message).toContain("is empty");
    expect((await failureOf(read("{"))).message).toContain("is not JSON");
  });

  test("a body beyond the bound is TOO_LARGE", async () => {
    const error = await failureOf(read(`{"entry":[],"pad":"${"x".repeat(2_000)}"}`));
    expect(error.code).toBe("TOO_LARGE");
    expect(error.fields["limit"]).toBe(1_000);
  });
});
