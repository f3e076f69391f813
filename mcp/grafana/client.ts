/**
 * A client of Grafana's HTTP API: dashboards (searched, summed up, linked to), queries through its
 * data sources, and annotations. Every call has a deadline and a bound on bytes. Never retries, never
 * reads a whole dashboard into an answer, and writes nothing unless writes are allowed.
 */
import type { z } from "zod";
import { type HttpTls, httpRequest, PetrelError, readJson, type Window } from "../../core/mod.ts";
import {
  AnnotationAnswer,
  DashboardAnswer,
  type DashboardHit,
  type DashboardSummary,
  type GrafanaSeries,
  QueryAnswer,
  SearchAnswer,
  seriesOfFrame,
  summaryOf,
} from "./protocol.ts";

export interface GrafanaOptions {
  /** Base address, with the path prefix if there is one: `https://grafana.example.com`. */
  readonly url: string;
  /** A service-account token. */
  readonly token: string;
  readonly tls?: HttpTls;
  /** For one call, reading included. Default 30,000. */
  readonly timeoutMs?: number;
  /** Series kept of one query. Default 1,000. */
  readonly seriesMax?: number;
  /** Longest answer that is read. Default 16 MiB. */
  readonly bytesMax?: number;
  /** Whether annotations may be posted. Default false. */
  readonly writes?: boolean;
}

export interface GrafanaQuery {
  readonly datasourceUid: string;
  /** In the data source's own language; PromQL for Prometheus. */
  readonly expr: string;
  readonly window: Window;
  readonly stepMs: number;
}

/** The series of a query; `seriesTotal` is more than `series.length` when the list was cut. */
export interface GrafanaQueryResult {
  readonly series: readonly GrafanaSeries[];
  readonly seriesTotal: number;
}

export interface GrafanaAnnotation {
  readonly dashboardUid?: string;
  readonly panelId?: number;
  readonly window: Window;
  readonly tags: readonly string[];
  readonly text: string;
}

/** What a link to a dashboard is made of. */
export interface DashboardLink {
  readonly uid: string;
  readonly window: Window;
  /** Values of the dashboard's variables, without the `var-` before their names. */
  readonly variables?: Readonly<Record<string, string | readonly string[]>>;
  /** Opens one panel. */
  readonly panelId?: number;
}

/**
 * Every method rejects with the codes of `httpRequest`, and with QUERY_REFUSED (`fields.message` is
 * Grafana's or the data source's own word), TOO_LARGE or PROTOCOL_VIOLATION.
 */
export interface GrafanaClient {
  /** Dashboards whose title holds `text`, at most `limit`; `cut` says there are more. */
  search(
    text: string,
    limit: number,
    signal?: AbortSignal,
  ): Promise<{ readonly hits: readonly DashboardHit[]; readonly cut: boolean }>;
  /** One dashboard, made small. */
  summary(uid: string, signal?: AbortSignal): Promise<DashboardSummary>;
  /** Runs one query over a window through a data source. */
  query(query: GrafanaQuery, signal?: AbortSignal): Promise<GrafanaQueryResult>;
  /** Posts an annotation and returns its id. Rejects with CONFIG_INVALID unless writes are allowed. */
  annotate(annotation: GrafanaAnnotation, signal?: AbortSignal): Promise<{ readonly id: number }>;
  /** The address of a dashboard over a window. */
  dashboardLink(link: DashboardLink): string;
}

const SYSTEM = "grafana";
const TIMEOUT_MS_DEFAULT = 30_000;
const BYTES_MAX_DEFAULT = 16 * 1024 * 1024;
const SERIES_MAX_DEFAULT = 1_000;
const REF_ID = "A";
/** Grafana makes uids of at most 40 such characters; a uid from a model goes into a path. */
const UID = /^[A-Za-z0-9_-]{1,40}$/;

function checkUid(uid: string): string {
  if (UID.test(uid)) return uid;
  const message = `"${uid.slice(0, 60)}" is not a dashboard's uid`;
  throw new PetrelError("QUERY_REFUSED", `grafana: ${message}`, { path: "uid", message });
}

function queryRefused(message: string, fields: Record<string, string | number>): PetrelError {
  const text = message.replace(/\s+/g, " ").trim().slice(0, 500);
  return new PetrelError("QUERY_REFUSED", `grafana: the query failed: ${text}`, {
    system: SYSTEM,
    ...fields,
    message: text,
  });
}

