/** The Splunk stand-in keeps to the recorded protocol, byte shapes included. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  providerOf,
  type SimFault,
  type SimRow,
  type SplunkSim,
  type SplunkSimOptions,
  splunkTime,
  startSplunkSim,
} from "../../sim/mod.ts";

const T0 = Date.UTC(2026, 0, 29, 8, 45);
const row = (second: number, fields: SimRow): SimRow => ({
  _time: splunkTime(T0 + second * 1000),
  _raw: "",
  ...fields,
});
const ROWS: SimRow[] = [
  row(0, { service: "order", level: "INFO", _raw: "started" }),
  row(1, { service: "order", level: "ERROR", _raw: "Read timed out after 30004ms" }),
  row(2, { service: "travel", level: "ERROR", _raw: "No instances available", tag: ["a", "b"] }),
];

const sims: SplunkSim[] = [];
afterAll(async () => {
  for (const sim of sims) await sim.stop();
});

function start(options: Partial<SplunkSimOptions> = {}): SplunkSim {
  const sim = startSplunkSim({ rows: providerOf(ROWS), tokens: ["token-1"], ...options });
  sims.push(sim);
  return sim;
}

const TOKEN = { Authorization: "Bearer token-1" };

function post(sim: SplunkSim, path: string, form: Record<string, string>, headers = TOKEN) {
  const body = new URLSearchParams({ output_mode: "json", ...form });
  return fetch(`${sim.url}/services/${path}`, { method: "POST", headers, body });
}

const exported = (sim: SplunkSim, search: string, form: Record<string, string> = {}) =>
  post(sim, "search/v2/jobs/export", { search, preview: "0", ...form });

const linesOf = async (answer: Response) =>
  (await answer.text()).split("\n").filter((line) => line);

/** The seconds of `_time` of the rows a search gives, in order. */
async function seconds(sim: SplunkSim, search: string, form = {}): Promise<number[]> {
  const lines = await linesOf(await exported(sim, search, form));
  return lines.flatMap((line) => {
    const { result } = JSON.parse(line) as { result?: SimRow };
    return result === undefined ? [] : [Number(String(result["_time"]).slice(17, 19))];
  });
}

describe("export", () => {
  test("byte shapes: newest first, offset, lastrow on the last row, multivalues as arrays", async () => {
    const lines = await linesOf(await exported(start(), "search index=main level=ERROR"));
    expect(lines).toEqual([
      '{"preview":false,"offset":0,"result":{"_time":"2026-01-29 08:45:02.000 GMT","_raw":"No instances available","service":"travel","level":"ERROR","tag":["a","b"]}}',
      '{"preview":false,"offset":1,"lastrow":true,"result":{"_time":"2026-01-29 08:45:01.000 GMT","_raw":"Read timed out after 30004ms","service":"order","level":"ERROR"}}',
    ]);
  });

  test("no rows give only the last line", async () => {
    const text = await (await exported(start(), "search index=main nothing")).text();
    expect(text).toBe('{"preview":false,"lastrow":true}\n');
  });

  test("a preview set comes first, marked, with its own lastrow and a blank line", async () => {
    const text = await (await exported(start(), "search index=main", { preview: "1" })).text();
    const [preview = "", final = ""] = text.split("\n\n");
    expect(preview.split("\n").every((line) => line.startsWith('{"preview":true,'))).toBe(true);
    expect(preview).toContain('"lastrow":true');
    expect(final.trim().split("\n")).toHaveLength(3);
  });

  test("filters are evaluated: OR before AND, NOT, !=, wildcards, terms, phrases, case", async () => {
    const sim = start();
    const cases: [string, number[]][] = [
      ["search index=main", [2, 1, 0]],
      ["search index=main service=order level=ERROR", [1]],
      ["search index=main service=order OR service=travel level=ERROR", [2, 1]],
      ["search index=main (service=order level=INFO) OR tag=b", [2, 0]],
      ["search index=main NOT level=ERROR", [0]],
      ["search index=main level!=ERROR", [0]],
      ['search index=main service="tr*"', [2]],
      ['search index=main "timed out"', [1]],
      ["search index=main TIMED", [1]],
      ["search index=main time", []],
      ["search index=main index=other", []],
      ["search index=main | head 1", [2]],
    ];
    for (const [search, expected] of cases) {
      expect({ search, rows: await seconds(sim, search) }).toEqual({ search, rows: expected });
    }
  });

  test("times are half-open, in seconds with a fraction", async () => {
    const times = { earliest_time: String(T0 / 1000), latest_time: (T0 / 1000 + 2).toFixed(3) };
    expect(await seconds(start(), "search index=main", times)).toEqual([1, 0]);
  });

  test("fields keeps the internal fields, stats counts", async () => {
    const sim = start();
    const [first = ""] = await linesOf(await exported(sim, "search index=main | fields service"));
    expect(Object.keys((JSON.parse(first) as { result: SimRow }).result)).toEqual([
      "_raw",
      "_time",
      "service",
    ]);
    const counts = await linesOf(await exported(sim, "search index=main | stats count by service"));
    expect(counts.map((line) => (JSON.parse(line) as { result: SimRow }).result)).toEqual([
      { service: "travel", count: "1" },
      { service: "order", count: "2" },
    ]);
  });
});

