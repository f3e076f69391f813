/** Asks the metric store for the catalogue's series. A query that fails fails all: nothing reads as quiet. */
import type { Turn } from "../../a2a/mod.ts";
import { PetrelError, type Window } from "../../core/mod.ts";
import type { Series } from "../../streams/mod.ts";
import type { MetricSeries, MetricSource } from "./agent.ts";
import { fillQuery, type MetricQuery, serviceOfPod } from "./catalogue.ts";

export interface ReadOptions {
  readonly source: MetricSource;
  readonly queries: readonly MetricQuery[];
  readonly serviceLabels: readonly string[];
  readonly rangeMs: number;
}

export interface Range {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

const QUERIES_AT_ONCE = 4;

/** All queries of the catalogue, a few at a time; `cut` when one returned more than the bound. */
export async function readSeries(
  options: ReadOptions,
  range: Range,
  window: Window,
  turn: Turn,
): Promise<{ series: Series[]; cut: boolean }> {
  const all: Series[] = [];
  let cut = false;
  let next = 0;
  const failed = new AbortController();
  const signal = AbortSignal.any([turn.signal, failed.signal]);
  const worker = async () => {
    for (let query = options.queries[next++]; query; query = options.queries[next++]) {
      const answer = await options.source.range(filled(options, query, window), range, signal);
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
  return { series: all, cut };
}

/** The query with its placeholders filled in for this window. */
export function filled(options: ReadOptions, query: MetricQuery, window: Window): string {
  const { serviceLabels, rangeMs } = options;
  return fillQuery(query.promql, {
    serviceLabels,
    rangeMs,
    windowMs: window.endMs - window.startMs,
  });
}

function toSeries(options: ReadOptions, query: MetricQuery, one: MetricSeries): Series {
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
