/**
 * The metrics agent: asks Prometheus for the catalogue's series over baseline and window, compares, and
 * links the dashboards. A query that fails fails the source: "no answer" never reads as "quiet".
 */
import type { KV } from "@nats-io/kv";
import type { AgentDefinition, Turn } from "../../a2a/mod.ts";
import { type Clock, PetrelError, type Window, windowToJson } from "../../core/mod.ts";
import {
  detectMetrics,
  type RuleSet,
  reportOfMetrics,
  type Series,
  type SourceReport,
} from "../../streams/mod.ts";
import { makeEvidenceAgent } from "../evidence.ts";
import { type InvestigateRequest, toWindow } from "../protocol.ts";
import { fillQuery, type MetricQuery, serviceOfPod } from "./catalogue.ts";

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
  readonly rules: RuleSet;
  readonly queries: readonly MetricQuery[];
  readonly serviceLabels: readonly string[];
  readonly stepMs: number;
  readonly rangeMs: number;
  /** How far before the window normal is looked for, when the request's baseline is shorter. */
  readonly lookbackMs: number;
}

const QUERIES_AT_ONCE = 4;

export function makeMetricsAgent(options: MetricsAgentOptions): AgentDefinition {
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
    look: (request, turn) => look(options, request, turn),
  });
}

async function look(
  options: MetricsAgentOptions,
  request: InvestigateRequest,
  turn: Turn,
): Promise<SourceReport> {
  const startedMs = options.clock.nowMs();
  const window = toWindow(request.window);
  const { series, cut } = await readAll(options, window, turn);
  const { findings, notes } = detectMetrics(series, window, options.rules);
  const services = [...new Set(findings.map((finding) => finding.service))];
  return reportOfMetrics({
    window: windowToJson(window),
    baseline: [
      windowToJson({ startMs: window.startMs - options.lookbackMs, endMs: window.startMs }),
    ],
    series,
    findings: findings.map((finding) => withLink(options, finding, window)),
    notes: cut
      ? [...notes, "some series were left out: a query returned more than the bound"]
      : notes,
    cut,
    seconds: (options.clock.nowMs() - startedMs) / 1000,
    links: await dashboardLinks(options, services, window, turn),
  });
}

/** All queries of the catalogue, a few at a time. */
async function readAll(
  options: MetricsAgentOptions,
  window: Window,
  turn: Turn,
): Promise<{ series: Series[]; cut: boolean }> {
  const { stepMs } = options;
  const steps = Math.ceil((window.endMs - window.startMs + options.lookbackMs) / stepMs);
  const range = { startMs: window.endMs - steps * stepMs, endMs: window.endMs, stepMs };
  const all: Series[] = [];
  let cut = false;
  let next = 0;
  const failed = new AbortController();
  const signal = AbortSignal.any([turn.signal, failed.signal]);
  const worker = async () => {
    for (let query = options.queries[next++]; query; query = options.queries[next++]) {
      const promql = filled(options, query, window);
      const answer = await options.source.range(promql, range, signal);
      cut ||= answer.cut;
      for (const one of answer.series) all.push(toSeries(options, query, one));
      turn.progress(`${all.length} series`, { part: "window", series: all.length, queries: next });
    }
  };
  try {
    await Promise.all(Array.from({ length: QUERIES_AT_ONCE }, worker));
  } finally {
    // One query that failed fails the source; the others need not finish.
    failed.abort(new PetrelError("CANCELLED", "another query failed"));
  }
  if (all.length === 0) {
    throw new PetrelError(
      "CONFIG_INVALID",
      "no query of the catalogue returned a series: check the queries",
    );
  }
  return { series: all, cut };
}

function filled(options: MetricsAgentOptions, query: MetricQuery, window: Window): string {
  const { serviceLabels, rangeMs } = options;
  return fillQuery(query.promql, {
    serviceLabels,
    rangeMs,
    windowMs: window.endMs - window.startMs,
  });
}

function toSeries(options: MetricsAgentOptions, query: MetricQuery, one: MetricSeries): Series {
  const { labels } = one;
  const named = options.serviceLabels.map((label) => labels[label]).find(Boolean);
  const instance = labels.instance ?? labels.pod ?? labels.pool;
  return {
    service: named ?? (labels.pod ? serviceOfPod(labels.pod) : "unknown"),
    ...(instance === undefined ? {} : { instance }),
    metric: query.metric,
    unit: query.unit,
    timesMs: one.samples.map((sample) => sample.timeMs),
    values: one.samples.map((sample) => sample.value),
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
