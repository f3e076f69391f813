import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  makePrometheusClient,
  type PrometheusClient,
  promLabel,
  promLabelIn,
} from "../../mcp/mod.ts";
import { failureOf } from "../support/failure.ts";
import { type PrometheusServer, startPrometheus } from "../support/prometheus.ts";

const SEED = Number(process.env["PETREL_TEST_SEED"]);
const START_MS = Date.UTC(2026, 0, 29, 8, 0, 0);
const STEP_MS = 15_000;
const MINUTE_MS = 60_000;
const ODD = 'a"b\\c\n{}é‑#';

/** Ten minutes of an ordinary counter, a gauge with gaps of meaning, and forty small series. */
function openmetrics(): string {
  const lines = ["# TYPE requests counter"];
  const at = (index: number) => (START_MS + index * STEP_MS) / 1000;
  for (let i = 0; i <= 40; i++) {
    lines.push(`requests_total{service="ts-order",uri="/pay"} ${i * 30} ${at(i)}`);
  }
  lines.push("# TYPE pool gauge");
  const odd = ["1.5", "NaN", "+Inf", "-Inf", "2"];
  odd.forEach((value, i) => {
    lines.push(`pool{service="ts-order"} ${value} ${at(i)}`);
  });
  const escaped = ODD.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  lines.push(`pool{service="${escaped}"} 7 ${at(0)}`);
  lines.push("# TYPE many gauge");
  for (let i = 0; i < 40; i++) lines.push(`many{n="${i}"} ${i} ${at(0)}`);
  lines.push("# EOF\n");
  return lines.join("\n");
}

let server: PrometheusServer;
let client: PrometheusClient;

beforeAll(async () => {
  server = await startPrometheus({ openmetrics: openmetrics() });
  client = makePrometheusClient({ url: server.url });
});

afterAll(() => server[Symbol.asyncDispose]());

/** A server that answers every request in one way. */
function fake(answer: () => Response) {
  const running = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return {
    url: `http://127.0.0.1:${running.port}`,
    [Symbol.asyncDispose]: () => running.stop(true),
  };
}

describe("queries", () => {
  test("instant: labels, time and value", async () => {
    const result = await client.instant("requests_total", START_MS + MINUTE_MS);
    expect(result).toEqual({
      resultType: "vector",
      series: [
        {
          labels: { __name__: "requests_total", service: "ts-order", uri: "/pay" },
          timesMs: [START_MS + MINUTE_MS],
          values: [120],
        },
      ],
      seriesTotal: 1,
      warnings: [],
    });
  });

  test("instant: a scalar is one series without labels; a range selector is a matrix", async () => {
    const scalar = await client.instant("1 / 0", START_MS);
    expect(scalar.resultType).toBe("scalar");
    expect(scalar.series).toEqual([{ labels: {}, timesMs: [START_MS], values: [Infinity] }]);
    const matrix = await client.instant("pool[2m]", START_MS + MINUTE_MS);
    expect(matrix.resultType).toBe("matrix");
  });

  test("range: rate over five minutes, on the steps asked for", async () => {
    const range = {
      startMs: START_MS + 2 * MINUTE_MS,
      endMs: START_MS + 4 * MINUTE_MS,
      stepMs: 30_000,
    };
    const { series } = await client.range("sum(rate(requests_total[1m]))", range);
    expect(series[0]?.timesMs).toEqual([0, 1, 2, 3, 4].map((i) => range.startMs + i * 30_000));
    expect(series[0]?.values).toHaveLength(5);
    for (const value of series[0]?.values ?? []) expect(value).toBeCloseTo(2, 9);
  });

  test("NaN and the infinities come as numbers, half-seconds keep their place", async () => {
    const range = { startMs: START_MS, endMs: START_MS + 4 * STEP_MS, stepMs: STEP_MS };
    const { series } = await client.range(`pool{${promLabel("service", "ts-order")}}`, range);
    expect(series[0]?.values).toEqual([1.5, Number.NaN, Infinity, -Infinity, 2]);
    const half = await client.instant("pool", START_MS + 500);
    expect(half.series[0]?.timesMs).toEqual([START_MS + 500]);
  });

  test("no series is an empty answer, not an error", async () => {
    const result = await client.instant("no_such_metric", START_MS);
    expect(result).toMatchObject({ series: [], seriesTotal: 0 });
  });

  test("too many series are cut, and the answer says so", async () => {
    const small = makePrometheusClient({ url: server.url, seriesMax: 10 });
    const result = await small.instant("many", START_MS);
    expect(result.series).toHaveLength(10);
    expect(result.seriesTotal).toBe(40);
    expect(result.warnings).toEqual(["40 series, cut to 10"]);
  });

  test("an answer longer than the bound is refused", async () => {
    const small = makePrometheusClient({ url: server.url, bytesMax: 500 });
    const error = await failureOf(small.instant("many", START_MS));
    expect(error.code).toBe("TOO_LARGE");
    expect(error.fields["limit"]).toBe(500);
  });
});

