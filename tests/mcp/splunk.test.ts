/** The Splunk client against the stand-in on a real port: what is sent, and each failure's code. */
import { afterAll, describe, expect, test } from "bun:test";
import { isRetryable } from "../../core/mod.ts";
import { makeSplunkClient, type SplunkClient, type SplunkClientOptions } from "../../mcp/mod.ts";
import {
  providerOf,
  type SimFault,
  type SimRow,
  type SplunkSim,
  type SplunkSimOptions,
  splunkTime,
  startSplunkSim,
} from "../../sim/mod.ts";
import { failureOf } from "../support/failure.ts";

const window = { startMs: Date.UTC(2026, 0, 29, 8, 45), endMs: Date.UTC(2026, 0, 29, 8, 50) };
const query = { index: "main", window };
const never = new AbortController().signal;
const ROWS: SimRow[] = Array.from({ length: 2_500 }, (_, at) => ({
  _time: splunkTime(window.startMs + at * 100),
  _raw: `line ${at}`,
  service: at % 5 === 0 ? "order" : "travel",
}));

const sims: SplunkSim[] = [];
afterAll(async () => {
  for (const sim of sims) await sim.stop();
});

interface Pair {
  readonly sim: SplunkSim;
  readonly client: SplunkClient;
}

function pair(
  simOptions: Partial<SplunkSimOptions> = {},
  clientOptions: Partial<SplunkClientOptions> = {},
): Pair {
  const sim = startSplunkSim({ rows: providerOf(ROWS), tokens: ["token-12345678"], ...simOptions });
  sims.push(sim);
  const auth = { kind: "token", token: "token-12345678" } as const;
  const client = makeSplunkClient({ url: sim.url, auth, timeoutMs: 10_000, ...clientOptions });
  return { sim, client };
}

/** The faults strike at the search itself, not at the parser before it. */
const withFault = (fault: SimFault, clientOptions: Partial<SplunkClientOptions> = {}) =>
  pair({ faults: ({ path }) => (path.endsWith("parser") ? undefined : fault) }, clientOptions);

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

const exportFailure = ({ client }: Pair, signal = never) =>
  failureOf(client.export(query, signal).then(readAll));

describe("export", () => {
  test("sends one form with the window in seconds, and gives the body unread", async () => {
    const { sim, client } = pair();
    const text = await readAll(await client.export(query, never));
    expect(text.trim().split("\n")).toHaveLength(2_500);
    expect(text).toEndWith('"service":"order"}}\n');
    expect(sim.requests).toHaveLength(1);
    expect(sim.requests[0]).toEqual({
      method: "POST",
      path: "search/v2/jobs/export",
      params: {
        output_mode: "json",
        search: 'search index="main"',
        earliest_time: "1769676300.000",
        latest_time: "1769676600.000",
        max_time: "40",
        preview: "0",
      },
    });
  });

  test("asks the parser first about a free part, and only then", async () => {
    const { sim, client } = pair();
    await readAll(await client.export({ ...query, search: "line | head 1" }, never));
    expect(sim.requests.map(({ path }) => path)).toEqual([
      "search/v2/parser",
      "search/v2/jobs/export",
    ]);
  });

  test("typed filters reach Splunk and are applied", async () => {
    const { client } = pair();
    const filtered = { ...query, filters: { service: ["order"] }, fields: ["service"] };
    const text = await readAll(await client.export(filtered, never));
    expect(text.trim().split("\n")).toHaveLength(500);
    expect(text).not.toContain("travel");
  });

  test("an injection is refused before anything is sent", async () => {
    const { sim, client } = pair();
    const attempts = [
      { ...query, search: "x | delete" },
      { ...query, search: "x [search index=secret]" },
      { ...query, index: "main | delete" },
      { ...query, filters: { service: ['a" | delete | search "'] } },
      { ...query, fields: ["a | delete"] },
    ];
    for (const attempt of attempts) {
      expect((await failureOf(client.export(attempt, never))).code).toBe("QUERY_REFUSED");
      const bounds = { rowsMax: 1, bytesMax: 1 };
      expect((await failureOf(client.job(attempt, bounds, never))).code).toBe("QUERY_REFUSED");
    }
    expect(sim.requests).toEqual([]);
  });

  test("each way to authenticate passes; a wrong one is UNAUTHENTICATED and never shown", async () => {
    const basic = { kind: "basic", user: "admin", password: "changed" } as const;
    expect(await readAll(await pair({}, { auth: basic }).client.export(query, never))).not.toBe("");
    const secrets = [
      { kind: "basic", user: "admin", password: "hunter2hunter2" },
      { kind: "token", token: "hunter2hunter2" },
      { kind: "session", sessionKey: "hunter2hunter2" },
    ] as const;
    for (const auth of secrets) {
      const error = await exportFailure(pair({}, { auth }));
      expect(error.code).toBe("UNAUTHENTICATED");
      expect(JSON.stringify(error)).not.toContain("hunter2");
    }
  });

  test("a session key from login is sent as Splunk expects it", async () => {
    const { sim } = pair();
    const body = new URLSearchParams({ username: "admin", password: "changed" });
    const login = await fetch(`${sim.url}/services/auth/login`, { method: "POST", body });
    const { sessionKey } = (await login.json()) as { sessionKey: string };
    const auth = { kind: "session", sessionKey } as const;
    const client = makeSplunkClient({ url: sim.url, auth, timeoutMs: 10_000 });
    expect(await readAll(await client.export(query, never))).not.toBe("");
  });
});

