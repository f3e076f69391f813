/**
 * A stand-in for Splunk's search REST API on a real port. It keeps to recorded answers, byte shapes
 * included, and to a subset of SPL it evaluates truly; it is no Splunk and stores nothing.
 */
import { type Context, Hono, type Next } from "hono";
import { PetrelError, systemClock } from "../../core/mod.ts";
import { type Gate, makeGate, messages, type SimAccess } from "./auth.ts";
import { type BodyFault, type ExportGauge, exportBody, makeGauge } from "./export-body.ts";
import { type Jobs, makeJobs } from "./jobs.ts";
import { runSearch } from "./pipeline.ts";
import type { RowProvider, RowQuery, SimRow } from "./rows.ts";
import { parsedCommands, parseSpl, type SimSearch } from "./spl.ts";

/**
 * What may go wrong with one request. Those of {@link BodyFault} apply to an export's body,
 * `finalized` to the creation of a job: it will stop before its end and call itself done.
 */
export type SimFault =
  | { readonly kind: "unauthorized" }
  | { readonly kind: "bad_search"; readonly text?: string }
  | { readonly kind: "empty_body" }
  | { readonly kind: "busy" }
  | { readonly kind: "finalized" }
  | BodyFault;

/** A request as the stand-in got it; kept for tests (at most 1,000). */
export interface SimRequest {
  readonly method: string;
  /** Below `/services/`, e.g. `search/v2/jobs/export`. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
}

export interface SplunkSimOptions extends SimAccess {
  readonly rows: RowProvider;
  /** Default: any free port. */
  readonly port?: number;
  /** Decides for each request what goes wrong with it. */
  readonly faults?: (request: SimRequest) => SimFault | undefined;
  /** Exports at once; Splunk's own limit is 6 and one per CPU. Default 8. */
  readonly searchesMax?: number;
  readonly nowMs?: () => number;
}

export interface SplunkSim {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly requests: readonly SimRequest[];
  readonly gauge: ExportGauge;
  /** Exports that are being read now. */
  readonly searchesRunning: number;
  /** Jobs that were created and not removed. */
  readonly jobs: number;
  stop(): Promise<void>;
}

const REQUESTS_KEPT_MAX = 1_000;
const PREVIEW_ROWS = 10;
const JOBS_MAX = 100;
const BUSY =
  "Search not executed: The maximum number of concurrent historical searches on this instance has been reached.";

type Env = { Variables: { seen: SimRequest; fault: SimFault | undefined } };

function epochMs(text: string | undefined, otherwise: number): number {
  if (text === undefined || text === "" || text === "now") return otherwise;
  if (!/^\d+(\.\d+)?$/.test(text)) {
    throw new PetrelError("QUERY_REFUSED", "", { message: `Invalid time: '${text}'.` });
  }
  return Math.round(Number(text) * 1000);
}

interface Asked {
  readonly search: SimSearch;
  readonly query: RowQuery;
}

/** Reads a search request's form. Throws QUERY_REFUSED in Splunk's words. */
function askedOf(params: SimRequest["params"], nowMs: number): Asked {
  const spl = params["search"] ?? "";
  if (spl.trim() === "") {
    throw new PetrelError("QUERY_REFUSED", "", { message: "Empty search." });
  }
  const search = parseSpl(spl);
  const earliestMs = epochMs(params["earliest_time"], 0);
  const latestMs = epochMs(params["latest_time"], nowMs);
  return { search, query: { index: search.index, search: spl, earliestMs, latestMs } };
}

async function paramsOf(context: Context): Promise<SimRequest["params"]> {
  const form = context.req.method === "POST" ? await context.req.text() : "";
  const query = new URL(context.req.url).searchParams;
  return Object.fromEntries([...query, ...new URLSearchParams(form)]);
}

function earlyFault(fault: SimFault | undefined): Response | undefined {
  if (fault?.kind === "unauthorized") return messages(401, "ERROR", "Unauthorized");
  if (fault?.kind === "busy") return messages(503, "FATAL", BUSY);
  if (fault?.kind === "empty_body") return new Response("", { status: 200 });
  if (fault?.kind !== "bad_search") return undefined;
  return messages(400, "FATAL", fault.text ?? "Unknown search command 'frobnicate'.");
}

function bodyFault(fault: SimFault | undefined): { fault?: BodyFault } {
  return fault !== undefined && "afterRows" in fault ? { fault } : {};
}

async function firstRows(rows: AsyncIterable<readonly SimRow[]>): Promise<readonly SimRow[]> {
  for await (const batch of rows) if (batch.length > 0) return batch.slice(0, PREVIEW_ROWS);
  return [];
}

interface Parts {
  readonly options: SplunkSimOptions;
  readonly nowMs: () => number;
  readonly gauge: ReturnType<typeof makeGauge>;
  readonly running: { count: number };
}

