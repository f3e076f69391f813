import { describe, expect, test } from "bun:test";
import type { ErrorCode } from "../../core/mod.ts";
import {
  type GrafanaClient,
  type GrafanaOptions,
  grafanaTools,
  makeGrafanaClient,
} from "../../mcp/mod.ts";
import {
  type GrafanaSim,
  type GrafanaSimMode,
  type GrafanaSimQuery,
  type SimDashboard,
  startGrafanaSim,
} from "../../sim/mod.ts";
import { failureOf } from "../support/failure.ts";

const TOKEN = "glsa_test0123456789";
const START_MS = Date.UTC(2026, 0, 29, 8, 0, 0);
const WINDOW = { startMs: START_MS, endMs: START_MS + 300_000 };
const QUERY = { datasourceUid: "prometheus", expr: "up", window: WINDOW, stepMs: 15_000 };

const ORDERS: SimDashboard = {
  id: 1,
  uid: "orders",
  title: "Order service",
  tags: ["spring"],
  variables: [
    { name: "service", type: "query", query: "label_values(service)", current: "ts-order" },
  ],
  panels: [
    {
      id: 2,
      title: "Pool",
      type: "timeseries",
      targets: [{ refId: "A", expr: "hikaricp_connections_pending" }, { refId: "B" }],
    },
    { id: 3, title: "Open row", type: "row" },
    {
      id: 4,
      title: "Closed row",
      type: "row",
      panels: [
        { id: 5, title: "5xx", type: "stat", targets: [{ refId: "A", expr: "x".repeat(5_000) }] },
      ],
    },
  ],
};
const MANY: SimDashboard[] = Array.from({ length: 30 }, (_, i) => ({
  id: 100 + i,
  uid: `many-${i}`,
  title: `Many ${i}`,
  panels: [],
}));

function start(series?: (query: GrafanaSimQuery) => never[]): GrafanaSim {
  return startGrafanaSim({
    token: TOKEN,
    dashboards: [ORDERS, ...MANY],
    series:
      series ??
      (({ expr, startMs }) => [
        {
          labels: { expr },
          timesMs: [0, 1, 2, 3].map((i) => startMs + i),
          values: [1.5, Number.NaN, Infinity, -Infinity],
        },
        { labels: { expr: "second" }, timesMs: [startMs], values: [2] },
      ]),
  });
}

function clientOf(
  sim: { readonly url: string },
  more: Partial<GrafanaOptions> = {},
): GrafanaClient {
  return makeGrafanaClient({ url: `${sim.url}/`, token: TOKEN, ...more });
}

describe("dashboards", () => {
  test("search gives full addresses and says when it was cut", async () => {
    await using sim = start();
    const client = clientOf(sim);
    expect(await client.search("order", 5)).toEqual({
      hits: [
        {
          uid: "orders",
          title: "Order service",
          tags: ["spring"],
          url: `${sim.url}/d/orders/order-service`,
        },
      ],
      cut: false,
    });
    const many = await client.search("many", 10);
    expect(many.hits).toHaveLength(10);
    expect(many.cut).toBe(true);
  });

  test("summary: panels with their queries, rows opened, long text cut", async () => {
    await using sim = start();
    const summary = await clientOf(sim).summary("orders");
    expect(summary).toMatchObject({
      uid: "orders",
      title: "Order service",
      url: `${sim.url}/d/orders/order-service`,
      panelsTotal: 2,
      variables: [{ name: "service", type: "query", current: ["ts-order"] }],
    });
    expect(summary.panels.map(({ id, type }) => [id, type])).toEqual([
      [2, "timeseries"],
      [5, "stat"],
    ]);
    expect(summary.panels[0]?.exprs).toEqual(["hikaricp_connections_pending"]);
    expect(summary.panels[1]?.exprs[0]).toHaveLength(2_000);
  });

  test("summary of a dashboard in no known shape leaves out what it cannot read", async () => {
    const odd = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        Response.json({
          meta: { url: "/d/x/x" },
          dashboard: {
            uid: "x",
            title: "X",
            tags: [],
            panels: [
              { id: "seven", title: null, targets: "none" },
              {
                id: 8,
                type: "graph",
                datasource: "old-name",
                targets: [{ expr: 5 }, { expr: "up" }],
              },
            ],
          },
        }),
    });
    const summary = await clientOf({ url: `http://127.0.0.1:${odd.port}` }).summary("x");
    expect(summary.panels).toEqual([
      { id: 0, title: "", type: "unknown", exprs: [] },
      { id: 8, title: "", type: "graph", datasourceUid: "old-name", exprs: ["up"] },
    ]);
    await odd.stop(true);
  });

  test("a dashboard that is not there, and a uid that is none", async () => {
    await using sim = start();
    const missing = await failureOf(clientOf(sim).summary("none"));
    expect(missing.code).toBe("QUERY_REFUSED");
    expect(missing.fields["message"]).toBe("Dashboard not found");
    const hostile = await failureOf(clientOf(sim).summary("../../admin/settings"));
    expect(hostile.code).toBe("QUERY_REFUSED");
    expect(sim.requests).toEqual(["GET /api/dashboards/uid/none"]);
  });

  test("dashboardLink carries window and variables", () => {
    const link = new URL(
      clientOf({ url: "https://grafana.example.com/base" }).dashboardLink({
        uid: "orders",
        window: WINDOW,
        variables: { service: "a&b", uri: ["/x", "/y"] },
        panelId: 2,
      }),
    );
    expect(link.pathname).toBe("/base/d/orders");
    expect(link.searchParams.get("from")).toBe(String(WINDOW.startMs));
    expect(link.searchParams.get("to")).toBe(String(WINDOW.endMs));
    expect(link.searchParams.get("var-service")).toBe("a&b");
    expect(link.searchParams.getAll("var-uri")).toEqual(["/x", "/y"]);
    expect(link.searchParams.get("viewPanel")).toBe("2");
  });
});

