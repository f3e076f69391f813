import { describe, expect, test } from "bun:test";
import type { ErrorCode } from "../../core/mod.ts";
import { makePrometheusClient } from "../../mcp/mod.ts";
import { failureOf } from "../support/failure.ts";
import { startPrometheus } from "../support/prometheus.ts";

const START_MS = Date.UTC(2026, 0, 29, 8, 0, 0);

/** A server that answers every request in one way. */
function fake(answer: () => Response) {
  const running = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return {
    url: `http://127.0.0.1:${running.port}`,
    [Symbol.asyncDispose]: () => running.stop(true),
  };
}

describe("a Prometheus that fails", () => {
  const text = (status: number, body: string) => () => new Response(body, { status });
  const json = (status: number, errorType: string, error: string) => () =>
    Response.json({ status: "error", errorType, error }, { status });
  const cases: readonly [string, () => Response, ErrorCode][] = [
    ["404 as text", text(404, "404 page not found\n"), "CONFIG_INVALID"],
    ["401 as text", text(401, "Unauthorized\n"), "UNAUTHENTICATED"],
    [
      "503 timeout",
      json(503, "timeout", "query timed out in expression evaluation"),
      "DEADLINE_EXCEEDED",
    ],
    ["503 not ready", text(503, "Service Unavailable"), "OVERLOADED"],
    [
      "422 too many samples",
      json(
        422,
        "execution",
        "query processing would load too many samples into memory in query execution",
      ),
      "TOO_LARGE",
    ],
    ["500", json(500, "internal", "storage"), "UNAVAILABLE"],
    ["a login page", text(200, "<html>"), "PROTOCOL_VIOLATION"],
    ["an empty body", text(200, ""), "PROTOCOL_VIOLATION"],
    [
      "another shape",
      () =>
        Response.json({
          status: "success",
          data: { resultType: "matrix", result: [{ metric: {}, values: [["now", 1]] }] },
        }),
      "PROTOCOL_VIOLATION",
    ],
  ];
  for (const [name, answer, code] of cases) {
    test(`${name}: ${code}`, async () => {
      await using broken = fake(answer);
      const other = makePrometheusClient({ url: broken.url });
      expect((await failureOf(other.instant("up", START_MS))).code).toBe(code);
    });
  }

  test("native histograms are left out, and the answer says so", async () => {
    await using newer = fake(() =>
      Response.json({
        status: "success",
        data: {
          resultType: "vector",
          result: [{ metric: {}, histogram: [1, { count: "1", sum: "2", buckets: [] }] }],
        },
      }),
    );
    const result = await makePrometheusClient({ url: newer.url }).instant("h", START_MS);
    expect(result.series).toEqual([]);
    expect(result.warnings).toEqual(["1 native histogram series left out"]);
  });

  test("credentials go into the header, and never into an error", async () => {
    const seen: (string | null)[] = [];
    const guarded = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        seen.push(request.headers.get("authorization"));
        return new Response(`no entry with ${seen.at(-1)}`, { status: 401 });
      },
    });
    const url = `http://127.0.0.1:${guarded.port}`;
    for (const auth of [
      { bearerToken: "token-0123456789" },
      { username: "petrel", password: "correct horse" },
    ]) {
      const error = await failureOf(makePrometheusClient({ url, auth }).instant("up", START_MS));
      expect(error.code).toBe("UNAUTHENTICATED");
      expect(JSON.stringify(error)).not.toMatch(/token-0123456789|cGV0cmVs/);
    }
    expect(seen).toEqual(["Bearer token-0123456789", `Basic ${btoa("petrel:correct horse")}`]);
    await guarded.stop(true);
  });

  test("silence: DEADLINE_EXCEEDED; the caller's abort: CANCELLED", async () => {
    const { promise: never } = Promise.withResolvers<Response>();
    const silent = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => never });
    const url = `http://127.0.0.1:${silent.port}`;
    const impatient = makePrometheusClient({ url, timeoutMs: 100 });
    expect((await failureOf(impatient.instant("up", START_MS))).code).toBe("DEADLINE_EXCEEDED");
    const controller = new AbortController();
    const asked = makePrometheusClient({ url }).instant("up", START_MS, controller.signal);
    controller.abort();
    expect((await failureOf(asked)).code).toBe("CANCELLED");
    await silent.stop(true);
  });

  test("killed: UNAVAILABLE; back again: the same answer", async () => {
    const seconds = START_MS / 1000;
    const openmetrics = `# TYPE up gauge\nup{job="a"} 1 ${seconds}\n# EOF\n`;
    await using server = await startPrometheus({ openmetrics });
    const client = makePrometheusClient({ url: server.url });
    const before = await client.instant("up", START_MS);
    expect(before.series[0]?.values).toEqual([1]);
    await server.kill9();
    const gone = await failureOf(client.instant("up", START_MS));
    expect(gone.code).toBe("UNAVAILABLE");
    expect(gone.retry).toBe("later");
    await server.restart();
    expect(await client.instant("up", START_MS)).toEqual(before);
  });
});
