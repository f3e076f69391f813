/**
 * Clients of A2A 0.3: their JSON-RPC, translated by the SDK and asked of the agent in 1.0. An agent knows
 * nothing of it. ListTasks has no place in 0.3, and HTTP+JSON is served in 1.0 alone.
 */
import { AgentCard } from "@a2a-js/sdk";
import {
  LegacyJsonRpcTransportHandler,
  LegacyRestTransportHandler,
} from "@a2a-js/sdk/compat/v0_3/server";
import { fromJsonRpcErrorResponse } from "@a2a-js/sdk/errors";
import { ServerCallContext } from "@a2a-js/sdk/server";
import { newId } from "../../core/mod.ts";
import { readEnvelope } from "../frames.ts";
import type { Method } from "../subjects.ts";
import { gatewayCard } from "./card.ts";
import { type Arrival, callOf, type Edge, noSuchAgent, STALL_MS } from "./edge.ts";
import { ask, told } from "./exchange.ts";
import { edgeErrorFrom, rpcErrorResponse } from "./refusal.ts";
import type { RelayCall } from "./relay.ts";
import type { RelayStream } from "./relay-stream.ts";
import type { ServiceParameters } from "./request.ts";
import { type AgentCalls, RequestAdapter } from "./request-adapter.ts";
import { idOf, type RpcId } from "./rpc.ts";
import { type EventSource, KEEP_ALIVE, sseEvent, sseResponse } from "./sse.ts";

const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };
const LEGACY_CONTEXT = { requestedVersion: "0.3" };

/** Answers one request of 0.3. Throws a refusal, for the caller to answer. */
export async function serveLegacy(
  edge: Edge,
  arrival: Arrival,
  json: unknown,
  service: ServiceParameters,
): Promise<Response> {
  const calls = new LegacyCalls(edge, arrival, service);
  const handler = new LegacyJsonRpcTransportHandler(new RequestAdapter(calls));
  const context = new ServerCallContext(LEGACY_CONTEXT);
  const body: Record<string, unknown> = Object.assign({}, json);
  const answer = await handler.handle(body, context);
  if (!(Symbol.asyncIterator in answer)) {
    const error = "error" in answer ? answer.error : undefined;
    if (error) return rpcErrorResponse(answer.id ?? null, edgeErrorFrom(error));
    return new Response(JSON.stringify(answer), { headers: JSON_HEADERS });
  }
  const leave = edge.streams.enter();
  const source = new LegacySource(answer[Symbol.asyncIterator](), calls, idOf(json));
  const first = await source.open();
  if (first instanceof Response) {
    leave();
    return first;
  }
  const onProgress = () => arrival.keepOpen(STALL_MS);
  return sseResponse(source, { first, onProgress, onEnd: leave });
}

/** The card in the words of 0.3, for a client that asks for those. */
export async function legacyCardOf(card: AgentCard): Promise<unknown> {
  const calls: AgentCalls = {
    card: () => card,
    unary: () => Promise.resolve(AgentCard.toJSON(card)),
    // oxlint-disable-next-line require-yield -- nobody asks a card for a stream
    stream: async function* () {},
  };
  const handler = new LegacyRestTransportHandler(new RequestAdapter(calls));
  return handler.getAuthenticatedExtendedAgentCard(new ServerCallContext(LEGACY_CONTEXT));
}

/** Asks the agent in 1.0; an error comes out as the SDK's own, for the SDK to translate. */
class LegacyCalls implements AgentCalls {
  /** Number of the last event that was passed on. */
  event: number | undefined;
  onHeartbeat: () => void = () => {};
  readonly #edge: Edge;
  readonly #arrival: Arrival;
  readonly #service: ServiceParameters;
  #stream: RelayStream | undefined;

  constructor(edge: Edge, arrival: Arrival, service: ServiceParameters) {
    this.#edge = edge;
    this.#arrival = arrival;
    this.#service = service;
  }

