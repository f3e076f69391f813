/**
 * A stand-in for Grafana that listens on a real port and keeps to the recorded protocol: search,
 * dashboard by uid, data source query (data frames), annotations, and its errors.
 * It never renders anything and keeps everything in memory.
 */
import { Hono } from "hono";
import { z } from "zod";
import { neverAnswer, serveSim } from "../broken.ts";
import {
  dashboardAnswer,
  errorBody,
  frameOf,
  type SimDashboard,
  type SimSeries,
  searchHit,
} from "./shapes.ts";

/** How the stand-in behaves. Everything but `ok` is a failure that was seen or is documented. */
export type GrafanaSimMode =
  | "ok"
  /** A query error inside HTTP 400, and the same inside HTTP 200. */
  | "query_error_400"
  | "query_error_200"
  /** The token lacks a permission. */
  | "forbidden"
  | "too_many_requests"
  | "server_error"
  /** Takes the request and never answers. */
  | "silent"
  /** Breaks the connection in the middle of the body. */
  | "cut"
  /** A proxy's login page: HTTP 200 and HTML. */
  | "html";

/** One query of a `POST /api/ds/query` body, as the stand-in hands it to the series function. */
export interface GrafanaSimQuery {
  readonly refId: string;
  readonly expr: string;
  readonly datasourceUid: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly intervalMs: number;
}

/** An annotation that was posted. */
export interface GrafanaSimAnnotation {
  readonly id: number;
  readonly dashboardUID?: string;
  readonly panelId?: number;
  readonly time?: number;
  readonly timeEnd?: number;
  readonly tags: readonly string[];
  readonly text: string;
}

export interface GrafanaSimOptions {
  /** Port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number;
  /** The only service-account token that is let in. */
  readonly token: string;
  readonly dashboards: readonly SimDashboard[];
  /** Data sources that exist. Default: `prometheus`. */
  readonly datasourceUids?: readonly string[];
  /** What a query answers; an Error becomes Grafana's query error with that message. */
  readonly series?: (
    query: GrafanaSimQuery,
  ) => readonly SimSeries[] | Promise<readonly SimSeries[]>;
}

/** A running stand-in. */
export interface GrafanaSim extends AsyncDisposable {
  readonly url: string;
  /** May be changed at any time. */
  mode: GrafanaSimMode;
  readonly annotations: readonly GrafanaSimAnnotation[];
  /** `METHOD /path` of every request, the refused ones included. */
  readonly requests: readonly string[];
}

const QueryBody = z.object({
  from: z.string().regex(/^\d+$/),
  to: z.string().regex(/^\d+$/),
  queries: z.array(
    z.object({
      refId: z.string(),
      expr: z.string(),
      datasource: z.object({ uid: z.string() }),
      intervalMs: z.number().positive().default(15_000),
    }),
  ),
});

const AnnotationBody = z.object({
  dashboardUID: z.string().optional(),
  panelId: z.number().int().optional(),
  time: z.number().int().optional(),
  timeEnd: z.number().int().optional(),
  tags: z.array(z.string()).default([]),
  text: z.string(),
});

interface State {
  mode: GrafanaSimMode;
  readonly annotations: GrafanaSimAnnotation[];
  readonly requests: string[];
}

/** The answer of a mode that fails before any route is reached; undefined when the route decides. */
function brokenAnswer(mode: GrafanaSimMode, signal: AbortSignal): Promise<Response> | undefined {
  switch (mode) {
    case "forbidden":
      return Promise.resolve(
        Response.json(
          {
            accessErrorId: "ACE0000000000",
            message: "You'll need additional permissions to perform this action.",
            title: "Access denied",
          },
          { status: 403 },
        ),
      );
    case "too_many_requests":
      return Promise.resolve(
        Response.json(
          { message: "Too many requests" },
          { status: 429, headers: { "retry-after": "7" } },
        ),
      );
    case "server_error":
      return Promise.resolve(
        Response.json(errorBody(500, "Internal server error", "internal"), { status: 500 }),
      );
    case "html":
      return Promise.resolve(
        new Response("<!DOCTYPE html><title>Sign in</title>", {
          headers: { "content-type": "text/html" },
        }),
      );
    case "silent":
      return neverAnswer(signal);
    default:
      return undefined;
  }
}

