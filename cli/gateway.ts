/**
 * Wires the HTTP gateway: the mesh on one side, Bun's server on the other. It runs under a name of its
 * own in the mesh, and its audit tells what every HTTP client asked.
 */
import { readFile } from "node:fs/promises";
import type { AgentCard } from "@a2a-js/sdk";
import { type Authenticate, type JwtKeys, jwtAuthenticator, makeGateway } from "../a2a/http/mod.ts";
import type { Mesh } from "../a2a/mod.ts";
import {
  type Gateway as GatewayConfig,
  type Logger,
  limits,
  messageOf,
  PetrelError,
} from "../core/mod.ts";

/** What a request may have at most: an envelope, and room to say that it was too large. */
const BODY_BYTES_MAX = limits.ENVELOPE_BYTES_MAX + 64 * 1024;
/** A connection on which nothing moves, before a request is whole and after it was answered, in seconds. */
const IDLE_S = 30;
/** An agent that came or went is noticed this much later. */
const DIRECTORY_MS = 200;

export interface ServedGateway {
  /** Where it listens, such as `http://127.0.0.1:8724`. */
  readonly url: string;
  /** Requests being answered, and streams that are open. */
  readonly open: () => { requests: number; streams: number };
  /** Takes no more requests, and cuts what is open. */
  readonly stop: () => Promise<void>;
}

/**
 * Serves the agents of the mesh over HTTP until `signal` aborts or `stop` is called. The mesh stays its
 * owner's to close. Throws CONFIG_INVALID (keys), or UNAVAILABLE (the port is taken, no outbox).
 */
export async function serveGateway(
  config: GatewayConfig,
  mesh: Mesh,
  log: Logger,
  signal: AbortSignal,
  options: { readonly sign?: (card: AgentCard) => Promise<AgentCard> } = {},
): Promise<ServedGateway> {
  const authenticate = await authenticatorOf(config, mesh, log);
  mesh.outbox.open();
  const { nc, outbox, clock, instance, name: caller } = mesh;
  let listening = "";
  const directory = directoryOf(mesh);
  const gateway = makeGateway({
    nc,
    outbox,
    clock,
    log,
    caller,
    instance,
    cards: (name) => directory().get(name),
    artifacts: (agent, place, sha256) => mesh.artifacts.find(agent, place, sha256),
    agents: () => [...directory().keys()],
    publicUrl: () => config.public_url?.replace(/\/+$/, "") ?? listening,
    ...limitsOf(config),
    ...(authenticate ? { authenticate } : {}),
    ...options,
  });
  const server = listen(config, gateway.fetch);
  listening = `http://${bracketed(config.host)}:${server.port}`;
  log.info("gateway.serving", { url: listening, auth: authenticate ? "jwt" : "none" });
  const stop = async () => {
    signal.removeEventListener("abort", onAbort);
    await server.stop(true);
    gateway.close();
  };
  const onAbort = () => void stop();
  signal.addEventListener("abort", onAbort, { once: true });
  return { url: listening, open: gateway.open, stop };
}

/** The live agents' cards by name, looked up anew now and then: a thousand agents are asked for often. */
function directoryOf({ registry, clock }: Mesh): () => ReadonlyMap<string, AgentCard> {
  let cards: ReadonlyMap<string, AgentCard> = new Map();
  let untilMs = 0;
  return () => {
    if (clock.nowMs() < untilMs) return cards;
    cards = new Map(registry.list().map(({ agent, card }) => [agent, card]));
    untilMs = clock.nowMs() + DIRECTORY_MS;
    return cards;
  };
}

function listen(config: GatewayConfig, fetch: ReturnType<typeof makeGateway>["fetch"]) {
  try {
    return Bun.serve({
      hostname: config.host,
      port: config.port,
      idleTimeout: IDLE_S,
      maxRequestBodySize: BODY_BYTES_MAX,
      // Without it an error of ours would be shown to the client.
      development: false,
      // With `development: false` Bun shares a port that is taken, and nobody hears of it.
      reusePort: false,
      fetch: (request, server) => fetch(request, server),
    });
  } catch (error) {
    const message = `gateway: ${config.host}:${config.port}: ${messageOf(error)}`;
    throw new PetrelError("UNAVAILABLE", message, { path: "gateway.port" }, error);
  }
}

function limitsOf(config: GatewayConfig) {
  const { rate_limit: rate } = config;
  return {
    ...(rate ? { rateLimit: { perSecond: rate.per_second, burst: rate.burst } } : {}),
    requestsMax: config.requests_max,
    streamsMax: config.streams_max,
    timeoutMs: config.timeout,
    streamTimeoutMs: config.stream_timeout,
    cardMaxAgeS: Math.round(config.card_max_age / 1_000),
    corsOrigins: config.cors_origins,
  };
}

async function authenticatorOf(
  { jwt }: GatewayConfig,
  { clock }: Mesh,
  log: Logger,
): Promise<Authenticate | undefined> {
  if (!jwt) return undefined;
  const { issuer, audience, clock_tolerance: toleranceMs } = jwt;
  const toleranceS = Math.round(toleranceMs / 1_000);
  return jwtAuthenticator({ keys: await keysOf(jwt), issuer, audience, toleranceS, clock, log });
}

async function keysOf(jwt: NonNullable<GatewayConfig["jwt"]>): Promise<JwtKeys> {
  if (jwt.secret !== undefined) return { kind: "secret", secret: Buffer.from(jwt.secret) };
  if (jwt.jwks_url !== undefined) return { kind: "url", url: jwt.jwks_url };
  const file = jwt.jwks_file ?? "";
  try {
    return { kind: "jwks", jwks: JSON.parse(await readFile(file, "utf8")) };
  } catch (error) {
    const path = "gateway.jwt.jwks_file";
    throw new PetrelError("CONFIG_INVALID", `${path}: ${messageOf(error)}`, { path }, error);
  }
}

/** An IPv6 address in a URL (RFC 3986 section 3.2.2). */
function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