  card(): AgentCard {
    const card = this.#edge.cards(this.#arrival.agent);
    if (!card) throw this.#asA2A(noSuchAgent());
    return gatewayCard(this.#arrival.agent, card, this.#edge);
  }

  async unary(method: Method, params: unknown): Promise<unknown> {
    const call = this.#call(method, params);
    this.#arrival.keepOpen(call.timeoutMs);
    try {
      const { text } = await ask(this.#edge, call);
      return this.#resultOf(text, call.envelopeId);
    } catch (error) {
      throw this.#asA2A(error);
    }
  }

  async *stream(method: Method, params: unknown): AsyncGenerator<unknown, void, undefined> {
    const call = this.#call(method, params);
    this.#arrival.keepOpen(call.timeoutMs);
    try {
      const stream = await this.#edge.relay.stream(call);
      this.#stream = stream;
      for (;;) {
        const frame = await stream.next();
        if (!frame) return;
        if (frame.kind === "heartbeat") {
          this.onHeartbeat();
          continue;
        }
        this.event = frame.event;
        yield this.#resultOf(frame.text, call.envelopeId);
      }
    } catch (error) {
      throw this.#asA2A(error);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#stream?.close();
  }

  #call(method: Method, params: unknown): RelayCall & { envelopeId: string } {
    const envelopeId = newId();
    const text = JSON.stringify({ jsonrpc: "2.0", id: envelopeId, method, params });
    const call = callOf(this.#edge, this.#arrival, method, params, this.#service);
    return { ...call, text, bytes: Buffer.from(text), envelopeId };
  }

  #resultOf(text: string, envelopeId: string): unknown {
    const { error, result } = readEnvelope(text, envelopeId, this.#arrival.agent);
    if (!error) return result;
    throw fromJsonRpcErrorResponse({ jsonrpc: "2.0", id: null, error: rpcErrorOf(error) });
  }

  #asA2A(error: unknown): Error {
    if (error instanceof Error && "envelopeCode" in error) return error;
    const { rpc } = told(this.#edge, this.#arrival, error);
    return fromJsonRpcErrorResponse({ jsonrpc: "2.0", id: null, error: rpcErrorOf(rpc) });
  }
}

function rpcErrorOf({ code, message, data }: { code: number; message: string; data?: unknown }) {
  return Array.isArray(data) ? { code, message, data } : { code, message };
}

type Envelopes = AsyncIterator<unknown, unknown, undefined>;

class LegacySource implements EventSource {
  readonly isReady = false;
  readonly #envelopes: Envelopes;
  readonly #calls: LegacyCalls;
  readonly #id: RpcId;
  #pending: Promise<IteratorResult<unknown>> | undefined;
  #isOver = false;

  constructor(envelopes: Envelopes, calls: LegacyCalls, id: RpcId) {
    this.#envelopes = envelopes;
    this.#calls = calls;
    this.#id = id;
  }

  /** The first event, or the answer that says why there is none. */
  async open(): Promise<string | Response> {
    try {
      const { value, done } = await this.#envelopes.next();
      this.#isOver = done === true;
      return done ? KEEP_ALIVE : this.#event(value);
    } catch (error) {
      return rpcErrorResponse(this.#id, edgeErrorFrom(legacyError(error)));
    }
  }

  async next(): Promise<string | undefined> {
    if (this.#isOver) return undefined;
    try {
      this.#pending ??= this.#envelopes.next();
      const beat = new Promise<undefined>((resolve) => {
        this.#calls.onHeartbeat = () => resolve(undefined);
      });
      const won = await Promise.race([this.#pending, beat]);
      if (!won) return KEEP_ALIVE;
      this.#pending = undefined;
      this.#isOver = won.done === true;
      return won.done ? undefined : this.#event(won.value);
    } catch (error) {
      this.#isOver = true;
      const envelope = { jsonrpc: "2.0", id: this.#id, error: legacyError(error) };
      return sseEvent(JSON.stringify(envelope));
    }
  }

  leave(): void {
    this.#isOver = true;
    this.#calls.close();
  }

  #event(envelope: unknown): string {
    return sseEvent(JSON.stringify(envelope), { id: this.#calls.event });
  }
}

function legacyError(error: unknown) {
  return LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError(error);
}