describe("refusals", () => {
  const expectAnswer = async (answer: Response, status: number, type: string, text: string) => {
    expect([answer.status, await answer.json()]).toEqual([status, { messages: [{ type, text }] }]);
  };

  test("GET on export is 405 with Allow", async () => {
    const answer = await fetch(`${start().url}/services/search/v2/jobs/export`, { headers: TOKEN });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
  });

  test("401 without and with wrong credentials", async () => {
    const sim = start();
    const form = { search: "search index=main" };
    const ask = (Authorization: string) =>
      post(sim, "search/v2/jobs/export", form, { Authorization });
    await expectAnswer(await ask(""), 401, "ERROR", "Unauthorized");
    await expectAnswer(await ask(`Basic ${btoa("admin:wrong")}`), 401, "ERROR", "Unauthorized");
    await expectAnswer(await ask("Bearer x"), 401, "WARN", "call not properly authenticated");
    expect((await ask(`Basic ${btoa("admin:changed")}`)).status).toBe(200);
  });

  test("a session key from login passes", async () => {
    const sim = start();
    const login = await post(sim, "auth/login", { username: "admin", password: "changed" });
    const { sessionKey } = (await login.json()) as { sessionKey: string };
    const form = { search: "search index=main" };
    const headers = { Authorization: `Splunk ${sessionKey}` };
    expect((await post(sim, "search/v2/jobs/export", form, headers)).status).toBe(200);
  });

  test("an unknown command is 400 FATAL, from export and parser alike", async () => {
    const sim = start();
    const text = "Unknown search command 'frobnicate'.";
    const search = "search index=main | frobnicate";
    await expectAnswer(await exported(sim, search), 400, "FATAL", text);
    await expectAnswer(await post(sim, "search/v2/parser", { q: search }), 400, "FATAL", text);
    const missing = await exported(sim, "index=main");
    await expectAnswer(missing, 400, "FATAL", "Unknown search command 'index'.");
  });

  test("one search more than the limit is 503, and the place is free again afterwards", async () => {
    const sim = start({ searchesMax: 1, faults: () => ({ kind: "stall", afterRows: 1 }) });
    const first = await exported(sim, "search index=main");
    expect(sim.searchesRunning).toBe(1);
    expect((await exported(sim, "search index=main")).status).toBe(503);
    await first.body?.cancel();
    while (sim.searchesRunning > 0) await Bun.sleep(1);
  });
});