/** A query that fails may come inside HTTP 200: Grafana's own status is in the result. */
function seriesOfAnswer(
  answer: z.infer<typeof QueryAnswer>,
  seriesMax: number,
): GrafanaQueryResult {
  const result = answer.results[REF_ID];
  if (result === undefined) {
    const text = `grafana: the answer is not as documented at results.${REF_ID}: it is missing`;
    const fields = { system: SYSTEM, place: `results.${REF_ID}` };
    throw new PetrelError("PROTOCOL_VIOLATION", text, fields);
  }
  if (result.error !== undefined) {
    throw queryRefused(result.error, {
      status: result.status ?? 400,
      errorSource: result.errorSource ?? "unknown",
    });
  }
  const series = (result.frames ?? []).flatMap((frame) => seriesOfFrame(REF_ID, frame));
  return { series: series.slice(0, seriesMax), seriesTotal: series.length };
}

function linkOf(base: string, { uid, window, variables = {}, panelId }: DashboardLink): string {
  const params = new URLSearchParams({ from: String(window.startMs), to: String(window.endMs) });
  for (const [name, value] of Object.entries(variables)) {
    for (const one of [value].flat()) params.append(`var-${name}`, one);
  }
  if (panelId !== undefined) params.append("viewPanel", String(panelId));
  return `${base}/d/${encodeURIComponent(uid)}?${params.toString()}`;
}

type Call = <Schema extends z.ZodType>(
  path: string,
  body: Record<string, unknown> | undefined,
  schema: Schema,
  signal: AbortSignal | undefined,
) => Promise<z.output<Schema>>;

function makeCall(options: GrafanaOptions, base: string): Call {
  const { token, tls, timeoutMs = TIMEOUT_MS_DEFAULT, bytesMax = BYTES_MAX_DEFAULT } = options;
  const headers = { accept: "application/json", authorization: `Bearer ${token}` };
  const posted = { ...headers, "content-type": "application/json" };
  return async (path, body, schema, signal) => {
    const sent =
      body === undefined
        ? ({ method: "GET", headers } as const)
        : ({ method: "POST", headers: posted, body: JSON.stringify(body) } as const);
    const response = await httpRequest({
      system: SYSTEM,
      url: `${base}${path}`,
      timeoutMs,
      ...sent,
      ...(signal === undefined ? {} : { signal }),
      ...(tls === undefined ? {} : { tls }),
    });
    return readJson(response, schema, bytesMax);
  };
}

/** The body of a data source query (`POST /api/ds/query`). */
function queryBody({ datasourceUid, expr, window, stepMs }: GrafanaQuery): Record<string, unknown> {
  return {
    from: String(window.startMs),
    to: String(window.endMs),
    queries: [
      {
        refId: REF_ID,
        datasource: { uid: datasourceUid },
        expr,
        range: true,
        instant: false,
        format: "time_series",
        intervalMs: stepMs,
        maxDataPoints: Math.max(1, Math.ceil((window.endMs - window.startMs) / stepMs)),
      },
    ],
  };
}

/** Makes a client. Nothing is sent before the first call. */
export function makeGrafanaClient(options: GrafanaOptions): GrafanaClient {
  const base = options.url.replace(/\/+$/, "");
  const call = makeCall(options, base);
  return {
    search: async (text, limit, signal) => {
      const params = new URLSearchParams({
        type: "dash-db",
        query: text,
        limit: String(limit + 1),
      }).toString();
      const found = await call(`/api/search?${params}`, undefined, SearchAnswer, signal);
      const hits = found.slice(0, limit).map((hit) => ({ ...hit, url: `${base}${hit.url}` }));
      return { hits, cut: found.length > limit };
    },
    summary: async (uid, signal) => {
      const path = `/api/dashboards/uid/${checkUid(uid)}`;
      return summaryOf(await call(path, undefined, DashboardAnswer, signal), base);
    },
    query: async (query, signal) => {
      const answer = await call("/api/ds/query", queryBody(query), QueryAnswer, signal);
      return seriesOfAnswer(answer, options.seriesMax ?? SERIES_MAX_DEFAULT);
    },
    annotate: async ({ dashboardUid, panelId, window, tags, text }, signal) => {
      if (options.writes !== true) {
        const why = "grafana: annotations are off; allow writes to Grafana in the configuration";
        throw new PetrelError("CONFIG_INVALID", why, { path: "grafana.writes" });
      }
      const body = {
        ...(dashboardUid === undefined ? {} : { dashboardUID: checkUid(dashboardUid) }),
        ...(panelId === undefined ? {} : { panelId }),
        time: window.startMs,
        timeEnd: window.endMs,
        tags,
        text,
      };
      const { id } = await call("/api/annotations", body, AnnotationAnswer, signal);
      return { id };
    },
    dashboardLink: (link) => linkOf(base, link),
  };
}