/** Grafana's answer to a query that its data source refused. */
function queryError(refId: string, message: string, httpStatus: 200 | 400): Response {
  return Response.json(
    { results: { [refId]: { error: message, errorSource: "downstream", status: 400 } } },
    { status: httpStatus },
  );
}

async function answerQuery(
  body: unknown,
  state: State,
  options: GrafanaSimOptions,
): Promise<Response> {
  const parsed = QueryBody.safeParse(body);
  if (!parsed.success) {
    return Response.json(errorBody(400, "bad request data", "bad-request"), { status: 400 });
  }
  const { queries, from, to } = parsed.data;
  const first = queries[0];
  if (!first)
    return Response.json(errorBody(400, "No queries found", "query.noQueries"), { status: 400 });
  if (state.mode === "query_error_400" || state.mode === "query_error_200") {
    const message = 'bad_data: invalid parameter "query": parse error: unexpected end of input';
    return queryError(first.refId, message, state.mode === "query_error_400" ? 400 : 200);
  }
  const known = options.datasourceUids ?? ["prometheus"];
  const results: Record<string, unknown> = {};
  for (const query of queries) {
    if (!known.includes(query.datasource.uid)) {
      return Response.json(errorBody(404, "Data source not found", "datasource.notFound"), {
        status: 404,
      });
    }
    try {
      const series = await (options.series ?? (() => []))({
        refId: query.refId,
        expr: query.expr,
        datasourceUid: query.datasource.uid,
        startMs: Number(from),
        endMs: Number(to),
        intervalMs: query.intervalMs,
      });
      results[query.refId] = {
        status: 200,
        frames: series.map((one) => frameOf(query.refId, one)),
      };
    } catch (error) {
      return queryError(query.refId, error instanceof Error ? error.message : String(error), 400);
    }
  }
  return Response.json({ results });
}

function addAnnotation(body: unknown, state: State): Response {
  const parsed = AnnotationBody.safeParse(body);
  if (!parsed.success || parsed.data.text === "") {
    return Response.json({ message: "Failed to save annotation" }, { status: 400 });
  }
  const id = state.annotations.length + 1;
  state.annotations.push({ id, ...parsed.data });
  return Response.json({ message: "Annotation added", id });
}

function makeApp(options: GrafanaSimOptions, state: State): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    state.requests.push(`${c.req.method} ${c.req.path}`);
    const broken = brokenAnswer(state.mode, c.req.raw.signal);
    if (broken) return broken;
    const auth = c.req.header("authorization");
    if (auth === undefined) {
      return c.json(errorBody(401, "Unauthorized", "auth.unauthorized"), 401);
    }
    if (auth !== `Bearer ${options.token}`) {
      return c.json(errorBody(401, "Invalid API key", "api-key.invalid"), 401);
    }
    return next();
  });
  app.get("/api/search", (c) => {
    const text = (c.req.query("query") ?? "").toLowerCase();
    const tags = c.req.queries("tag") ?? [];
    const limit = Number(c.req.query("limit") ?? 1000);
    const hits = options.dashboards.filter(
      (one) =>
        one.title.toLowerCase().includes(text) && tags.every((tag) => one.tags?.includes(tag)),
    );
    return c.json(hits.slice(0, limit).map(searchHit));
  });
  app.get("/api/dashboards/uid/:uid", (c) => {
    const found = options.dashboards.find((one) => one.uid === c.req.param("uid"));
    return found
      ? c.json(dashboardAnswer(found))
      : c.json({ message: "Dashboard not found", traceID: "" }, 404);
  });
  app.post("/api/ds/query", async (c) =>
    answerQuery(await c.req.json().catch(() => undefined), state, options),
  );
  app.post("/api/annotations", async (c) =>
    addAnnotation(await c.req.json().catch(() => undefined), state),
  );
  app.notFound((c) => c.json({ message: "Not found" }, 404));
  return app;
}

/** Starts the stand-in; dispose it to stop. */
export function startGrafanaSim(options: GrafanaSimOptions): GrafanaSim {
  const state: State = { mode: "ok", annotations: [], requests: [] };
  const app = makeApp(options, state);
  const server = serveSim(app, options.port, () => state.mode === "cut");
  return {
    url: `http://127.0.0.1:${server.port}`,
    get mode() {
      return state.mode;
    },
    set mode(mode) {
      state.mode = mode;
    },
    annotations: state.annotations,
    requests: state.requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
