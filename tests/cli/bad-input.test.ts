/**
 * Whatever a source answers, the verdict says so in the right place: a failed source is never a quiet
 * one, the process lives, and the next window is investigated as if nothing had happened.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Verdict } from "../../agents/mod.ts";
import { startTeam, type Team } from "../../cli/team.ts";
import { type Config, parseConfig, silentLogger } from "../../core/mod.ts";
import { paymentScenario, type SimFault, type SplunkSim, startSplunkSim } from "../../sim/mod.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type PrometheusServer, startPrometheus } from "../support/prometheus.ts";

const recording = paymentScenario();
const payment = recording.windows[0];
const [baseline] = payment?.logBaselines ?? [];

let nats: NatsServer;
let prometheus: PrometheusServer;
let splunk: SplunkSim;
let fault: SimFault | undefined;

beforeAll(async () => {
  nats = await startNats();
  const text = (await Array.fromAsync(recording.openMetrics())).join("");
  prometheus = await startPrometheus({ openmetrics: text });
  splunk = startSplunkSim({ rows: recording.logRows, tokens: ["right"], faults: () => fault });
});
afterAll(async () => {
  await splunk.stop();
  await prometheus[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

function configOf(
  more: { splunk?: string; prometheus?: string; token?: string; promExtra?: string } = {},
): Config {
  return parseConfig(
    `nats: { servers: ["${nats.url}"] }
splunk: { url: "${more.splunk ?? splunk.url}", token: ${more.token ?? "right"}, timeout: 10s }
prometheus: { url: "${more.prometheus ?? prometheus.url}", timeout: 10s, lookback: 20m${more.promExtra ?? ""} }
sre: { timeout: 25s }
`,
    {},
    "test",
  );
}

async function investigate(team: Team): Promise<Verdict> {
  if (!payment || !baseline) throw new Error("the payment scenario has a window and a baseline");
  const verdict = await team.sre.investigate(payment.window, { baseline: [baseline] });
  if (!verdict) throw new Error("the window was taken");
  return verdict;
}

async function withTeam<T>(config: Config, use: (team: Team) => Promise<T>): Promise<T> {
  const team = await startTeam(config, silentLogger, { evidence: ["splunk", "metrics"] });
  try {
    return await use(team);
  } finally {
    await team.stop();
  }
}

describe("a Splunk that fails", () => {
  test.each<[string, SimFault, RegExp]>([
    ["401", { kind: "unauthorized" }, /^UNAUTHENTICATED/],
    ["400 on the search", { kind: "bad_search" }, /^QUERY_REFUSED/],
    ["200 with an empty body", { kind: "empty_body" }, /^INCOMPLETE/],
    ["FATAL in the middle", { kind: "fatal", afterRows: 50 }, /^INCOMPLETE/],
    ["a cut connection", { kind: "cut", afterRows: 50 }, /^INCOMPLETE/],
    ["503, too busy", { kind: "busy" }, /^OVERLOADED/],
  ])(
    "%s: the source is failed with its reason, and metrics still name the cause",
    async (_what, wrong, reason) => {
      await withTeam(configOf(), async (team) => {
        fault = wrong;
        const verdict = await investigate(team);
        fault = undefined;
        expect(verdict.sources.splunk?.status).toBe("failed");
        expect(verdict.sources.splunk?.reason).toMatch(reason);
        expect(verdict.sources.metrics?.status).toBe("anomalous");
        expect(verdict.outcome).toBe("incident");
        expect(verdict.reason).toContain("splunk failed");
      });
    },
  );

  test("after every failure the next window is whole again", async () => {
    await withTeam(configOf(), async (team) => {
      fault = { kind: "empty_body" };
      expect((await investigate(team)).sources.splunk?.status).toBe("failed");
      fault = undefined;
      const verdict = await investigate(team);
      expect(verdict.sources.splunk?.status).toBe("anomalous");
      expect(verdict.rootCause?.service).toBe("payment-service");
    });
  });

  test("not there at all: UNAVAILABLE", async () => {
    await withTeam(configOf({ splunk: "http://127.0.0.1:1" }), async (team) => {
      expect((await investigate(team)).sources.splunk?.reason).toMatch(/^UNAVAILABLE/);
    });
  });

  test("a 32 MB line and bad UTF-8 are read past, and said", async () => {
    await withTeam(configOf(), async (team) => {
      fault = { kind: "long_line", afterRows: 10, bytes: 32 * 1024 * 1024 };
      const long = await investigate(team);
      fault = { kind: "bad_utf8", afterRows: 10 };
      const broken = await investigate(team);
      fault = undefined;
      expect(long.rootCause?.service).toBe("payment-service");
      expect(long.sources.splunk?.stats.cutLines).toBeGreaterThan(0);
      expect(broken.rootCause?.service).toBe("payment-service");
    });
  });
});

describe("a Prometheus that fails", () => {
  test("not there: the source is failed, the logs still name the cause", async () => {
    await withTeam(configOf({ prometheus: "http://127.0.0.1:1" }), async (team) => {
      const verdict = await investigate(team);
      expect(verdict.sources.metrics).toMatchObject({ status: "failed" });
      expect(verdict.sources.metrics?.reason).toMatch(/^UNAVAILABLE/);
      expect(verdict.rootCause?.service).toBe("payment-service");
    });
  });

  test.each([
    ["a PromQL error", ", queries: [{ metric: mine, promql: 'sum((', unit: x }]", /^QUERY_REFUSED/],
    ["more than 11,000 points", ", step: 100ms", /^TOO_LARGE/],
  ])("%s: failed, with the query's own error", async (_what, promExtra, reason) => {
    await withTeam(configOf({ promExtra }), async (team) => {
      expect((await investigate(team)).sources.metrics?.reason).toMatch(reason);
    });
  });
});

test("both sources failed: inconclusive, never quiet", async () => {
  const config = configOf({ splunk: "http://127.0.0.1:1", prometheus: "http://127.0.0.1:1" });
  await withTeam(config, async (team) => {
    const verdict = await investigate(team);
    expect(verdict.outcome).toBe("inconclusive");
    expect(verdict.rootCause).toBeNull();
    expect(Object.values(verdict.sources).map(({ status }) => status)).toEqual([
      "failed",
      "failed",
    ]);
  });
});

test("no agent there to ask: timed out or unavailable, and inconclusive", async () => {
  const config = parseConfig(
    `nats: { servers: ["${nats.url}"] }\nsplunk: { url: "${splunk.url}", token: t }\nsre: { timeout: 1s }`,
    {},
    "test",
  );
  const team = await startTeam(config, silentLogger, { evidence: [] });
  const verdict = await investigate(team);
  await team.stop();
  expect(verdict.outcome).toBe("inconclusive");
  expect(verdict.sources.splunk?.status).toBe("timed_out");
});

test("a clock eight hours off in the lines does not move them out of the window", async () => {
  const shifted = startSplunkSim({
    tokens: ["right"],
    rows: async function* rows(query) {
      for await (const batch of recording.logRows(query)) {
        yield batch.map((row) => ({ ...row, _raw: String(row._raw).replace(/ 14:/g, " 22:") }));
      }
    },
  });
  await withTeam(configOf({ splunk: shifted.url }), async (team) => {
    const verdict = await investigate(team);
    expect(verdict.rootCause?.service).toBe("payment-service");
    expect(verdict.sources.splunk?.stats.outsideWindow).toBe(0);
  });
  await shifted.stop();
});