describe("queries", () => {
  test("frames become series; NaN and the infinities come back", async () => {
    await using sim = start();
    const result = await clientOf(sim).query(QUERY);
    expect(result.seriesTotal).toBe(2);
    expect(result.series[0]).toEqual({
      refId: "A",
      name: "Value",
      labels: { expr: "up" },
      timesMs: [0, 1, 2, 3].map((i) => START_MS + i),
      values: [1.5, Number.NaN, Infinity, -Infinity],
    });
  });

  test("too many series are cut, and the answer says so", async () => {
    await using sim = start();
    const result = await clientOf(sim, { seriesMax: 1 }).query(QUERY);
    expect(result.series).toHaveLength(1);
    expect(result.seriesTotal).toBe(2);
  });

  for (const mode of ["query_error_400", "query_error_200"] as const) {
    test(`${mode}: QUERY_REFUSED with the data source's own word`, async () => {
      await using sim = start();
      sim.mode = mode;
      const error = await failureOf(clientOf(sim).query(QUERY));
      expect(error.code).toBe("QUERY_REFUSED");
      expect(error.fields["status"]).toBe(400);
      expect(error.fields["message"]).toContain("parse error: unexpected end of input");
    });
  }

  test("an unknown data source", async () => {
    await using sim = start();
    const error = await failureOf(clientOf(sim).query({ ...QUERY, datasourceUid: "loki" }));
    expect(error.code).toBe("QUERY_REFUSED");
    expect(error.fields["message"]).toBe("Data source not found");
  });
});

describe("a Grafana that fails", () => {
  const cases: readonly [GrafanaSimMode, ErrorCode][] = [
    ["forbidden", "UNAUTHENTICATED"],
    ["too_many_requests", "OVERLOADED"],
    ["server_error", "UNAVAILABLE"],
    ["silent", "DEADLINE_EXCEEDED"],
    ["cut", "INCOMPLETE"],
    ["html", "PROTOCOL_VIOLATION"],
  ];
  for (const [mode, code] of cases) {
    test(`${mode}: ${code}`, async () => {
      await using sim = start();
      sim.mode = mode;
      const client = clientOf(sim, { timeoutMs: mode === "silent" ? 150 : 10_000 });
      expect((await failureOf(client.search("", 10))).code).toBe(code);
      expect((await failureOf(client.query(QUERY))).code).toBe(code);
    });
  }

  test("a wrong token: UNAUTHENTICATED, and the token is in no error", async () => {
    await using sim = start();
    const client = clientOf(sim, { token: "glsa_wrong0123456789" });
    const error = await failureOf(client.search("", 10));
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.fields["message"]).toBe("Invalid API key");
    expect(JSON.stringify(error)).not.toContain("glsa_wrong");
  });

  test("an answer longer than the bound: TOO_LARGE; nobody there: UNAVAILABLE", async () => {
    const sim = start();
    const error = await failureOf(clientOf(sim, { bytesMax: 200 }).search("", 100));
    expect(error.code).toBe("TOO_LARGE");
    await sim[Symbol.asyncDispose]();
    expect((await failureOf(clientOf(sim).search("", 10))).code).toBe("UNAVAILABLE");
  });
});

