/**
 * A client of Prometheus's HTTP API v1: queries, metadata, labels, series, links.
 * Every call has a deadline and a bound on bytes and series; a PromQL expression is checked before it
 * is sent. Never retries and never writes.
 */
import { PetrelError, type Window } from "../../core/mod.ts";
import {
  type Api,
  baseOf,
  encodeParams,
  makeApi,
  type Params,
  type PrometheusOptions,
  TIMEOUT_MS_DEFAULT,
} from "./api.ts";
import { checkRange } from "./errors.ts";
import { checkPromql } from "./promql.ts";
import {
  MetadataAnswer,
  NamesAnswer,
  type PromList,
  type PromMetadata,
  type PromResult,
  QueryAnswer,
  resultOf,
  SeriesAnswer,
} from "./protocol.ts";

export interface PromRange {
  readonly startMs: number;
  /** Inclusive, as in Prometheus: the last sample is at the last step at or before it. */
  readonly endMs: number;
  readonly stepMs: number;
}

/** What a list of names or series is about. Without `match` everything counts. */
export interface PromSelection {
  /** Series selectors such as `up` or `{service="ts-order"}`; a series counts if one matches. */
  readonly match?: readonly string[];
  readonly window?: Window;
  /** Items kept. Default 1,000. */
  readonly limit?: number;
}

/**
 * Every method rejects with the codes of `httpRequest`, and with QUERY_REFUSED (a bad expression,
 * `fields.offset` or `fields.message`), TOO_LARGE (`fields.limit`, and `fields.stepMs` for a range
 * with too many points), PROTOCOL_VIOLATION (an answer that is not Prometheus's), or CONFIG_INVALID
 * (no Prometheus at this address).
 */
export interface PrometheusClient {
  /** The value of an expression at one instant. */
  instant(query: string, timeMs: number, signal?: AbortSignal): Promise<PromResult>;
  /** The values of an expression at every step of a range; at most 11,000 points a series. */
  range(query: string, range: PromRange, signal?: AbortSignal): Promise<PromResult>;
  /** Type, help and unit of one metric, or of all that targets state; backfilled data has none. */
  metadata(metric?: string, signal?: AbortSignal): Promise<PromList<PromMetadata>>;
  /** Label names. */
  labels(selection?: PromSelection, signal?: AbortSignal): Promise<PromList<string>>;
  /** Values of one label. */
  labelValues(
    label: string,
    selection?: PromSelection,
    signal?: AbortSignal,
  ): Promise<PromList<string>>;
  /** Label sets of the series that match at least one selector. */
  series(
    match: readonly string[],
    selection?: Omit<PromSelection, "match">,
    signal?: AbortSignal,
  ): Promise<PromList<Readonly<Record<string, string>>>>;
  /** A link to the expression in Prometheus's own graph page, over the window. */
  graphLink(expr: string, window: Window): string;
}

const SERIES_MAX_DEFAULT = 1_000;
const LIST_MAX_DEFAULT = 1_000;

/** Milliseconds as Prometheus takes them: unix seconds with three decimals. */
function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function cutList<T>(all: readonly T[], limit: number): PromList<T> {
  if (all.length <= limit) return { items: all, total: all.length, cut: false };
  // One more than the limit is asked for: a server that obeys `limit` may have had still more.
  const total = all.length > limit + 1 ? { total: all.length } : {};
  return { items: all.slice(0, limit), cut: true, ...total };
}

function selectionParams({ match = [], window, limit }: PromSelection): Params {
  for (const selector of match) checkPromql(selector);
  const params: [string, string][] = match.map((selector) => ["match[]", selector]);
  if (window !== undefined) {
    params.push(["start", seconds(window.startMs)], ["end", seconds(window.endMs)]);
  }
  return [...params, ["limit", String((limit ?? LIST_MAX_DEFAULT) + 1)]];
}

function graphLink(base: string, expr: string, window: Window): string {
  const lengthSeconds = Math.max(1, Math.ceil((window.endMs - window.startMs) / 1000));
  const end = new Date(window.endMs).toISOString().slice(0, 19).replace("T", " ");
  const params = encodeParams([
    ["g0.expr", expr],
    ["g0.tab", "0"],
    ["g0.range_input", `${lengthSeconds}s`],
    ["g0.end_input", end],
  ]);
  return `${base}/graph?${params}`;
}

function makeQueries(
  api: Api,
  options: PrometheusOptions,
): Pick<PrometheusClient, "instant" | "range"> {
  const timeout = `${options.timeoutMs ?? TIMEOUT_MS_DEFAULT}ms`;
  const seriesMax = options.seriesMax ?? SERIES_MAX_DEFAULT;
  const query = async (path: string, params: Params, lengthMs: number, signal?: AbortSignal) => {
    const request = { path, params: [...params, ["timeout", timeout] as const], lengthMs };
    const result = resultOf(await api(request, QueryAnswer, signal), seriesMax);
    if (result !== undefined) return result;
    const message = "the expression is a string literal, not a time series";
    throw new PetrelError("QUERY_REFUSED", `prometheus: ${message}`, { path: "query", message });
  };
  return {
    instant: async (expr, timeMs, signal) => {
      checkPromql(expr);
      const params: Params = [
        ["query", expr],
        ["time", seconds(timeMs)],
      ];
      return query("query", params, 0, signal);
    },
    range: async (expr, { startMs, endMs, stepMs }, signal) => {
      checkPromql(expr);
      checkRange(startMs, endMs, stepMs);
      const params: Params = [
        ["query", expr],
        ["start", seconds(startMs)],
        ["end", seconds(endMs)],
        ["step", seconds(stepMs)],
      ];
      return query("query_range", params, endMs - startMs, signal);
    },
  };
}

/** Makes a client. Nothing is sent before the first call. */
export function makePrometheusClient(options: PrometheusOptions): PrometheusClient {
  const base = baseOf(options.url);
  const api = makeApi(options);
  return {
    ...makeQueries(api, options),
    metadata: async (metric, signal) => {
      const limit: Params = [["limit", String(LIST_MAX_DEFAULT + 1)]];
      const params: Params = metric === undefined ? limit : [...limit, ["metric", metric]];
      const { data } = await api(
        { path: "metadata", params, method: "GET" },
        MetadataAnswer,
        signal,
      );
      // Targets may disagree on a metric; the first statement stands for all.
      const all = Object.entries(data).flatMap(([name, entries]) =>
        entries.slice(0, 1).map((entry) => ({ metric: name, ...entry })),
      );
      return cutList(all, LIST_MAX_DEFAULT);
    },
    labels: async (selection = {}, signal) => {
      const params = selectionParams(selection);
      const { data } = await api({ path: "labels", params }, NamesAnswer, signal);
      return cutList(data, selection.limit ?? LIST_MAX_DEFAULT);
    },
    labelValues: async (label, selection = {}, signal) => {
      const path = `label/${encodeURIComponent(label)}/values`;
      const params = selectionParams(selection);
      const { data } = await api({ path, params, method: "GET" }, NamesAnswer, signal);
      return cutList(data, selection.limit ?? LIST_MAX_DEFAULT);
    },
    series: async (match, selection = {}, signal) => {
      const params = selectionParams({ ...selection, match });
      const { data } = await api({ path: "series", params }, SeriesAnswer, signal);
      return cutList(data, selection.limit ?? LIST_MAX_DEFAULT);
    },
    graphLink: (expr, window) => graphLink(base, expr, window),
  };
}