describe("failures", () => {
  test("401, 400, 503", async () => {
    expect((await exportFailure(withFault({ kind: "unauthorized" }))).code).toBe("UNAUTHENTICATED");
    const refused = await exportFailure(withFault({ kind: "bad_search" }));
    expect(refused.code).toBe("QUERY_REFUSED");
    expect(refused.fields["message"]).toBe("Unknown search command 'frobnicate'.");
    const busy = await exportFailure(withFault({ kind: "busy" }));
    expect(busy.code).toBe("OVERLOADED");
    expect(isRetryable(busy)).toBe(true);
  });

  test("a connection cut within the rows is INCOMPLETE", async () => {
    const error = await exportFailure(withFault({ kind: "cut", afterRows: 1_000 }));
    expect(error.code).toBe("INCOMPLETE");
  });

  test("a stall ends at the deadline, and the search is let go", async () => {
    const stalled = withFault({ kind: "stall", afterRows: 10 }, { timeoutMs: 200 });
    expect((await exportFailure(stalled)).code).toBe("DEADLINE_EXCEEDED");
    while (stalled.sim.searchesRunning > 0) await Bun.sleep(1);
  });

  test("the caller's signal ends a stalled read", async () => {
    const stalled = withFault({ kind: "stall", afterRows: 2_000 });
    const stop = new AbortController();
    const chunks = await stalled.client.export(query, stop.signal);
    const reading = failureOf(readAll(chunks));
    stop.abort();
    expect((await reading).code).toBe("CANCELLED");
  });

  test("what Splunk's parser refuses is never run", async () => {
    const { sim, client } = pair();
    const odd = { ...query, search: "line OR | head 1" }; // nothing follows OR
    expect((await failureOf(client.export(odd, never))).code).toBe("QUERY_REFUSED");
    expect(sim.requests.map(({ path }) => path)).toEqual(["search/v2/parser"]);
  });

  test("a slow reader makes Splunk wait", async () => {
    const batch = Array.from({ length: 500 }, (_, at) => ({
      _time: splunkTime(window.startMs + at),
      _raw: "x".repeat(1_000),
    }));
    let batches = 0;
    const { sim, client } = pair({
      rows: async function* endless() {
        for (; batches < 1_000; batches++) yield batch;
      },
    });
    for await (const chunk of await client.export(query, never)) {
      sim.gauge.read(chunk.byteLength);
      let before = -1;
      while (before !== sim.gauge.handedOutBytes) {
        before = sim.gauge.handedOutBytes;
        await Bun.sleep(100); // until nothing more is handed out
      }
      break;
    }
    expect(sim.gauge.unreadBytesMax).toBeLessThan(32 * 1024 * 1024);
    expect(batches).toBeLessThan(100);
  });
});

