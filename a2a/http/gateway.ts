/**
 * The HTTP gateway: every agent of the mesh under `/agents/<name>`, in A2A's JSON-RPC and HTTP+JSON
 * bindings. It routes, and lets in or turns away; it keeps no task and knows nothing of what is said.
 */
import type { AgentCard } from "@a2a-js/sdk";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { isSubjectToken, PetrelError } from "../../core/mod.ts";
import { type FindArtifact, serveArtifact } from "./artifact.ts";
import type { Authenticate } from "./auth.ts";
import { LEGACY_VERSION, listed } from "./card.ts";
import { CardServer } from "./card-server.ts";
import {
  type Arrival,
  type Connection,
  type Edge,
  identify,
  keepOpenOf,
  noSuchAgent,
  takeByAddress,
} from "./edge.ts";
import { serveJsonRpc } from "./jsonrpc.ts";
import { type RateLimit, RateLimiter, Slots } from "./limit.ts";
import { edgeErrorOf, restErrorResponse, rpcErrorResponse } from "./refusal.ts";
import { Relay, type RelayOptions } from "./relay.ts";
import { answerType, serveRest } from "./rest.ts";
import { wrongVerb } from "./rest-routes.ts";

export interface GatewayOptions extends RelayOptions {
  /** The card of a live agent, by the name it is reached under. */
  readonly cards: (name: string) => AgentCard | undefined;
  /** Names of the live agents. */
  readonly agents: () => readonly string[];
  /** Finds the content of a large artifact; absent: none is served. */
  readonly artifacts?: FindArtifact;
  /** Signs a card (A2A 1.0 section 8.4). */
  readonly sign?: (card: AgentCard) => Promise<AgentCard>;
  /** Where clients reach the gateway, such as `https://agents.example.com`. */
  readonly publicUrl: () => string;
  /** Absent: nobody is asked who they are, and all share one name. */
  readonly authenticate?: Authenticate;
  readonly rateLimit?: RateLimit;
  /** Requests that are being answered at a time; streams do not count. Default 4,096. */
  readonly requestsMax?: number;
  /** Streams open at a time. Default 1,024. */
  readonly streamsMax?: number;
  /** How long an answer is waited for when the client does not say, in milliseconds. */
  readonly timeoutMs?: number;
  readonly streamTimeoutMs?: number;
  readonly cardMaxAgeS?: number;
  /** Origins whose pages may call the gateway from a browser. Default none. */
  readonly corsOrigins?: readonly string[];
}

const REQUESTS_MAX = 4_096;
const STREAMS_MAX = 1_024;
const TIMEOUT_MS = 120_000;
const STREAM_TIMEOUT_MS = 600_000;
const CARD_MAX_AGE_S = 60;

type Bindings = { Bindings: Connection };

export interface Gateway {
  /** For `Bun.serve`, which passes itself as `connection`. Never rejects. */
  readonly fetch: (request: Request, connection?: Connection) => Response | Promise<Response>;
  /** What is open now: requests being answered, and streams. */
  readonly open: () => { requests: number; streams: number };
  readonly close: () => void;
}

/** Makes a gateway; it serves nothing before somebody calls `fetch`. */
export function makeGateway(options: GatewayOptions): Gateway {
  const relay = new Relay(options);
  const edge: Edge = {
    relay,
    clock: options.clock,
    log: options.log,
    cards: options.cards,
    sign: options.sign,
    publicUrl: options.publicUrl,
    authenticate: options.authenticate,
    limiter: new RateLimiter(options.rateLimit, options.clock),
    requests: new Slots(options.requestsMax ?? REQUESTS_MAX, "requests"),
    streams: new Slots(options.streamsMax ?? STREAMS_MAX, "streams"),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    streamTimeoutMs: options.streamTimeoutMs ?? STREAM_TIMEOUT_MS,
  };
  const app = routes(edge, options);
  return {
    fetch: (request, connection) => app.fetch(request, connection),
    open: () => ({ requests: edge.requests.open, streams: edge.streams.open }),
    close: () => relay.close(),
  };
}

