/** `petrel investigate` and `petrel watch` as processes, against configured systems. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../core/mod.ts";
import { paymentScenario, type SplunkSim, splunkTime, startSplunkSim } from "../../sim/mod.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type PrometheusServer, startPrometheus } from "../support/prometheus.ts";

const MAIN = join(import.meta.dir, "../../cli/main.ts");
const recording = paymentScenario();

let nats: NatsServer;
let prometheus: PrometheusServer;
let splunk: SplunkSim;
let dir: string;
const hooks: { type: string; service: string }[] = [];
const hook = Bun.serve({
  port: 0,
  fetch: async (request) => {
    hooks.push((await request.json()) as (typeof hooks)[number]);
    return new Response("ok");
  },
});

beforeAll(async () => {
  nats = await startNats();
  const text = (await Array.fromAsync(recording.openMetrics())).join("");
  prometheus = await startPrometheus({ openmetrics: text });
  splunk = startSplunkSim({
    tokens: ["right"],
    rows: async function* rows(query) {
      yield* recording.logRows(query);
      const timeMs = query.earliestMs + 1;
      if (query.latestMs > systemClock.nowMs() - 3_600_000) {
        const _raw = `${new Date(timeMs).toISOString()}  INFO 1 --- [a] [main] c.a.Service : all is well`;
        yield [{ _time: splunkTime(timeMs), _raw, service: "calm-service" }];
      }
    },
  });
  dir = await mkdtemp(join(tmpdir(), "petrel-cli-"));
  await Bun.write(
    join(dir, "petrel.yaml"),
    `nats: { servers: ["${nats.url}"] }
splunk: { url: "${splunk.url}", token: right }
prometheus: { url: "${prometheus.url}", lookback: 20m }
alarms: { webhook: { url: "http://127.0.0.1:${hook.port}/" } }
sre: { settle: 1s, catch_up_windows: 1, timeout: 20s }
log: { level: error }
`,
  );
});
afterAll(async () => {
  await hook.stop(true);
  await splunk.stop();
  await prometheus[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

async function petrel(args: readonly string[]) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: dir,
    // Journals of agents that other tests have killed are none of its business.
    env: { ...process.env, XDG_STATE_HOME: dir },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([
    child.exited,
    child.stdout.text(),
    child.stderr.text(),
  ]);
  return { code, out, err, last: out.trim().split("\n").at(-1) ?? "" };
}

const WINDOW = ["--from", "2026-03-13T14:20:00Z", "--to", "2026-03-13T14:25:00Z"];
const BASELINE = ["--baseline", "2026-03-13T14:00:00Z/2026-03-13T14:20:00Z"];

test("investigate --json: the last line is the whole answer, and the alarm went out once", async () => {
  const { code, last, err } = await petrel(["investigate", ...WINDOW, ...BASELINE, "--json"]);
  expect([code, err]).toEqual([0, ""]);
  const answer = JSON.parse(last);
  expect(answer).toMatchObject({
    verdicts: [
      {
        window: { start: "2026-03-13T14:20:00.000Z", end: "2026-03-13T14:25:00.000Z" },
        outcome: "incident",
        rootCause: { service: "payment-service", mechanism: "database connection pool exhausted" },
        sources: { splunk: { status: "anomalous" }, metrics: { status: "anomalous" } },
      },
    ],
    llm: { calls: 0, tokens: 0 },
  });
  expect(answer.verdicts[0].evidence.length).toBeGreaterThan(3);
  expect(answer.envelopes).toBeGreaterThan(4);
  expect(hooks.map(({ type, service }) => [type, service])).toEqual([
    ["petrel.alarm/v2", "payment-service"],
  ]);

  // The same incident again is not raised again.
  const again = await petrel(["investigate", ...WINDOW, ...BASELINE]);
  expect(again.out).toContain("no new alarm");
  expect(hooks).toHaveLength(1);
});

test("investigate in a pipe shows each step on a line of its own, without escape codes", async () => {
  const { out } = await petrel(["investigate", ...WINDOW, ...BASELINE]);
  expect(out).toMatch(/→ splunk {3}task sent/);
  expect(out).toMatch(/← splunk {3}14,230 lines · .* · anomalous/);
  expect(out).toMatch(/▲ incident {2}payment-service · database connection pool exhausted/);
  // oxlint-disable-next-line no-control-regex -- the point of the test
  expect(out).not.toMatch(/\x1b/);
});

test("watch: a window that ends is investigated once, however many watch", async () => {
  const watch = () => petrel(["watch", "--every", "2s", "--windows", "2", "--json"]);
  const both = await Promise.all([watch(), watch()]);
  const ids = both.flatMap(({ out }) =>
    out
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line).id),
  );
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(ids.length).toBeGreaterThanOrEqual(4);
  expect(new Set(ids).size).toBe(ids.length);
});

test("audit tally after it all: nothing is missing; agents: nobody is left", async () => {
  const tally = JSON.parse((await petrel(["audit", "tally", "--json"])).last);
  expect(tally).toMatchObject({ halfReported: 0, malformedPacks: 0 });
  expect(tally.envelopes).toBeGreaterThan(20);
  expect((await petrel(["audit", "tail"])).out).toContain("SendStreamingMessage");
  expect((await petrel(["agents"])).out).toContain("no agent is in the mesh");
});
