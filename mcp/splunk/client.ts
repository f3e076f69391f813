/**
 * A client of Splunk's search REST API: streaming export, bounded jobs, the parser.
 * Sends only SPL that spl.ts has made. Never buffers an export, never retries.
 *
 * Protocol: Splunk REST API Reference, "Search endpoints" (search/v2/jobs, search/v2/jobs/export,
 * search/v2/parser). Every POST is form-encoded and every answer is asked for as JSON.
 */
import { z } from "zod";
import {
  type Clock,
  type HttpResponse,
  type HttpTls,
  httpRequest,
  readJson,
  systemClock,
} from "../../core/mod.ts";
import { runJob, type SplunkJobResult } from "./jobs.ts";
import { checkCommand, type SplunkQuery, splTime, toSpl } from "./spl.ts";

export type SplunkAuth =
  | { readonly kind: "basic"; readonly user: string; readonly password: string }
  /** A token made in Splunk's settings; sent as `Bearer`. */
  | { readonly kind: "token"; readonly token: string }
  /** A session key from services/auth/login; sent as `Splunk`. */
  | { readonly kind: "session"; readonly sessionKey: string };

export interface SplunkClientOptions {
  /** The management endpoint, e.g. `https://splunk:8089`. */
  readonly url: string;
  /** The web interface for links to people, e.g. `https://splunk:8000`. Without it there are no links. */
  readonly webUrl?: string;
  readonly auth: SplunkAuth;
  readonly tls?: HttpTls;
  /** Bounds each query as a whole, reading included. Splunk is told to stop then, too. */
  readonly timeoutMs: number;
  /** Ask Splunk's own parser about free SPL before it runs; default true. */
  readonly parserCheck?: boolean;
  readonly clock?: Clock;
}

export interface SplunkClient {
  /**
   * Starts an export and resolves with its body, unread; read it with the export decoder, which also
   * tells an empty or broken-off body from one without rows. Rejects with QUERY_REFUSED (also before
   * anything is sent), UNAUTHENTICATED, OVERLOADED, UNAVAILABLE, DEADLINE_EXCEEDED, INCOMPLETE or
   * CANCELLED, the last three also while the body is read.
   */
  export(query: SplunkQuery, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Runs a job, reads at most `bounds` of its results, and removes it. Rejects like `export`. */
  job(query: SplunkQuery, bounds: JobBounds, signal: AbortSignal): Promise<SplunkJobResult>;
  /** The commands Splunk's parser finds in SPL. Rejects with QUERY_REFUSED what it cannot parse. */
  parse(spl: string, signal: AbortSignal): Promise<readonly string[]>;
  /** The query in Splunk's web interface, or undefined when `webUrl` is not set. */
  searchLink(query: SplunkQuery): string | undefined;
}

export interface JobBounds {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/** One request to a path under `/services/`; `form` is sent as the body of a POST, else as the query. */
export type SplunkCall = (
  method: "GET" | "POST" | "DELETE",
  path: string,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
) => Promise<HttpResponse>;

/**
 * At `max_time` Splunk ends a search as if it were complete, with what it has found so far. Our own
 * deadline must strike first; Splunk's is only for searches that nobody waits for any more.
 */
const MAX_TIME_MARGIN_S = 30;
const PARSER_BYTES_MAX = 1024 * 1024;
const ParserAnswer = z.object({ commands: z.array(z.object({ command: z.string() })).min(1) });

function authorization(auth: SplunkAuth): string {
  if (auth.kind === "token") return `Bearer ${auth.token}`;
  if (auth.kind === "session") return `Splunk ${auth.sessionKey}`;
  return `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString("base64")}`;
}

function makeCall(options: SplunkClientOptions): SplunkCall {
  const base = options.url.replace(/\/+$/, "");
  const { tls, timeoutMs } = options;
  return (method, path, form, signal) => {
    const body = new URLSearchParams({ output_mode: "json", ...form }).toString();
    const posts = method === "POST";
    return httpRequest({
      system: "splunk",
      url: `${base}/services/${path}${posts ? "" : `?${body}`}`,
      method,
      headers: {
        Authorization: authorization(options.auth),
        ...(posts ? { "Content-Type": "application/x-www-form-urlencoded" } : {}),
      },
      timeoutMs,
      ...(posts ? { body } : {}),
      ...(signal === undefined ? {} : { signal }),
      ...(tls === undefined ? {} : { tls }),
    });
  };
}

/** Makes a client. Opens no connection by itself. */
export function makeSplunkClient(options: SplunkClientOptions): SplunkClient {
  const call = makeCall(options);
  const clock = options.clock ?? systemClock;
  const seconds = Math.max(1, Math.ceil(options.timeoutMs / 1000));

  const parse: SplunkClient["parse"] = async (spl, signal) => {
    const answer = await call("POST", "search/v2/parser", { q: spl, parse_only: "t" }, signal);
    const { commands } = await readJson(answer, ParserAnswer, PARSER_BYTES_MAX);
    return commands.map(({ command }) => command);
  };

  /** The form of a query, once it may be sent. */
  const prepare = async (query: SplunkQuery, signal: AbortSignal) => {
    const search = toSpl(query);
    if (query.search !== undefined && options.parserCheck !== false) {
      for (const command of await parse(search, signal)) checkCommand(command);
    }
    return {
      search,
      earliest_time: splTime(query.window.startMs),
      latest_time: splTime(query.window.endMs),
      max_time: String(seconds + MAX_TIME_MARGIN_S),
    };
  };

  return {
    parse,
    export: async (query, signal) => {
      const form = { ...(await prepare(query, signal)), preview: "0" };
      const response = await call("POST", "search/v2/jobs/export", form, signal);
      return response.body;
    },
    job: async (query, bounds, signal) => {
      const form = { ...(await prepare(query, signal)), auto_cancel: String(seconds) };
      return runJob({ call, clock, timeoutMs: options.timeoutMs }, form, bounds, signal);
    },
    searchLink: (query) => {
      if (options.webUrl === undefined) return undefined;
      const link = new URL("en-US/app/search/search", `${options.webUrl.replace(/\/+$/, "")}/`);
      link.searchParams.set("q", toSpl(query));
      link.searchParams.set("earliest", splTime(query.window.startMs));
      link.searchParams.set("latest", splTime(query.window.endMs));
      return link.toString();
    },
  };
}
