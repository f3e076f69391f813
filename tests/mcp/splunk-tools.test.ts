/** The Splunk tools as a model sees them, through a tool host, against the stand-in. */
import { afterAll, describe, expect, test } from "bun:test";
import { makeSplunkClient, makeToolHost, splunkTools, type ToolHost } from "../../mcp/mod.ts";
import {
  providerOf,
  type SimFault,
  type SplunkSim,
  splunkTime,
  startSplunkSim,
} from "../../sim/mod.ts";

const START = Date.UTC(2026, 0, 29, 8, 45);
const at = { start: "2026-01-29T08:45:00Z", end: "2026-01-29T08:50:00Z" };
const never = new AbortController().signal;
const line = (ms: number, level: string, message: string) =>
  `${new Date(ms).toISOString().replace("T", " ").slice(0, 23)} ${level} 1 --- [           main] c.e.Orders : ${message}`;
const ROWS = Array.from({ length: 600 }, (_, n) => {
  const ms = START + n * 100;
  const failed = n % 10 === 0;
  const message = failed
    ? `Payment with card 4111111111111111 failed after ${n}ms`
    : `Order ${n} done`;
  return {
    _time: splunkTime(ms),
    _raw: line(ms, failed ? "ERROR" : "INFO", message),
    service: n % 3 === 0 ? "order" : "travel",
  };
});

const sims: SplunkSim[] = [];
afterAll(async () => {
  for (const sim of sims) await sim.stop();
});

function start(fault?: SimFault): { sim: SplunkSim; host: ToolHost } {
  const sim = startSplunkSim({
    rows: providerOf(ROWS),
    ...(fault === undefined ? {} : { faults: () => fault }),
  });
  sims.push(sim);
  const auth = { kind: "basic", user: "admin", password: "changed" } as const;
  const webUrl = "https://splunk.example";
  const client = makeSplunkClient({ url: sim.url, webUrl, auth, timeoutMs: 10_000 });
  const redact = (text: string) => text.replace(/\b\d{16}\b/g, "[card]");
  return { sim, host: makeToolHost(splunkTools(client, { index: "main", redact })) };
}

describe("query_splunk", () => {
  test("returns rows, redacted, with a link and the number left out", async () => {
    const { host } = start();
    const asked = { ...at, search: "level_unknown OR ERROR", services: ["order"], rowsMax: 5 };
    const answer = await host.call("query_splunk", asked, never);
    expect(answer.structuredContent).toMatchObject({
      rowsTotal: 20,
      truncated: true,
      omitted: { what: "rows", count: 15, bound: "rowsMax 5" },
    });
    const text = answer.content[0]?.text ?? "";
    expect(text).toContain("5 of 20 rows.");
    expect(text).toContain("[card]");
    expect(text).not.toContain("4111111111111111");
    expect(text).toContain("https://splunk.example/en-US/app/search/search");
  });

  test("small counts by a reporting command", async () => {
    const { host } = start();
    const asked = { ...at, search: "ERROR | stats count by service" };
    const answer = await host.call("query_splunk", asked, never);
    expect(answer.structuredContent).toMatchObject({
      rows: [
        { service: "travel", count: "40" },
        { service: "order", count: "20" },
      ],
      truncated: false,
    });
  });

  test("bytesMax bounds the rows", async () => {
    const answer = await start().host.call("query_splunk", { ...at, bytesMax: 1_000 }, never);
    expect(answer.structuredContent).toMatchObject({ omitted: { bound: "bytesMax 1000" } });
  });

  test("what is refused says what to change, and nothing is sent", async () => {
    const { sim, host } = start();
    const cases: [Record<string, unknown>, RegExp][] = [
      [
        { ...at, search: "x | delete" },
        /QUERY_REFUSED.*command "delete" is not allowed; allowed are/,
      ],
      [
        { ...at, services: ['a" OR index=*'] },
        /QUERY_REFUSED.*filters\.service\.0.*must not contain "/,
      ],
      [{ ...at, index: "main OR index=x" }, /QUERY_REFUSED.*index/],
      [{ start: "yesterday", end: at.end }, /USAGE.*start/],
      [{ start: at.end, end: at.start }, /USAGE.*end must be later/],
      [{ start: "2025-01-01T00:00:00Z", end: at.end }, /TOO_LARGE.*1440 minutes/],
      [{ ...at, rowsMax: 5_000 }, /USAGE.*rowsMax/],
    ];
    for (const [input, expected] of cases) {
      const answer = await host.call("query_splunk", input, never);
      expect(answer.isError).toBe(true);
      expect(answer.content[0]?.text).toMatch(expected);
    }
    expect(sim.requests).toEqual([]);
  });
});

describe("splunk_digest", () => {
  test("counts by template and by service, most errors first, redacted", async () => {
    const answer = await start().host.call("splunk_digest", { ...at, templatesMax: 3 }, never);
    expect(answer.isError).toBeUndefined();
    expect(answer.structuredContent).toMatchObject({
      lines: 600,
      unparsed: 0,
      services: [
        { service: "travel", lines: 400, errors: 40 },
        { service: "order", lines: 200, errors: 20 },
      ],
      truncated: true,
      omitted: { what: "templates or services", count: 1 },
    });
    const text = answer.content[0]?.text ?? "";
    expect(text).toContain("600 lines, 4 templates, 2 services.");
    expect(text).not.toContain("4111111111111111");
    expect(text).toMatch(/"template":"Order <\w+> done","count":360/);
  });

  test("a broken stream is an error, never half a digest", async () => {
    const cut = await start({ kind: "cut", afterRows: 300 }).host.call("splunk_digest", at, never);
    expect(cut.isError).toBe(true);
    expect(cut.content[0]?.text).toMatch(/^INCOMPLETE/);
    const busy = await start({ kind: "busy" }).host.call("splunk_digest", at, never);
    expect(busy.content[0]?.text).toMatch(/^OVERLOADED/);
  });
});