describe("jobs", () => {
  test("from creation to removal, with paging", async () => {
    const sim = start();
    const created = await post(sim, "search/v2/jobs", { search: "search index=main" });
    expect(created.status).toBe(201);
    const { sid } = (await created.json()) as { sid: string };
    const get = (path: string) =>
      fetch(`${sim.url}/services/search/v2/jobs/${path}`, { headers: TOKEN });
    let content: Record<string, unknown> = {};
    while (content["isDone"] !== true) {
      const status = (await (await get(sid)).json()) as { entry: [{ content: typeof content }] };
      content = status.entry[0].content;
    }
    expect(content).toMatchObject({ isFailed: false, dispatchState: "DONE", resultCount: 3 });
    const page = (await (await get(`${sid}/results?offset=1&count=1`)).json()) as object;
    expect(page).toMatchObject({ preview: false, init_offset: 1, messages: [] });
    expect(page).toHaveProperty("results.0._raw", "Read timed out after 30004ms");
    expect((await post(sim, `search/v2/jobs/${sid}/control`, { action: "cancel" })).status).toBe(
      200,
    );
    expect(sim.jobs).toBe(0);
    const gone = await get(sid);
    expect([gone.status, await gone.json()]).toEqual([
      404,
      { messages: [{ type: "FATAL", text: "Unknown sid." }] },
    ]);
  });
});

describe("faults", () => {
  const withFault = (fault: SimFault) =>
    exported(start({ faults: () => fault }), "search index=main");

  test("before the body", async () => {
    expect((await withFault({ kind: "unauthorized" })).status).toBe(401);
    expect((await withFault({ kind: "bad_search" })).status).toBe(400);
    expect((await withFault({ kind: "busy" })).status).toBe(503);
    const empty = await withFault({ kind: "empty_body" });
    expect([empty.status, await empty.text()]).toEqual([200, ""]);
  });

  test("fatal: a message after n rows, and no last row", async () => {
    const lines = await linesOf(await withFault({ kind: "fatal", afterRows: 2 }));
    expect(lines).toHaveLength(3);
    expect(lines[2]).toStartWith('{"messages":[{"type":"FATAL"');
    expect(lines.join("")).not.toContain("lastrow");
  });

  test("cut: the connection closes within the body", async () => {
    const text = withFault({ kind: "cut", afterRows: 1 }).then((answer) => answer.text());
    expect(await text.catch((error: unknown) => error)).toHaveProperty("code", "ECONNRESET");
  });

  test("a long line and broken bytes come, then the rest", async () => {
    const long = await linesOf(
      await withFault({ kind: "long_line", afterRows: 1, bytes: 3_000_000 }),
    );
    expect(long.map((line) => line.length > 3_000_000)).toEqual([false, true, false, false]);
    const bytes = await (await withFault({ kind: "bad_utf8", afterRows: 9 })).bytes();
    expect(bytes.includes(0xff)).toBe(true);
    expect(new TextDecoder().decode(bytes)).toEndWith('"lastrow":true}\n');
  });
});

test("backpressure: a reader that stops makes the provider wait", async () => {
  const batch = Array.from({ length: 500 }, () => row(1, { _raw: "x".repeat(1_000) }));
  let batches = 0;
  const sim = start({
    rows: async function* endless() {
      for (; batches < 1_000; batches++) yield batch; // 0.5 GB if nobody waits
    },
  });
  const answer = await exported(sim, "search index=main");
  const reader = answer.body?.getReader();
  sim.gauge.read((await reader?.read())?.value?.byteLength ?? 0);
  let before = -1;
  while (before !== sim.gauge.handedOutBytes) {
    before = sim.gauge.handedOutBytes;
    await Bun.sleep(100); // until it has stopped handing out
  }
  expect(sim.gauge.unreadBytesMax).toBeLessThan(32 * 1024 * 1024);
  expect(batches).toBeLessThan(100);
  await reader?.cancel();
});