describe("jobs", () => {
  const bounds = { rowsMax: 10_000, bytesMax: 10_000_000 };

  test("pages through all results and removes the job", async () => {
    const { sim, client } = pair();
    const result = await client.job(query, bounds, never);
    expect(result.rows).toHaveLength(2_500);
    expect([result.rowsTotal, result.cutBy]).toEqual([2_500, undefined]);
    expect(result.fields).toEqual(["_time", "_raw", "service"]);
    expect(result.rows[0]?.["_raw"]).toBe("line 2499");
    expect(sim.requests.filter(({ path }) => path.endsWith("/results"))).toHaveLength(3);
    expect(sim.jobs).toBe(0);
  });

  test("stops at the bound in rows or bytes and says which", async () => {
    const { client } = pair();
    const rows = await client.job(query, { ...bounds, rowsMax: 7 }, never);
    expect([rows.rows.length, rows.rowsTotal, rows.cutBy]).toEqual([7, 2_500, "rowsMax"]);
    const bytes = await client.job(query, { ...bounds, bytesMax: 1_000 }, never);
    expect(bytes.cutBy).toBe("bytesMax");
    expect(Buffer.byteLength(JSON.stringify(bytes.rows))).toBeLessThan(1_100);
  });

  test("a search that fails is QUERY_REFUSED with Splunk's reason, and is removed", async () => {
    const { sim, client } = pair({
      rows: async function* broken() {
        yield ROWS.slice(0, 10);
        throw new Error("Search peer idx1 is down.");
      },
    });
    const error = await failureOf(client.job(query, bounds, never));
    expect(error.code).toBe("QUERY_REFUSED");
    expect(error.message).toContain("Search peer idx1 is down.");
    expect(sim.jobs).toBe(0);
  });

  test("a search that Splunk stopped early is INCOMPLETE, not a short result", async () => {
    const { sim, client } = pair({ faults: () => ({ kind: "finalized" }) });
    expect((await failureOf(client.job(query, bounds, never))).code).toBe("INCOMPLETE");
    expect(sim.jobs).toBe(0);
  });

  test("a job that does not finish ends at the deadline or the signal, and is removed", async () => {
    const hang = new AbortController();
    const rows = async function* hanging() {
      yield [];
      await new Promise((resolve) => hang.signal.addEventListener("abort", resolve));
    };
    const { sim, client } = pair({ rows }, { timeoutMs: 200 });
    expect((await failureOf(client.job(query, bounds, never))).code).toBe("DEADLINE_EXCEEDED");
    const stop = new AbortController();
    const cancelled = failureOf(client.job(query, bounds, stop.signal));
    stop.abort();
    expect((await cancelled).code).toBe("CANCELLED");
    expect(sim.jobs).toBe(0);
    hang.abort();
  });
});

test("links lead to the same search in the web interface", () => {
  const webUrl = "https://splunk.example:8000/";
  const link = pair({}, { webUrl }).client.searchLink({ ...query, search: '"timed out"' });
  const url = new URL(link ?? "");
  expect(url.pathname).toBe("/en-US/app/search/search");
  expect(Object.fromEntries(url.searchParams)).toEqual({
    q: 'search index="main" ("timed out")',
    earliest: "1769676300.000",
    latest: "1769676600.000",
  });
  expect(pair().client.searchLink(query)).toBeUndefined();
});
