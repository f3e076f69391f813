/**
 * The MCP side of a tool host: protocol objects over stdio and over Streamable HTTP.
 * MCP specification 2025-11-25, tools only: no prompts, resources or sessions.
 */
import { timingSafeEqual } from "node:crypto";
import type { Hono, MiddlewareHandler } from "hono";
import { PetrelError } from "../../core/mod.ts";
import { makeToolHost, type ToolHostOptions } from "./host.ts";
import type { ToolDefinition } from "./tool.ts";

export interface McpServerOptions extends ToolHostOptions {
  /** Shown to clients; default `petrel`. */
  readonly name?: string;
  readonly version?: string;
  /** What a client may tell its model about these tools as a whole. */
  readonly instructions?: string;
}

export interface McpHttpOptions extends McpServerOptions {
  /** Callers must send it as `Authorization: Bearer`. Required when `hosts` is set. */
  readonly token?: string;
  /** Host names this server answers to besides the loopback names, without port. */
  readonly hosts?: readonly string[];
  /** Origins of web pages that may call, e.g. `https://ops.example`; default none. */
  readonly origins?: readonly string[];
}

export interface McpStdioServer {
  /** Resolves when the client has closed its end, or after `close`. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 1024 * 1024;
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Serves `tools` on standard input and output; nothing else may write to standard output then.
 * Resolves once it is listening.
 */
export async function serveMcpStdio(
  tools: readonly ToolDefinition[],
  options: McpServerOptions = {},
): Promise<McpStdioServer> {
  const { makeServer, StdioServerTransport } = await import("./sdk.ts");
  const server = makeServer(makeToolHost(tools, options), options);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's server is no EventTarget
  server.onclose = resolve;
  // The SDK's transport does not notice the end of its input, by which a client says goodbye.
  process.stdin.once("end", () => void server.close());
  await server.connect(new StdioServerTransport());
  return { closed, close: () => server.close() };
}

function refusal(status: 401 | 403 | 405, message: string, headers: Record<string, string> = {}) {
  const body = { jsonrpc: "2.0", error: { code: -32000, message }, id: null };
  return Response.json(body, { status, headers });
}

/** The host name of a Host header, lower case, without its port. */
function hostNameOf(header: string | undefined): string {
  return (header ?? "").toLowerCase().replace(/:\d+$/, "");
}

/**
 * Refuses what a web page could send: another Host (DNS rebinding) or an Origin that is not listed
 * (MCP specification, Transports, "Security warning").
 */
function onlyKnownHosts({ hosts = [], origins = [] }: McpHttpOptions): MiddlewareHandler {
  const names = new Set([...LOOPBACK, ...hosts.map((name) => name.toLowerCase())]);
  return async (context, next) => {
    if (!names.has(hostNameOf(context.req.header("host")))) return refusal(403, "unknown Host");
    const origin = context.req.header("origin");
    if (origin !== undefined && !origins.includes(origin)) return refusal(403, "unknown Origin");
    return next();
  };
}

/** Compares digests, so that neither the length nor a common prefix shows in the time taken. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function onlyWithToken(token: string): MiddlewareHandler {
  return async (context, next) => {
    const given = /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
    if (!sameSecret(given, token)) {
      return refusal(401, "missing or wrong token", { "WWW-Authenticate": "Bearer" });
    }
    return next();
  };
}

/**
 * A hono app that serves `tools` at `/mcp` by Streamable HTTP, stateless: one POST, one JSON answer.
 * A caller that disconnects cancels its call. The caller runs it: `Bun.serve({ fetch: app.fetch,
 * idleTimeout: 0 })`, for a call may take longer than Bun lets a connection idle.
 * Rejects with CONFIG_INVALID when it would answer beyond this host without a token.
 */
export async function makeMcpHttpApp(
  tools: readonly ToolDefinition[],
  options: McpHttpOptions = {},
): Promise<Hono> {
  const { token, hosts = [] } = options;
  if (token === "" || (token === undefined && hosts.length > 0)) {
    const text = "a token is required to serve MCP under another name than this host's own";
    throw new PetrelError("CONFIG_INVALID", text, { path: "mcp.token" });
  }
  const [{ Hono: App }, { makeServer, WebStandardStreamableHTTPServerTransport }] =
    await Promise.all([import("hono"), import("./sdk.ts")]);
  const toolHost = makeToolHost(tools, options);
  const app = new App();
  app.use(onlyKnownHosts(options));
  if (token !== undefined) app.use(onlyWithToken(token));
  app.post("/mcp", async (context) => {
    const request = context.req.raw;
    const server = makeServer(toolHost, options);
    const transport = new WebStandardStreamableHTTPServerTransport({
      enableJsonResponse: true,
      maxRequestBodySize: BODY_BYTES_MAX,
    });
    // Closing aborts the running call but leaves the transport's own promise pending for ever.
    const gone = Promise.withResolvers<Response>();
    const onGone = () => gone.resolve(new Response(null, { status: 499 }));
    request.signal.addEventListener("abort", onGone, { once: true });
    try {
      await server.connect(transport);
      return await Promise.race([transport.handleRequest(request), gone.promise]);
    } finally {
      request.signal.removeEventListener("abort", onGone);
      await server.close();
    }
  });
  app.all("/mcp", () =>
    refusal(405, "POST only: this server keeps no sessions", { Allow: "POST" }),
  );
  return app;
}