function routes(edge: Edge, options: GatewayOptions): Hono<Bindings> {
  const { sign, cards, clock, publicUrl, authenticate, corsOrigins = [] } = options;
  const maxAgeS = options.cardMaxAgeS ?? CARD_MAX_AGE_S;
  const cardServer = new CardServer({ sign, cards, clock, publicUrl, authenticate, maxAgeS });
  const app = new Hono<Bindings>();
  if (corsOrigins.length > 0) app.use(corsFor(corsOrigins));
  app.get("/agents", (c) => listAgents(edge, options, c));
  app.get("/agents/:agent/.well-known/:file", (c) => serveCard(edge, cardServer, c));
  app.post("/agents/:agent", (c) => enterJsonRpc(edge, c));
  app.post("/agents/:agent/", (c) => enterJsonRpc(edge, c));
  app.get("/agents/:agent/artifacts/:task/:hash", (c) => enterArtifact(edge, options, c));
  app.all("/agents/:agent", () => refuse(wrongVerb(["POST"])));
  app.all("/agents/:agent/", () => refuse(wrongVerb(["POST"])));
  app.all("/agents/:agent/*", (c) => enterRest(edge, c));
  app.notFound(() => refuse(noSuchAgent()));
  app.onError((error) => {
    edge.log.error("gateway.failed", { error });
    return refuse(new PetrelError("INTERNAL", "the gateway failed", {}, error));
  });
  return app;
}

async function enterJsonRpc(edge: Edge, c: Context<Bindings>): Promise<Response> {
  try {
    const { arrival, leave } = await enter(edge, c);
    return await serveJsonRpc(edge, arrival).finally(leave);
  } catch (error) {
    return rpcErrorResponse(null, edgeErrorOf(error));
  }
}

async function enterArtifact(
  edge: Edge,
  { artifacts, caller }: GatewayOptions,
  c: Context<Bindings>,
): Promise<Response> {
  try {
    const { arrival, leave } = await enter(edge, c);
    const { task = "", hash = "" } = c.req.param();
    return await serveArtifact(artifacts, caller, arrival, { task, hash }).finally(leave);
  } catch (error) {
    return refuse(error);
  }
}

async function enterRest(edge: Edge, c: Context<Bindings>): Promise<Response> {
  try {
    const { arrival, leave } = await enter(edge, c);
    return await serveRest(edge, arrival, restPath(c.req.raw.url)).finally(leave);
  } catch (error) {
    return restErrorResponse(edgeErrorOf(error), answerType(c.req.raw));
  }
}

/** Lets a request in and counts it, until `leave`. Throws a refusal. */
async function enter(
  edge: Edge,
  c: Context<Bindings>,
): Promise<{ arrival: Arrival; leave: () => void }> {
  const agent = c.req.param("agent") ?? "";
  if (!isSubjectToken(agent)) throw noSuchAgent();
  const request = c.req.raw;
  const leave = edge.requests.enter();
  try {
    const who = await identify(edge, request, c.env);
    return { arrival: { request, agent, who, keepOpen: keepOpenOf(request, c.env) }, leave };
  } catch (error) {
    leave();
    throw error;
  }
}

/** What follows the agent's name, still encoded: a slash inside an id is not one of the path. */
function restPath(url: string): string {
  const path = /^[a-z]+:\/\/[^/]*([^?#]*)/i.exec(url)?.[1] ?? "";
  return path.split("/").slice(3).join("/");
}

async function serveCard(edge: Edge, cards: CardServer, c: Context<Bindings>): Promise<Response> {
  const request = c.req.raw;
  try {
    takeByAddress(edge.limiter, request, c.env);
    const { agent = "", file } = c.req.param();
    // Clients of 0.3 do not say so here, and cannot read a card of 1.0; the older name is theirs.
    const isLegacy = file === "agent.json" || request.headers.get("a2a-version") === LEGACY_VERSION;
    if (file !== "agent-card.json" && file !== "agent.json") throw noSuchAgent();
    const response = await cards.serve(request, agent, isLegacy);
    if (!response) throw noSuchAgent();
    return response;
  } catch (error) {
    return refuse(error);
  }
}

/** Who is there. A card is public; a list of all of them is for those who may ask them. */
async function listAgents(
  edge: Edge,
  options: GatewayOptions,
  c: Context<Bindings>,
): Promise<Response> {
  try {
    await identify(edge, c.req.raw, c.env);
    const agents = options.agents().flatMap((name) => {
      const card = edge.cards(name);
      return card ? [listed(name, card, edge)] : [];
    });
    return Response.json({ agents }, { headers: { "cache-control": "no-store" } });
  } catch (error) {
    return refuse(error);
  }
}

function refuse(error: unknown): Response {
  return restErrorResponse(edgeErrorOf(error), "application/json");
}

function corsFor(origins: readonly string[]) {
  return cors({
    origin: [...origins],
    allowMethods: ["GET", "POST", "DELETE"],
    exposeHeaders: ["ETag", "Retry-After", "WWW-Authenticate", "A2A-Extensions"],
    maxAge: 600,
  });
}
