/** One run of `alarm`: the three agents in a process, as `petrel up` runs them, window after window. */
import type { KV } from "@nats-io/kv";
import { z } from "zod";
import { Mesh } from "../../a2a/mod.ts";
import {
  DEPENDENCY_QUERIES,
  INCIDENTS_BUCKET,
  INVESTIGATIONS_BUCKET,
  METRIC_QUERIES,
  type MetricSource,
  makeMetricsAgent,
  makeSplunkAgent,
  PlainWords,
  SreAgent,
} from "../../agents/mod.ts";
import {
  makeRedactor,
  PetrelError,
  parseConfig,
  silentLogger,
  type Window,
  windowId,
} from "../../core/mod.ts";
import { makePrometheusClient, makeSplunkClient, makeSplunkSource } from "../../mcp/mod.ts";
import { percentile } from "../figure.ts";
import type { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { BASELINE_WINDOWS, nameOf, Scene, windowBefore, windowOf } from "./scene.ts";
import { SERIES_PER_SERVICE } from "./series.ts";
import { TOKEN } from "./splunk.ts";
import { STEPS, Stopwatch, type Timed } from "./steps.ts";

export const AlarmTask = Scene.extend({
  nats: z.string(),
  splunk: z.string(),
  prometheus: z.string(),
});
export type AlarmTask = z.infer<typeof AlarmTask>;

const TIMEOUT_MS = 60_000;

async function openMesh(url: string, name: string, stack: AsyncDisposableStack): Promise<Mesh> {
  const mesh = await Mesh.open({ servers: [url], name, log: silentLogger });
  stack.defer(() => mesh.close());
  return mesh;
}

function bucketOf(mesh: Mesh, name: string): Promise<KV> {
  return mesh.kvm.create(name, { history: 1 });
}

async function serveEvidence(task: AlarmTask, stack: AsyncDisposableStack): Promise<void> {
  const [logs, metrics] = await Promise.all([
    openMesh(task.nats, "splunk", stack),
    openMesh(task.nats, "metrics", stack),
  ]);
  const auth = { kind: "token", token: TOKEN } as const;
  const client = makeSplunkClient({ url: task.splunk, auth, timeoutMs: TIMEOUT_MS });
  const rest = async (mesh: Mesh) => {
    const kv = await bucketOf(mesh, INVESTIGATIONS_BUCKET);
    return { kv, clock: mesh.clock, log: silentLogger, rules: {} };
  };
  await logs.serve(
    makeSplunkAgent({
      ...(await rest(logs)),
      source: makeSplunkSource(client, { index: "main" }),
      query: {},
      redact: makeRedactor().redact,
    }),
  );
  await metrics.serve(
    makeMetricsAgent({
      ...(await rest(metrics)),
      source: metricsAt(task.prometheus),
      queries: METRIC_QUERIES,
      dependencies: DEPENDENCY_QUERIES,
      serviceLabels: ["service"],
      stepMs: 60_000,
      rangeMs: 120_000,
      lookbackMs: 3_600_000,
      historyMs: 0,
      falseAlarmsPerDay: 1,
    }),
  );
}

function metricsAt(url: string): MetricSource {
  const client = makePrometheusClient({ url, timeoutMs: TIMEOUT_MS });
  return {
    name: "prometheus",
    range: async (promql, range, signal) => {
      const { series, seriesTotal } = await client.range(promql, range, signal);
      const read = series.map(({ labels, timesMs, values }) => ({
        labels,
        samples: timesMs.map((timeMs, at) => ({ timeMs, value: values[at] ?? Number.NaN })),
      }));
      return { series: read, cut: seriesTotal > series.length };
    },
  };
}

async function startSre(task: AlarmTask, watch: Stopwatch, stack: AsyncDisposableStack) {
  const mesh = await openMesh(task.nats, "sre", stack);
  const { alarms, sre: settings } = parseConfig("", {}, "defaults");
  const sre = new SreAgent({
    mesh,
    kv: await bucketOf(mesh, INVESTIGATIONS_BUCKET),
    incidentsKv: watch.watched(await bucketOf(mesh, INCIDENTS_BUCKET)),
    log: silentLogger,
    sources: ["splunk", "metrics"],
    timeoutMs: TIMEOUT_MS,
    baselineWindows: BASELINE_WINDOWS,
    inFlightMax: settings.in_flight_max,
    superviseEveryMs: 2_000,
    sinks: [watch.sink],
    explainer: PlainWords,
    rules: {
      afterWindows: alarms.after_windows,
      resolveAfterWindows: alarms.resolve_after_windows,
      reopenWithinMs: alarms.reopen_within,
      remindEveryMs: 86_400_000,
      updateEveryMs: alarms.update_every,
      flapChanges: alarms.flap_changes,
      flapWithinMs: alarms.flap_within,
    },
    maintenance: [],
    retryForMs: alarms.retry_for,
    onEvent: watch.onEvent,
  });
  await mesh.serve(sre.definition);
  await sre.start();
  stack.defer(() => sre.stop());
  return sre;
}

/**
 * Each window is its fault's first. What is normal is told: among a hundred faults it would lie ever further
 * back, where no incident was.
 */
async function investigate(sre: SreAgent, window: Window, expected: string): Promise<void> {
  const baseline = Array.from({ length: BASELINE_WINDOWS }, (_, at) => windowBefore(2 + at));
  const options = { id: windowId(window), baseline, incidents: [] };
  const verdict = await sre.investigate(window, options);
  const named = verdict?.rootCause?.service ?? verdict?.outcome ?? "nothing";
  if (named === expected) return;
  throw new PetrelError("INTERNAL", `alarm: ${options.id} says ${named}, not ${expected}`);
}

function costOf(all: readonly Timed[]): Run["cost"] {
  const alarmMs = all.map((one) => one.alarmMs);
  const meanOf = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const shares = STEPS.map((step): [string, number] => {
    const share = meanOf(all.map(({ steps }) => steps[step])) / meanOf(alarmMs);
    return [step, 100 * share];
  });
  return {
    p50: percentile(alarmMs, 0.5),
    p99: percentile(alarmMs, 0.99),
    ...Object.fromEntries(shares),
  };
}

if (import.meta.main) {
  const task = readTask(AlarmTask);
  await using stack = new AsyncDisposableStack();
  const watch = new Stopwatch();
  await serveEvidence(task, stack);
  const sre = await startSre(task, watch, stack);
  // The window before the first fault: reads what is normal, and warms up.
  await investigate(sre, windowBefore(1), "quiet");
  const all: Timed[] = [];
  for (let fault = 0; fault < task.windows; fault++) {
    watch.start();
    await investigate(sre, windowOf(fault), nameOf(fault));
    all.push(watch.timed());
  }
  answer({
    work: {
      alarms: all.length,
      lines: all.length * task.lines,
      series: task.services * SERIES_PER_SERVICE,
    },
    cost: costOf(all),
  } satisfies Run);
}
