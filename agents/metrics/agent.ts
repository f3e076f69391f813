/**
 * The metrics agent: asks Prometheus for the catalogue's series over baseline and window, compares, and
 * links the dashboards. A query that fails fails the source: "no answer" never reads as "quiet".
 */
import type { KV } from "@nats-io/kv";
import type { AgentDefinition, Turn } from "../../a2a/mod.ts";
import {
  type Clock,
  type Logger,
  limits,
  PetrelError,
  type Window,
  windowToJson,
} from "../../core/mod.ts";
import {
  detectMetrics,
  judgeByMemory,
  type RuleSet,
  reportOfMetrics,
  type Series,
  type SourceReport,
} from "../../streams/mod.ts";
import { makeEvidenceAgent } from "../evidence.ts";
import { AgentMemory } from "../memory.ts";
import { type InvestigateRequest, toWindow } from "../protocol.ts";
import type { MetricQuery } from "./catalogue.ts";
import { type DependencyQuery, readDependencies } from "./dependencies.ts";
import { joined, rangesOf } from "./past.ts";
import { filled, readSeries } from "./read.ts";
import { type History, SeriesMemory } from "./series-memory.ts";

/** One series as the metric store returned it. */
export interface MetricSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Samples in time order, milliseconds UTC. */
  readonly samples: readonly { readonly timeMs: number; readonly value: number }[];
}

/** Where metrics come from. cli/ passes in a Prometheus client. */
export interface MetricSource {
  readonly name: string;
  /** Evaluates `promql` at every step of [startMs, endMs]. Throws PetrelError. */
  range(
    promql: string,
    range: { startMs: number; endMs: number; stepMs: number },
    signal: AbortSignal,
  ): Promise<{ series: readonly MetricSeries[]; cut: boolean }>;
  link?(promql: string, window: Window): string | undefined;
}

/** Where dashboards are. Absent when no Grafana is configured. */
export interface Dashboards {
  links(services: readonly string[], window: Window, signal: AbortSignal): Promise<readonly Link[]>;
}

export interface Link {
  readonly title: string;
  readonly url: string;
}

export interface MetricsAgentOptions {
  readonly source: MetricSource;
  readonly dashboards?: Dashboards;
  readonly kv: KV;
  readonly clock: Clock;
  readonly log: Logger;
  readonly rules: RuleSet;
  readonly queries: readonly MetricQuery[];
  readonly dependencies: readonly DependencyQuery[];
  readonly serviceLabels: readonly string[];
  readonly stepMs: number;
  readonly rangeMs: number;
  /** How far before the window normal is looked for, when the request's baseline is shorter. */
  readonly lookbackMs: number;
  /** How far back the memory of days begins, when nothing is remembered yet; 0 for not at all. */
  readonly historyMs: number;
  /** Alarmed windows a day for every 50 services that are accepted on healthy systems. */
  readonly falseAlarmsPerDay: number;
}

/** The memory's own slot of time. */
const HISTORY_STEP_MS = 600_000;

export function makeMetricsAgent(options: MetricsAgentOptions): AgentDefinition {
  const { kv, log } = options;
  const agentMemory = new AgentMemory({ kv, agent: "metrics", log });
  const memory = new SeriesMemory({ memory: agentMemory, clock: options.clock, log });
  return makeEvidenceAgent({
    name: "metrics",
    description:
      "Reads the metrics of a window from Prometheus and says what left its normal range.",
    skill: {
      id: "metric-findings",
      name: "Metric findings",
      description: "Rules and robust deviations per service and resource, with dashboard links.",
      tags: ["metrics", "prometheus", "grafana", "evidence"],
    },
    kv: options.kv,
    clock: options.clock,
    look: (request, turn) => look(options, memory, request, turn),
  });
}

async function look(
  options: MetricsAgentOptions,
  memory: SeriesMemory,
  request: InvestigateRequest,
  turn: Turn,
): Promise<SourceReport> {
  const startedMs = options.clock.nowMs();
  const window = toWindow(request.window);
  const { series, cut } = await readNormalAndWindow(options, request, turn);
  if (series.length === 0) {
    throw new PetrelError(
      "CONFIG_INVALID",
      "no query of the catalogue returned a series: check the queries",
    );
  }
  const reading = { ...options, queries: options.dependencies };
  const dependencies = await readDependencies(reading, window, turn.signal);
  const remembered = await memory.read(series, window, historyOf(options, window, turn));
  turn.signal.throwIfAborted();
  const { falseAlarmsPerDay } = options;
  const tested = detectMetrics(series, window, options.rules, limits.FINDINGS_MAX, {
    falseAlarmsPerDay,
  });
  const judging = { series, window, remembered, falseAlarmsPerDay };
  const judged = judgeByMemory(tested.findings, judging);
  const { findings } = judged;
  const notes = [...tested.notes, ...judged.notes];
  await memory.keep(window);
  const services = [...new Set(findings.map((finding) => finding.service))];
  return reportOfMetrics({
    window: windowToJson(window),
    baseline: [
      windowToJson({ startMs: window.startMs - options.lookbackMs, endMs: window.startMs }),
    ],
    series,
    dependencies,
    findings: findings.map((finding) => withLink(options, finding, window)),
    notes: cut
      ? [...notes, "some series were left out: a query returned more than the bound"]
      : notes,
    cut,
    seconds: (options.clock.nowMs() - startedMs) / 1000,
    links: await dashboardLinks(options, services, window, turn),
  });
}

/** The window's series with their past, in which no incident was. */
async function readNormalAndWindow(
  options: MetricsAgentOptions,
  request: InvestigateRequest,
  turn: Turn,
): Promise<{ series: Series[]; cut: boolean }> {
  const window = toWindow(request.window);
  const incidents = (request.incidents ?? []).map(toWindow);
  const parts: Series[][] = [];
  let isCut = false;
  for (const range of rangesOf(window, options, incidents)) {
    const { series, cut } = await readSeries(options, range, window, turn);
    parts.push(series);
    isCut ||= cut;
  }
  return { series: joined(parts), cut: isCut };
}

/**
 * What was normal for days, read when something asked for is not remembered: coarse, as only the time of
 * day is learnt from it. Without it the memory is warm some days later.
 */
function historyOf(
  options: MetricsAgentOptions,
  window: Window,
  turn: Turn,
): (() => Promise<History>) | undefined {
  const { historyMs, lookbackMs } = options;
  if (historyMs === 0) return undefined;
  const endMs = window.startMs - lookbackMs;
  const startMs = endMs - Math.ceil(historyMs / HISTORY_STEP_MS) * HISTORY_STEP_MS;
  return async () => {
    const range = { startMs, endMs, stepMs: HISTORY_STEP_MS };
    const { series } = await readSeries(options, range, window, turn);
    return { series, endMs };
  };
}

function withLink<F extends { metric?: string | undefined; link?: string | undefined }>(
  options: MetricsAgentOptions,
  finding: F,
  window: Window,
): F {
  const query = options.queries.find((one) => one.metric === finding.metric);
  const link = query && options.source.link?.(filled(options, query, window), window);
  return link === undefined ? finding : { ...finding, link };
}

/** Links are a courtesy: a Grafana that is away costs a note in the log, not the evidence. */
async function dashboardLinks(
  options: MetricsAgentOptions,
  services: readonly string[],
  window: Window,
  turn: Turn,
): Promise<readonly Link[]> {
  if (!options.dashboards || services.length === 0) return [];
  try {
    return await options.dashboards.links(services, window, turn.signal);
  } catch (error) {
    turn.log.warn("dashboards.unavailable", { error });
    return [];
  }
}
