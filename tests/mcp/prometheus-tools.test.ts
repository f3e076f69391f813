import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ErrorCode } from "../../core/mod.ts";
import { makePrometheusClient, type PrometheusClient, prometheusTools } from "../../mcp/mod.ts";
import { failureOf } from "../support/failure.ts";
import { type PrometheusServer, startPrometheus } from "../support/prometheus.ts";

const START_MS = Date.UTC(2026, 0, 29, 8, 0, 0);
const MINUTE_MS = 60_000;

function openmetrics(): string {
  const at = START_MS / 1000;
  const many = Array.from({ length: 40 }, (_, i) => `many{n="${i}"} ${i} ${at}`);
  const pool = `pool{service="ts-order"} +Inf ${at + 30}`;
  return ["# TYPE many gauge", ...many, "# TYPE pool gauge", pool, "# EOF", ""].join("\n");
}

let server: PrometheusServer;
let client: PrometheusClient;

beforeAll(async () => {
  server = await startPrometheus({ openmetrics: openmetrics() });
  client = makePrometheusClient({ url: server.url });
});

afterAll(() => server[Symbol.asyncDispose]());

describe("query_prometheus", () => {
  const clock = { nowMs: () => START_MS + 4 * MINUTE_MS, sleep: () => Promise.resolve() };
  const signal = new AbortController().signal;

  async function call(input: Record<string, unknown>) {
    const [tool] = prometheusTools(client, clock);
    if (tool === undefined) throw new Error("no tool");
    const result = await tool.run(tool.input.parse(input), signal);
    return { ...result, output: tool.output.parse(result.output) };
  }

  test("instant, with numbers JSON has no word for", async () => {
    const { output } = await call({
      mode: "instant",
      query: 'pool{service="ts-order"}',
      time: "2026-01-29T08:00:30Z",
    });
    expect(output["series"]).toEqual([
      {
        labels: { __name__: "pool", service: "ts-order" },
        timesMs: [START_MS + 30_000],
        values: ["+Inf"],
      },
    ]);
  });

  test("range: one hour before now in about sixty points", async () => {
    const { output, omitted } = await call({ mode: "range", query: "count(many)" });
    expect(output["stepMs"]).toBe(60_000);
    expect(output["series"]).toMatchObject([{ labels: {}, values: [40, 40, 40, 40, 40] }]);
    expect(omitted).toBeUndefined();
  });

  test("a cut list says how many are missing", async () => {
    const { output, omitted } = await call({
      mode: "instant",
      query: "many",
      time: "2026-01-29T08:00:00Z",
      limit: 15,
    });
    expect(output["series"]).toHaveLength(15);
    expect(omitted).toEqual({ what: "series", count: 25, bound: "limit 15" });
  });

  test("metadata", async () => {
    const { output, text } = await call({ mode: "metadata", metric: "requests_total" });
    expect(output["metadata"]).toEqual([]);
    expect(text).toContain("No target states metadata");
  });

  test("what is missing or too much is named", async () => {
    const cases: readonly [Record<string, unknown>, ErrorCode, string][] = [
      [{ mode: "instant" }, "USAGE", "query"],
      [{ mode: "instant", query: "up", time: "yesterday" }, "USAGE", "time"],
      [{ mode: "range", query: "up", start: "2027-01-01T00:00:00Z" }, "USAGE", "start"],
      [{ mode: "range", query: "up", step: "1s" }, "TOO_LARGE", "step"],
      [{ mode: "instant", query: "sum(" }, "QUERY_REFUSED", "query"],
    ];
    for (const [input, code, path] of cases) {
      const error = await failureOf(call(input));
      expect(error.code).toBe(code);
      expect(error.fields["path"]).toBe(path);
    }
  });
});
