/** Client, decoder and stand-in together: an agent's stream of rows, and every way it can break. */
import { afterAll, describe, expect, test } from "bun:test";
import { PetrelError } from "../../core/mod.ts";
import { makeSplunkClient, makeSplunkSource, type SplunkSource } from "../../mcp/mod.ts";
import {
  providerOf,
  type SimFault,
  type SplunkSim,
  splunkTime,
  startSplunkSim,
} from "../../sim/mod.ts";

const window = { startMs: Date.UTC(2026, 0, 29, 8, 45), endMs: Date.UTC(2026, 0, 29, 8, 50) };
const ROWS = Array.from({ length: 5_000 }, (_, at) => ({
  _time: splunkTime(window.startMs + at * 10),
  _raw: `line ${at}`,
  service: at % 2 === 0 ? "order" : "travel",
}));

const sims: SplunkSim[] = [];
afterAll(async () => {
  for (const sim of sims) await sim.stop();
});

function start(fault?: SimFault, timeoutMs = 20_000): { sim: SplunkSim; source: SplunkSource } {
  const sim = startSplunkSim({
    rows: providerOf(ROWS),
    ...(fault === undefined ? {} : { faults: () => fault }),
  });
  sims.push(sim);
  const auth = { kind: "basic", user: "admin", password: "changed" } as const;
  const webUrl = "https://splunk.example";
  const client = makeSplunkClient({ url: sim.url, webUrl, auth, timeoutMs });
  return { sim, source: makeSplunkSource(client, { index: "main" }) };
}

/** Reads a window to its end, or to the error that ends it. */
async function read(source: SplunkSource, query = {}, signal = new AbortController().signal) {
  const raws: string[] = [];
  let cut = 0;
  try {
    for await (const batch of source.open(query, window, signal)) {
      for (const row of batch.rows) {
        raws.push(row.raw.slice(0, 100));
        if (row.cut === true) cut++;
      }
    }
    return { raws, cut, code: "read to the end" };
  } catch (error) {
    if (!(error instanceof PetrelError)) throw error;
    return { raws, cut, code: error.code };
  }
}

test("all rows of a window arrive, newest first", async () => {
  const { source } = start();
  const { raws, code } = await read(source);
  expect([raws.length, new Set(raws).size, code]).toEqual([5_000, 5_000, "read to the end"]);
  const times: number[] = [];
  for await (const { rows } of source.open({}, window, new AbortController().signal)) {
    times.push(...rows.map(({ timeMs }) => timeMs ?? Number.NaN));
    expect(rows[0]?.service).toMatch(/travel|order/);
  }
  expect(times).toEqual(times.toSorted((a, b) => b - a));
});

test("services are a typed filter", async () => {
  const { raws } = await read(start().source, { services: ["order"] });
  expect(raws).toHaveLength(2_500);
});

test("no rows is not an error", async () => {
  const { raws, code } = await read(start().source, { services: ["nobody"] });
  expect([raws.length, code]).toEqual([0, "read to the end"]);
});

describe("each fault has its code, and what came before it is kept apart from the end", () => {
  const cases: [SimFault, string, number | undefined][] = [
    [{ kind: "unauthorized" }, "UNAUTHENTICATED", 0],
    [{ kind: "bad_search" }, "QUERY_REFUSED", 0],
    [{ kind: "busy" }, "OVERLOADED", 0],
    [{ kind: "empty_body" }, "INCOMPLETE", 0],
    [{ kind: "fatal", afterRows: 0 }, "QUERY_REFUSED", 0],
    [{ kind: "fatal", afterRows: 3_000 }, "INCOMPLETE", undefined],
    [{ kind: "cut", afterRows: 0 }, "INCOMPLETE", 0],
    [{ kind: "cut", afterRows: 3_000 }, "INCOMPLETE", undefined],
    [{ kind: "bad_utf8", afterRows: 3_000 }, "read to the end", 5_001],
    [{ kind: "long_line", afterRows: 3_000, bytes: 32 * 1024 * 1024 }, "read to the end", 5_001],
  ];
  for (const [fault, code, rows] of cases) {
    test(JSON.stringify(fault), async () => {
      const got = await read(start(fault).source);
      expect(got.code).toBe(code);
      if (rows === undefined) expect(got.raws.length).toBeLessThan(5_000);
      else expect(got.raws.length).toBe(rows);
      expect(got.cut).toBe(fault.kind === "long_line" ? 1 : 0);
    });
  }

  test("a stall ends at the deadline and frees the search", async () => {
    const { sim, source } = start({ kind: "stall", afterRows: 3_000 }, 300);
    expect((await read(source)).code).toBe("DEADLINE_EXCEEDED");
    while (sim.searchesRunning > 0) await Bun.sleep(1);
  });

  test("a reader that stops early frees the search", async () => {
    const { sim, source } = start({ kind: "stall", afterRows: 3_000 });
    for await (const { rows } of source.open({}, window, new AbortController().signal)) {
      if (rows.length > 0) break;
    }
    while (sim.searchesRunning > 0) await Bun.sleep(1);
  });
});

describe("links", () => {
  const q = (query: object, terms: string[]) =>
    new URL(start().source.link(query, window, terms) ?? "").searchParams.get("q");

  test("narrow to lines with the terms", () => {
    expect(q({ services: ["order"], search: "level=ERROR" }, ["timed out"])).toBe(
      'search index="main" (service="order") (level=ERROR) | search "timed out"',
    );
    expect(q({}, ["timed out"])).toBe('search index="main" ("timed out")');
  });

  test("a hostile term from a log is left out", () => {
    expect(q({}, ['x" | delete | search "', "fine"])).toBe('search index="main" ("fine")');
    expect(q({}, ["`m`"])).toBe('search index="main"');
  });
});
