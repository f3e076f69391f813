/**
 * What the routes of the gateway have in common: who asks, how much they may, and how long one connection
 * may stand still. No agent hears of a request before this has let it pass.
 */
import type { AgentCard } from "@a2a-js/sdk";
import type { Clock, Logger } from "../../core/mod.ts";
import { isObject } from "../call.ts";
import { isStream, type Method } from "../subjects.ts";
import type { Authenticate, Identity } from "./auth.ts";
import { addressKey, type RateLimiter, type Slots } from "./limit.ts";
import { Refusal, SERVER_ERROR } from "./refusal.ts";
import type { Relay, RelayCall } from "./relay.ts";
import type { ServiceParameters } from "./request.ts";

export interface Edge {
  readonly relay: Relay;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cards: (name: string) => AgentCard | undefined;
  /** Signs a card of ours. */
  readonly sign: ((card: AgentCard) => Promise<AgentCard>) | undefined;
  /** Without a slash at its end. */
  readonly publicUrl: () => string;
  /** Absent: nobody is asked who they are. */
  readonly authenticate: Authenticate | undefined;
  readonly limiter: RateLimiter;
  readonly requests: Slots;
  readonly streams: Slots;
  /** How long an answer is waited for when the client does not say. */
  readonly timeoutMs: number;
  readonly streamTimeoutMs: number;
}

/** The part of Bun's server that a request needs. */
export interface Connection {
  timeout?(request: Request, seconds: number): void;
  requestIP?(request: Request): { readonly address: string } | null;
}

/** A request for an agent, let in. */
export interface Arrival {
  readonly request: Request;
  readonly agent: string;
  readonly who: Identity;
  /** The connection may stand still this long, in milliseconds; nobody is cut off while we make them wait. */
  readonly keepOpen: (ms: number) => void;
}

/** Bun counts to 255; 0 is for ever, and then the call's own deadline ends it. */
const CONNECTION_S_MAX = 255;
/** An answer that comes at the last moment still has to leave. */
const GRACE_MS = 5_000;
/** A client that takes nothing of its stream for this long is cut off. */
export const STALL_MS = 60_000;

/** Lets a request in under its caller's name. Throws a refusal: 401, 429. */
export async function identify(
  edge: Edge,
  request: Request,
  connection: Connection | undefined,
): Promise<Identity> {
  const { authenticate, limiter } = edge;
  if (!authenticate) {
    takeByAddress(limiter, request, connection);
    return {};
  }
  try {
    const who = await authenticate(request.headers.get("authorization"));
    limiter.take(`sub:${who.principal}`);
    return who;
  } catch (error) {
    // To check a token is work too.
    if (error instanceof Refusal && error.status === 401)
      takeByAddress(limiter, request, connection);
    throw error;
  }
}

/** As {@link RateLimiter.take}, for a caller without a name. */
export function takeByAddress(
  limiter: RateLimiter,
  request: Request,
  connection: Connection | undefined,
): void {
  if (!limiter.isOn) return;
  limiter.take(`ip:${addressKey(connection?.requestIP?.(request)?.address ?? "unknown")}`);
}

/** How a route says how long its connection may stand still. */
export function keepOpenOf(
  request: Request,
  connection: Connection | undefined,
): (ms: number) => void {
  return (ms) => {
    const seconds = Math.ceil((ms + GRACE_MS) / 1_000);
    connection?.timeout?.(request, seconds > CONNECTION_S_MAX ? 0 : seconds);
  };
}

/** A call without its body: everything about it that came in headers. */
export function callOf(
  edge: Edge,
  { agent, who, request }: Arrival,
  method: Method,
  params: unknown,
  service: ServiceParameters,
): Omit<RelayCall, "bytes" | "text"> {
  const stream = isStream(method);
  const timeoutMs = service.timeoutMs ?? (stream ? edge.streamTimeoutMs : edge.timeoutMs);
  // Who does not wait for the work gives it the time a stream would have.
  const workMs = isDetached(params) ? (service.timeoutMs ?? edge.streamTimeoutMs) : undefined;
  return {
    agent,
    method,
    params,
    timeoutMs,
    ...(workMs === undefined ? {} : { workMs }),
    trace: service.trace,
    extensions: service.extensions,
    cursor: method === "SubscribeToTask" ? service.lastEventId : undefined,
    principal: who.principal,
    scopes: who.scopes,
    signal: request.signal,
  };
}

/** There is no such agent, and nobody who might come back. */
export function noSuchAgent(): Refusal {
  return new Refusal("UNAVAILABLE", "no such agent", {
    status: 404,
    rpcCode: SERVER_ERROR,
    reason: "AGENT_NOT_FOUND",
  });
}

function isDetached(params: unknown): boolean {
  if (!isObject(params)) return false;
  const { configuration } = params;
  return isObject(configuration) && configuration["returnImmediately"] === true;
}