async function answerExport(
  parts: Parts,
  seen: SimRequest,
  fault: SimFault | undefined,
): Promise<Response> {
  const { options, running, gauge } = parts;
  const { search, query } = askedOf(seen.params, parts.nowMs());
  if (running.count >= (options.searchesMax ?? 8)) return messages(503, "FATAL", BUSY);
  const wantsPreview = !/^(0|f|false)$/.test(seen.params["preview"] ?? "1");
  const preview = wantsPreview ? await firstRows(runSearch(search, query, options.rows)) : [];
  running.count++;
  let ended = false;
  const body = exportBody({
    rows: runSearch(search, query, options.rows),
    preview,
    ...bodyFault(fault),
    handOut: (bytes) => gauge.handOut(bytes),
    onEnd: () => {
      if (!ended) running.count--;
      ended = true;
    },
  });
  return new Response(body, { headers: { "Content-Type": "application/json; charset=UTF-8" } });
}

function routes(app: Hono<Env>, parts: Parts, jobs: Jobs): void {
  const { options, nowMs } = parts;
  const base = "/services/search/v2";
  app.post(`${base}/jobs/export`, (context) =>
    answerExport(parts, context.get("seen"), context.get("fault")),
  );
  app.all(`${base}/jobs/export`, () =>
    messages(405, "ERROR", "Method Not Allowed", { Allow: "POST" }),
  );
  app.post(`${base}/parser`, (context) => {
    const parsed = parsedCommands(context.get("seen").params["q"] ?? "");
    return Response.json({ commands: parsed.map((each) => ({ ...each, pipeline: "streaming" })) });
  });
  app.post(`${base}/jobs`, (context) => {
    const { search, query } = askedOf(context.get("seen").params, nowMs());
    if (jobs.size >= JOBS_MAX) return messages(503, "FATAL", BUSY);
    const finalized = context.get("fault")?.kind === "finalized";
    const sid = jobs.create(runSearch(search, query, options.rows), finalized);
    return Response.json({ sid }, { status: 201 });
  });
  app.get(`${base}/jobs/:sid`, (context) => jobs.status(context.req.param("sid")));
  app.delete(`${base}/jobs/:sid`, (context) => jobs.remove(context.req.param("sid")));
  app.get(`${base}/jobs/:sid/results`, (context) =>
    jobs.results(context.req.param("sid"), new URLSearchParams(context.get("seen").params)),
  );
  app.post(`${base}/jobs/:sid/control`, (context) => {
    const { action } = context.get("seen").params;
    if (action === "cancel") return jobs.remove(context.req.param("sid"));
    return messages(400, "FATAL", `Unknown action '${action ?? ""}'.`);
  });
}

/** Keeps each request, checks who asks, and lets its fault strike. */
function gatekeeper(options: SplunkSimOptions, requests: SimRequest[], gate: Gate) {
  return async (context: Context<Env>, next: Next) => {
    const path = context.req.path.replace(/^\/services\//, "");
    const params = await paramsOf(context);
    const seen = { method: context.req.method, path, params };
    context.set("seen", seen);
    if (path === "auth/login") return next();
    requests.push(seen);
    if (requests.length > REQUESTS_KEPT_MAX) requests.shift();
    const refused = gate.check(context.req.header("authorization"));
    if (refused !== undefined) return refused;
    const fault = options.faults?.(seen);
    context.set("fault", fault);
    return earlyFault(fault) ?? next();
  };
}

function makeApp(parts: Parts, jobs: Jobs, requests: SimRequest[]): Hono<Env> {
  const gate = makeGate(parts.options);
  const app = new Hono<Env>();
  app.use(gatekeeper(parts.options, requests, gate));
  app.post("/services/auth/login", (context) => {
    const { username = "", password = "" } = context.get("seen").params;
    const sessionKey = gate.login(username, password);
    if (sessionKey === undefined) return messages(401, "WARN", "Login failed");
    return Response.json({ sessionKey, message: "", code: "" });
  });
  routes(app, parts, jobs);
  app.notFound(() => messages(404, "ERROR", "Not Found"));
  app.onError((error) => {
    if (!(error instanceof PetrelError)) return messages(500, "FATAL", error.message);
    return messages(400, "FATAL", String(error.fields["message"] ?? error.message));
  });
  return app;
}

/** Starts the stand-in on 127.0.0.1. `stop` cuts what is still being read. */
export function startSplunkSim(options: SplunkSimOptions): SplunkSim {
  const nowMs = options.nowMs ?? (() => systemClock.nowMs());
  const parts: Parts = { options, nowMs, gauge: makeGauge(), running: { count: 0 } };
  const jobs = makeJobs(nowMs);
  const requests: SimRequest[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    idleTimeout: 0,
    fetch: makeApp(parts, jobs, requests).fetch,
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    requests,
    gauge: parts.gauge,
    get searchesRunning() {
      return parts.running.count;
    },
    get jobs() {
      return jobs.size;
    },
    stop: () => server.stop(true),
  };
}
