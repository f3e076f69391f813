/** Every case at a small size, with its real parts: the work is done and equal. No time is judged. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { type Figure, tableOf } from "../../bench/figure.ts";
import { benchLogs, benchLogsMany, benchLogsSlow } from "../../bench/logs/case.ts";
import { benchCallers } from "../../bench/mesh/callers.ts";
import { benchRegistry } from "../../bench/mesh/registry.ts";
import { benchStream } from "../../bench/mesh/stream.ts";
import { benchRpc, runSide } from "../../bench/rpc/case.ts";
import type { BenchContext } from "../../bench/run.ts";
import { runCommand, SOURCE } from "../../bench/startup/case.ts";

const TIMEOUT_MS = 60_000;

const context: BenchContext = {
  rounds: 1,
  signal: new AbortController().signal,
  onProgress: () => undefined,
};

const load = {
  warmUpCalls: 5,
  sequentialCalls: 20,
  concurrentCalls: 200,
  callers: 8,
  textBytes: 1_024,
};

const names = (figures: readonly Figure[]) =>
  figures.map((figure) => `${figure.case} ${figure.metric}`);

/** The shape that is promised to programs. A figure that is no number becomes null in JSON. */
const FigureLine = z.strictObject({
  case: z.string(),
  metric: z.string(),
  ours: z.number(),
  peer: z.number().nullable(),
  ratio: z.number().nullable(),
  unit: z.string(),
  runs: z.number().int(),
  oursMin: z.number(),
  oursMax: z.number(),
  peerMin: z.number().nullable(),
  peerMax: z.number().nullable(),
});

function expectMeasured(figures: readonly Figure[]): void {
  for (const figure of figures) {
    expect(figure.ours).toBeGreaterThan(0);
    expect(figure.peer ?? 1).toBeGreaterThan(0);
    expect(FigureLine.parse(JSON.parse(JSON.stringify(figure)))).toEqual(figure);
    expect(tableOf([figure])).not.toContain("NaN");
  }
}

test(
  "rpc: every way answers every call, and all envelopes are stored",
  async () => {
    const figures = await benchRpc(context, load);
    expect(names(figures)).toEqual([
      "rpc p50",
      "rpc p99",
      "rpc throughput",
      "rpc cpu",
      "rpc-task p50",
      "rpc-task p99",
      "rpc-task throughput",
      "rpc-task cpu",
      "rpc-http p50",
      "rpc-http p99",
      "rpc-http throughput",
      "rpc-http cpu",
      "rpc-async p50",
      "rpc-async p99",
      "rpc-async throughput",
      "rpc-async cpu",
      "rpc-strict p50",
      "rpc-strict p99",
      "rpc-strict throughput",
      "rpc-strict cpu",
    ]);
    expectMeasured(figures);
    const { work } = await runSide("message", load, context);
    expect(work).toEqual({ answered: 225, echoedBytes: 225 * 1_024 });
  },
  TIMEOUT_MS,
);

test(
  "stream: every chunk comes, over NATS and over HTTP",
  async () => {
    const figures = await benchStream(context, 40);
    expect(names(figures)).toEqual(
      ["stream-nats", "stream-http"].flatMap((side) =>
        ["2000 chunks", "4000 chunks", "4000/2000"].map((metric) => `${side} ${metric}`),
      ),
    );
    expectMeasured(figures);
  },
  TIMEOUT_MS,
);

test(
  "registry: who is registered is found",
  async () => {
    expectMeasured(await benchRegistry(context, { crowd: 5, samples: 3 }));
  },
  TIMEOUT_MS,
);

test(
  "callers: all are answered or told to come back",
  async () => {
    const size = { callers: 300, seconds: 1, warmUpSeconds: 1, restMs: 1 };
    const figures = await benchCallers(context, size);
    expect(figures.find(({ metric }) => metric === "answered")?.ours).toBeGreaterThan(0);
    expect(figures.find(({ metric }) => metric === "other errors")?.ours).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  "logs: each reader counts the same rows and bytes",
  async () => {
    const figures = [
      ...(await benchLogs(context, 5_000)),
      ...(await benchLogsMany(context, 5_000)),
      ...(await benchLogsSlow(context, 5_000, 2)),
    ];
    expect(names(figures)).toEqual([
      "logs lines",
      "logs bytes",
      "logs peak",
      "logs supply",
      "logs-3m lines",
      "logs-3m bytes",
      "logs-3m peak",
      "logs-slow in flight",
      "logs-slow lines",
    ]);
    expectMeasured(figures);
  },
  TIMEOUT_MS,
);

test(
  "startup: the command ends, and its three agents answer",
  async () => {
    const { work, cost } = await runCommand(SOURCE, context, 0);
    expect(work).toEqual({ agents: 3 });
    expect(Object.keys(cost)).toEqual(["version", "serving", "idle"]);
    expect(cost["idle"]).toBeGreaterThan(1);
  },
  TIMEOUT_MS,
);

async function runMain(argv: readonly string[]) {
  const main = join(import.meta.dir, "../../bench/main.ts");
  const child = Bun.spawn([process.execPath, main, ...argv], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

test("the command: help, or a reason and an exit code", async () => {
  const help = await runMain(["--help"]);
  expect([help.code, help.stderr]).toEqual([0, ""]);
  expect(help.stdout).toContain("logs-slow");
  const refused = await runMain(["frob"]);
  expect([refused.code, refused.stdout]).toEqual([2, ""]);
  expect(refused.stderr).toContain('case "frob" is none of');
});
