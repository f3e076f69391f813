/** `alarm`: from a window's trigger to the sink, without a language model. Nothing to hold it against. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureProgram } from "../../deploy/mod.ts";
import { backfillPrometheus, type PrometheusServer, startPrometheus } from "../../sim/mod.ts";
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { startNats } from "../nats.ts";
import { type BenchContext, checkWork, Run, runRounds } from "../run.ts";
import type { Scene } from "./scene.ts";
import { openMetricsOf, SERIES_PER_SERVICE } from "./series.ts";
import { Ready } from "./splunk.ts";
import { STEPS } from "./steps.ts";
import type { AlarmTask } from "./worker.ts";

const SCENE: Scene = { windows: 100, lines: 100_000, services: 100 };
const TOOLS_DIR = join(import.meta.dir, "../../.tools");
const READY_TIMEOUT_MS = 30_000;
const RUN_TIMEOUT_MS = 900_000;

const METRICS = [
  { name: "p50", unit: "ms" },
  { name: "p99", unit: "ms" },
  ...STEPS.map((name) => ({ name, unit: "% of the time" })),
] as const;

/**
 * Windows of 100,000 lines and 2,000 series, each of which opens an incident. Logs and metrics are read at
 * the same time, and the event is made while the sink is told, so the shares are more than the whole.
 */
export async function benchAlarm(context: BenchContext, scene: Scene = SCENE): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const metrics = await metricsOf(scene, context, stack);
  const petrel = async () => {
    const run = await runOnce(scene, metrics.url, context);
    const { windows, lines, services } = scene;
    const expected = {
      alarms: windows,
      lines: windows * lines,
      series: services * SERIES_PER_SERVICE,
    };
    checkWork("alarm", run, expected);
    return run;
  };
  const runs = await runRounds("alarm", { petrel }, context);
  return figuresOf("alarm", METRICS, runs.petrel);
}

async function runOnce(scene: Scene, prometheus: string, context: BenchContext): Promise<Run> {
  await using nats = await startNats(context);
  await using splunk = startChild("alarm/splunk.ts", scene, context.signal);
  const { url } = await splunk.next(Ready, READY_TIMEOUT_MS);
  const task: AlarmTask = { ...scene, nats: nats.url, splunk: url, prometheus };
  await using worker = startChild("alarm/worker.ts", task, context.signal);
  // Awaited here: the processes are ended as soon as this block is left.
  return await worker.next(Run, RUN_TIMEOUT_MS);
}

/** A real Prometheus with the series in it, for all rounds: it is only read. */
async function metricsOf(
  scene: Scene,
  context: BenchContext,
  stack: AsyncDisposableStack,
): Promise<PrometheusServer> {
  const program = (name: "prometheus" | "promtool") =>
    ensureProgram(name, {
      toolsDir: TOOLS_DIR,
      signal: context.signal,
      onProgress: (_kind, text) => context.onProgress(text),
    });
  const [prometheus, promtool] = [await program("prometheus"), await program("promtool")];
  const dataDir = await mkdtemp(join(tmpdir(), "petrel-bench-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  context.onProgress("alarm: filling Prometheus");
  await backfillPrometheus({
    promtool: promtool.path,
    openMetrics: openMetricsOf(scene),
    dataDir,
    timeoutMs: RUN_TIMEOUT_MS,
  });
  const server = await startPrometheus({ prometheus: prometheus.path, dataDir });
  stack.defer(() => server.stop());
  return server;
}
