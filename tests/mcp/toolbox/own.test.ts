/** The toolbox over our own tools: in process, over HTTP and over a child process, on the same systems. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { redact, silentLogger, systemClock } from "../../../core/mod.ts";
import {
  makeMcpHttpApp,
  makeToolbox,
  type Toolbox,
  type ToolboxOptions,
} from "../../../mcp/mod.ts";
import { CARD, never, START_MS, type Systems, startSystems, WINDOW } from "./systems.ts";

const TOKEN = "a-token-of-some-length";
const OURS = ["query_splunk", "splunk_digest", "query_prometheus", "get_grafana_dashboard"];

let systems: Systems;
const toolboxes: Toolbox[] = [];
const servers: { stop: (now: boolean) => Promise<void> }[] = [];
beforeAll(async () => {
  systems = await startSystems(redact);
});
afterAll(async () => {
  for (const toolbox of toolboxes) await toolbox[Symbol.asyncDispose]();
  for (const server of servers) await server.stop(true);
  await systems[Symbol.asyncDispose]();
});

function open(more: Partial<ToolboxOptions>): Toolbox {
  const { splunk } = systems;
  const toolbox = makeToolbox({
    redact,
    log: silentLogger,
    clock: systemClock,
    parseSpl: (spl, signal) => splunk.parse(spl, signal),
    ...more,
  });
  toolboxes.push(toolbox);
  return toolbox;
}

async function overHttp(): Promise<Toolbox> {
  const app = await makeMcpHttpApp(systems.tools, { token: TOKEN });
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: app.fetch });
  servers.push(server);
  const url = `http://127.0.0.1:${server.port}/mcp`;
  return open({ servers: [{ name: "petrel", reach: { url, token: TOKEN } }] });
}

function overStdio(): Promise<Toolbox> {
  const command = [process.execPath, `${import.meta.dir}/own.fixture.ts`];
  const reach = { command, env: { ...systems.addresses } };
  return Promise.resolve(open({ servers: [{ name: "petrel", reach }] }));
}

const ways: [string, string, () => Promise<Toolbox>][] = [
  ["in process", "", () => Promise.resolve(open({ own: systems.tools }))],
  ["over HTTP", "petrel__", overHttp],
  ["over a child process", "petrel__", overStdio],
];

for (const [way, prefix, make] of ways) {
  describe(way, () => {
    let toolbox: Toolbox;
    beforeAll(async () => {
      toolbox = await make();
      const words = await toolbox.list(never);
      expect(words.map(({ name }) => name)).toEqual(OURS.map((name) => `${prefix}${name}`));
      expect(words[0]?.input).toMatchObject({ type: "object", required: ["start", "end"] });
    });
    const call = (name: string, args: unknown) => toolbox.call(`${prefix}${name}`, args, never);

    test("Splunk: rows, redacted and cut", async () => {
      const search = "ERROR";
      const { outcome, text } = await call("query_splunk", { ...WINDOW, search });
      expect(outcome).toBe("ok");
      expect(text).toStartWith("50 of 50 rows.");
      expect(text).not.toContain(CARD);
      expect(text).toContain("[card]");
      expect(text).toMatch(/\n\[cut here: \d+ characters in all; ask for less\]$/);
      expect(text.length).toBeLessThan(4_100);
    });

    test("Splunk: a digest of the window", async () => {
      const { outcome, text } = await call("splunk_digest", { ...WINDOW, templatesMax: 5 });
      expect(outcome).toBe("ok");
      expect(text).toContain("200 lines");
    });

    test("Prometheus: values over time", async () => {
      const asked = { mode: "range", query: 'pool_waiting{service="order"}', ...WINDOW };
      const { outcome, text } = await call("query_prometheus", asked);
      expect(outcome).toBe("ok");
      expect(text).toContain('"service":"order"');
      expect(text).toContain(`${START_MS + 60_000}`);
    });

    test("Prometheus: one moment, and a window without a start", async () => {
      const query = "pool_waiting";
      const moment = await call("query_prometheus", { mode: "instant", query, time: WINDOW.end });
      expect(moment.outcome).toBe("ok");
      const hour = await call("query_prometheus", { mode: "range", query, end: WINDOW.end });
      expect(hour.outcome).toBe("ok");
    });

    test("Grafana: a dashboard by its title", async () => {
      const asked = { action: "search", query: "Order" };
      const { outcome, text } = await call("get_grafana_dashboard", asked);
      expect(outcome).toBe("ok");
      expect(text).toContain("Order service");
    });

    test("what may not be asked is refused, and nobody is asked", async () => {
      const before = systems.splunkSim.requests.length;
      const cases: [string, unknown, RegExp][] = [
        ["query_splunk", { ...WINDOW, search: "x | delete" }, /"delete" is not allowed/],
        ["query_splunk", { ...WINDOW, search: "x [search y]" }, /subsearches/],
        ["query_splunk", { ...WINDOW, search: "x", rows: 5 }, /rows/],
        ["query_splunk", { end: WINDOW.end }, /start/],
        ["query_splunk", { ...WINDOW, rowsMax: 5_000 }, /rowsMax/],
        ["query_splunk", { ...WINDOW, search: `card ${CARD}` }, /secret/],
        ["query_splunk", { ...WINDOW, search: "a\u200bb" }, /invisible/],
        ["query_splunk", { ...WINDOW, search: "x".repeat(9_000) }, /8192 bytes/],
        ["query_splunk", "text", /must be an object/],
        ["query_prometheus", { mode: "instant", query: "sum(" }, /syntax error/],
        ["query_prometheus", { mode: "instant", query: '{job=~".+"}' }, /names no metric/],
        ["query_prometheus", { mode: "instant", query: "up[90d]" }, /at most 7d/],
        ["query_prometheus", { mode: "no", query: "up" }, /mode/],
        ["annotate", {}, /no such tool/],
      ];
      for (const [name, args, why] of cases) {
        const { outcome, text } = await call(name, args);
        expect([name, args, outcome]).toEqual([name, args, "refused"]);
        expect(text).toMatch(why);
      }
      expect(systems.splunkSim.requests.length).toBe(before);
    });

    test("what the system itself refuses is an error", async () => {
      const asked = { mode: "instant", query: "sum(pool_waiting) + vector(1, 2)" };
      expect((await call("query_prometheus", asked)).outcome).toBe("error");
    });

    test("the signal ends a call with its reason", async () => {
      const stop = new AbortController();
      const asked = { mode: "instant", query: "pool_waiting" };
      const work = toolbox.call(`${prefix}query_prometheus`, asked, stop.signal);
      stop.abort(new Error("enough"));
      expect(await work.catch(String)).toBe("Error: enough");
    });
  });
}