describe("annotations", () => {
  const annotation = { dashboardUid: "orders", window: WINDOW, tags: ["petrel"], text: "pool" };

  test("are posted where writes are allowed", async () => {
    await using sim = start();
    expect(await clientOf(sim, { writes: true }).annotate(annotation)).toEqual({ id: 1 });
    expect(sim.annotations).toEqual([
      {
        id: 1,
        dashboardUID: "orders",
        time: WINDOW.startMs,
        timeEnd: WINDOW.endMs,
        tags: ["petrel"],
        text: "pool",
      },
    ]);
  });

  test("are refused, and nothing is sent, where they are not", async () => {
    await using sim = start();
    const error = await failureOf(clientOf(sim).annotate(annotation));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.fields["path"]).toBe("grafana.writes");
    expect(sim.requests).toEqual([]);
  });
});

describe("get_grafana_dashboard", () => {
  const signal = new AbortController().signal;

  function toolOf(sim: GrafanaSim, writes: boolean) {
    const [tool] = grafanaTools(clientOf(sim, { writes }), writes);
    if (tool === undefined) throw new Error("no tool");
    return tool;
  }

  async function call(sim: GrafanaSim, input: Record<string, unknown>, writes = false) {
    const tool = toolOf(sim, writes);
    const result = await tool.run(tool.input.parse(input), signal);
    return { ...result, output: tool.output.parse(result.output) };
  }

  test("search and summary say when they were cut", async () => {
    await using sim = start();
    const found = await call(sim, { action: "search", query: "many", limit: 4 });
    expect(found.output["dashboards"]).toHaveLength(4);
    expect(found.omitted).toEqual({ what: "dashboards", bound: "limit 4" });
    const summary = await call(sim, { action: "summary", uid: "orders", limit: 1 });
    expect(summary.output["panels"]).toHaveLength(1);
    expect(summary.omitted).toEqual({ what: "panels", count: 1, bound: "limit 1" });
    const whole = await call(sim, { action: "summary", uid: "orders" });
    expect(whole.omitted).toBeUndefined();
  });

  test("annotate exists only where writes are enabled", async () => {
    await using sim = start();
    const input = {
      action: "annotate",
      uid: "orders",
      start: "2026-01-29T08:00:00Z",
      end: "2026-01-29T08:05:00Z",
      text: "pool exhausted",
    };
    expect(toolOf(sim, false).readOnly).toBe(true);
    expect(toolOf(sim, true).readOnly).toBe(false);
    expect((await call(sim, input, true)).output["annotationId"]).toBe(1);
    expect(sim.annotations[0]).toMatchObject({ time: START_MS, timeEnd: START_MS + 300_000 });
    await expect(call(sim, input)).rejects.toThrow("action");
    expect(sim.annotations).toHaveLength(1);
  });

  test("what is missing is named", async () => {
    await using sim = start();
    const ends = { start: "2026-01-29T08:00:00Z", end: "2026-01-29T08:05:00Z" };
    const cases: readonly [Record<string, unknown>, string][] = [
      [{ action: "summary" }, "uid"],
      [{ action: "annotate", ...ends, text: "t" }, "uid"],
      [{ action: "annotate", ...ends, uid: "orders" }, "text"],
      [{ action: "annotate", uid: "orders", text: "t", end: ends.end }, "start"],
      [{ action: "annotate", uid: "orders", text: "t", start: ends.end, end: ends.start }, "end"],
    ];
    for (const [input, path] of cases) {
      const error = await failureOf(call(sim, input, true));
      expect(error.code).toBe("USAGE");
      expect(error.fields["path"]).toBe(path);
    }
    expect(sim.requests).toEqual([]);
  });
});