describe("names and values from outside", () => {
  test("an odd label value is found through promLabel, literally through promLabelIn", async () => {
    for (const matcher of [promLabel("service", ODD), promLabelIn("service", [ODD, "x.y"])]) {
      const { series } = await client.instant(`pool{${matcher}}`, START_MS);
      expect(series.map(({ labels }) => labels["service"])).toEqual([ODD]);
    }
  });

  test("any text is one label value: it never ends the string, and Prometheus takes it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 40 }), async (value) => {
        const both = `${promLabel("service", value)},${promLabelIn("service", [value])}`;
        const result = await client.instant(`many{${both}}`, START_MS);
        // `many` has no such label, which equals "".
        expect(result.seriesTotal).toBe(value === "" ? 40 : 0);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test("a label name is a name", () => {
    expect(() => promLabel('a"} or up{b', "x")).toThrow("is not a label name");
    expect(() => promLabelIn("", ["x"])).toThrow("is not a label name");
  });
});

describe("lists", () => {
  test("labels, values of a label, series", async () => {
    const labels = await client.labels({ match: ["pool"] });
    expect(labels).toEqual({ items: ["__name__", "service"], total: 2, cut: false });
    const values = await client.labelValues("uri");
    expect(values.items).toEqual(["/pay"]);
    const series = await client.series(['requests_total{service="ts-order"}']);
    expect(series.items).toEqual([
      { __name__: "requests_total", service: "ts-order", uri: "/pay" },
    ]);
    const window = { startMs: START_MS - 3_600_000 * 24, endMs: START_MS - 3_600_000 * 23 };
    expect((await client.series(["many"], { window })).items).toEqual([]);
  });

  test("a long list is cut", async () => {
    const series = await client.series(["many"], { limit: 5 });
    expect(series.items).toHaveLength(5);
    expect(series.cut).toBe(true);
  });

  test("a selector is checked too", async () => {
    expect((await failureOf(client.series(["many{"]))).code).toBe("QUERY_REFUSED");
  });

  test("metadata of what targets state; backfilled data has none", async () => {
    expect(await client.metadata("requests_total")).toEqual({ items: [], total: 0, cut: false });
    await using stating = fake(() =>
      Response.json({
        status: "success",
        data: { up: [{ type: "gauge", help: "Is it up", unit: "" }], odd: [] },
      }),
    );
    const found = await makePrometheusClient({ url: stating.url }).metadata();
    expect(found.items).toEqual([{ metric: "up", type: "gauge", help: "Is it up", unit: "" }]);
  });
});

describe("refusals", () => {
  test("a syntax error is named with its offset, and never sent", async () => {
    let asked = 0;
    await using counting = fake(() => {
      asked += 1;
      return Response.json({});
    });
    const other = makePrometheusClient({ url: counting.url });
    const error = await failureOf(other.instant("sum(rate(x[5m]) by", START_MS));
    expect(error.code).toBe("QUERY_REFUSED");
    expect(error.fields["offset"]).toBe(16);
    expect((await failureOf(other.instant("  ", START_MS))).code).toBe("QUERY_REFUSED");
    expect((await failureOf(other.instant("x".repeat(20_000), START_MS))).code).toBe("TOO_LARGE");
    expect(asked).toBe(0);
  });

  test("what Prometheus takes is let through", async () => {
    const queries = [
      'sum by (service) (rate(requests_total{status=~"5.."}[5m])) / ignoring(x) group_left sum(up)',
      "histogram_quantile(0.95, sum(rate(http_server_requests_seconds_bucket[5m])) by (le, uri))",
      "max_over_time(deriv(pool[2m])[10m:1m])",
      "pool offset -5m # a comment",
      "pool @ 1700000000 > bool 1e3",
      "-Inf + 0x1F ^ 2 % NaN",
      '{__name__=~"http:.+"} unless on() vector(1)',
      "quantile_over_time(0.9, pool[1h30m]) or absent(up)",
      "count_values('v', many) atan2 1",
    ];
    for (const query of queries) await client.instant(query, START_MS);
    expect(queries).toHaveLength(9);
  });

  test("a type error is Prometheus's own word", async () => {
    const error = await failureOf(client.instant("rate(requests_total)", START_MS));
    expect(error.code).toBe("QUERY_REFUSED");
    expect(error.fields["status"]).toBe(400);
    expect(error.fields["message"]).toContain("expected type range vector");
  });

  test("an execution error is refused too", async () => {
    const duplicate = 'label_replace(many, "n", "x", "n", ".*")';
    const error = await failureOf(client.instant(duplicate, START_MS));
    expect(error.code).toBe("QUERY_REFUSED");
    expect(error.fields["status"]).toBe(422);
  });

  test("a string is no time series", async () => {
    expect((await failureOf(client.instant('"hello"', START_MS))).code).toBe("QUERY_REFUSED");
  });

  test("11,000 steps pass, one more is refused before it is sent, with a step that works", async () => {
    const atLimit = { startMs: START_MS, endMs: START_MS + 11_000_000, stepMs: 1_000 };
    expect((await client.range("up", atLimit)).seriesTotal).toBe(0);
    const over = { ...atLimit, endMs: atLimit.endMs + 1_000 };
    const error = await failureOf(client.range("up", over));
    expect(error.code).toBe("TOO_LARGE");
    expect(error.fields["stepMs"]).toBe(2_000);
    await client.range("up", { ...over, stepMs: 2_000 });
  });

  test("our count of points and Prometheus's agree", async () => {
    // What Prometheus itself says one step over the limit, mapped by the same client.
    const said = await fetch(`${server.url}/api/v1/query_range?query=up&start=0&end=11001&step=1`);
    const body = await said.text();
    expect(said.status).toBe(400);
    await using refusing = fake(() => new Response(body, { status: 400 }));
    const other = makePrometheusClient({ url: refusing.url });
    const range = { startMs: 0, endMs: 22_000_000, stepMs: 2_000 };
    const error = await failureOf(other.range("up", range));
    expect(error.code).toBe("TOO_LARGE");
    expect(error.fields["stepMs"]).toBe(2_000);
  });

  test("a range that is none", async () => {
    const backwards = { startMs: START_MS, endMs: START_MS - 1, stepMs: 1_000 };
    expect((await failureOf(client.range("up", backwards))).code).toBe("QUERY_REFUSED");
    const still = { startMs: START_MS, endMs: START_MS + 1, stepMs: 0 };
    expect((await failureOf(client.range("up", still))).code).toBe("QUERY_REFUSED");
  });
});

test("graphLink opens the expression over the window", () => {
  const window = { startMs: START_MS, endMs: START_MS + 5 * MINUTE_MS };
  const link = new URL(client.graphLink('sum(up{a="b&c"})', window));
  expect(link.pathname).toBe("/graph");
  expect(link.searchParams.get("g0.expr")).toBe('sum(up{a="b&c"})');
  expect(link.searchParams.get("g0.range_input")).toBe("300s");
  expect(link.searchParams.get("g0.end_input")).toBe("2026-01-29 08:05:00");
});
