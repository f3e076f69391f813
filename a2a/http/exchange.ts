/**
 * One exchange with an agent, as both bindings need it: a stream that is open once its first frame is
 * there, an agent's error, and what a client is told when something fails.
 */
import { AgentCard } from "@a2a-js/sdk";
import { UnsupportedOperationError } from "@a2a-js/sdk/errors";
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";
import { isObject } from "../call.ts";
import { violation } from "../frames.ts";
import { signedCard } from "./card.ts";
import { type Arrival, type Edge, noSuchAgent, STALL_MS } from "./edge.ts";
import type { RelayFrame } from "./frame.ts";
import type { FrameSource } from "./frame-source.ts";
import { type EdgeError, edgeErrorFrom, edgeErrorOf, RpcErrorShape } from "./refusal.ts";
import type { RelayCall } from "./relay.ts";
import { readJson } from "./rpc.ts";
import { sseResponse } from "./sse.ts";

/**
 * A unary call. The card that an agent shows to those it knows (section 3.1.11) gets the gateway's
 * addresses like every other; all else comes back as the agent wrote it. Throws as {@link Relay.unary}.
 */
export async function ask(edge: Edge, call: RelayCall): Promise<RelayFrame> {
  if (call.method === "GetExtendedAgentCard" && !edge.authenticate) {
    // It is for those who are known (section 13.3), and here nobody is.
    throw new UnsupportedOperationError("this gateway knows nobody, and shows no extended card");
  }
  const frame = await edge.relay.unary(call);
  if (call.method !== "GetExtendedAgentCard" || frame.kind !== "result") return frame;
  const envelope = readJson(frame.bytes).json;
  if (!isObject(envelope) || !isObject(envelope["result"])) {
    throw violation(call.agent, "result", "not a card");
  }
  const card = await signedCard(call.agent, AgentCard.fromJSON(envelope["result"]), edge);
  const text = JSON.stringify({ ...envelope, result: AgentCard.toJSON(card) });
  return { ...frame, text, bytes: Buffer.from(text) };
}

type Opened =
  | { readonly refused: RelayFrame }
  | {
      readonly stream: Awaited<ReturnType<Edge["relay"]["stream"]>>;
      readonly respond: (source: FrameSource) => Response;
    };

/**
 * Opens a stream and waits for its first frame, as only that says whether there is one. Throws what
 * {@link RelayStream.next} throws.
 */
export async function openStream(edge: Edge, arrival: Arrival, call: RelayCall): Promise<Opened> {
  const leave = edge.streams.enter();
  arrival.keepOpen(call.timeoutMs);
  try {
    const stream = await edge.relay.stream(call);
    const first = await stream.next();
    if (first?.kind === "error") {
      stream.close();
      leave();
      return { refused: first };
    }
    const respond = (source: FrameSource) => {
      const onProgress = () => arrival.keepOpen(STALL_MS);
      const begin = first ? { first: source.write(first) } : {};
      const headers = first ? extensionsOf(first) : {};
      return sseResponse(source, { ...begin, onProgress, onEnd: leave }, headers);
    };
    return { stream, respond };
  } catch (error) {
    leave();
    throw error;
  }
}

/** The error an agent sent, from its JSON-RPC envelope. Throws PROTOCOL_VIOLATION when it holds none. */
export function agentError(text: string, agent: string): EdgeError {
  try {
    return edgeErrorFrom(ErrorEnvelope.parse(JSON.parse(text)).error);
  } catch (cause) {
    throw violation(agent, "error", "not a JSON-RPC error", cause);
  }
}

const ErrorEnvelope = z.object({ error: RpcErrorShape });

/** What the client is told, and the log when it is our fault. */
export function told(edge: Edge, { agent, request }: Arrival, error: unknown): EdgeError {
  const nobodyThere =
    error instanceof PetrelError && error.code === "UNAVAILABLE" && error.fields["agent"] === agent;
  if (nobodyThere && !edge.cards(agent)) return edgeErrorOf(noSuchAgent());
  const edgeError = edgeErrorOf(error);
  // That somebody is away, full or late is no news to anybody but the client.
  const isNews = [500, 502].includes(edgeError.status) && !request.signal.aborted;
  if (isNews) edge.log.warn("gateway.failed", { agent, status: edgeError.status, error });
  return edgeError;
}

export function extensionsOf(frame: RelayFrame): Record<string, string> {
  return frame.extensions === undefined ? {} : { "a2a-extensions": frame.extensions };
}
