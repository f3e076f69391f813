/**
 * The two error worlds meet here: Petrel's closed set and A2A's (JSON-RPC codes with
 * google.rpc.ErrorInfo, A2A 1.0 section 5.4). A Petrel error crosses the mesh and comes out whole.
 */
import { A2AError, fromJsonRpcErrorResponse, type JsonRpcA2AError } from "@a2a-js/sdk/errors";
import { NoRespondersError, RequestError, TimeoutError } from "@nats-io/nats-core";
import { z } from "zod";
import { asPetrelError, isErrorCode, messageOf, PetrelError } from "../core/mod.ts";

const CODE_KEY = "petrelCode" as const;

/** What a handler throws so that the SDK's JSON-RPC layer carries our code to the other end. */
export function toA2AError(error: unknown): A2AError {
  if (error instanceof A2AError) return error;
  const ours = asPetrelError(error, "INTERNAL", "agent");
  return new A2AError({
    message: ours.message,
    cause: error,
    metadata: { [CODE_KEY]: ours.code, retry: ours.retry, ...saidToPeers(ours) },
  });
}

/** What of an error's fields a caller needs: when to come back, and which scopes it lacks. */
function saidToPeers({ fields }: PetrelError): Record<string, string> {
  const { retryAfterMs, scopes } = fields;
  return {
    ...(typeof retryAfterMs === "number" ? { retryAfterMs: String(retryAfterMs) } : {}),
    ...(typeof scopes === "string" ? { scopes } : {}),
  };
}

const Detail = z.looseObject({
  metadata: z.object({ [CODE_KEY]: z.string(), retryAfterMs: z.string().optional() }),
});
const DETAILS_MAX = 20;

/** The Petrel error that the details of an A2A error carry; undefined when it is not one of ours. */
export function petrelErrorOf(details: unknown, message: string): PetrelError | undefined {
  for (const detail of Array.isArray(details) ? details.slice(0, DETAILS_MAX) : []) {
    const { petrelCode, retryAfterMs } = Detail.safeParse(detail).data?.metadata ?? {};
    if (petrelCode === undefined || !isErrorCode(petrelCode)) continue;
    const after = retryAfterMs === undefined ? {} : { retryAfterMs: Number(retryAfterMs) || 0 };
    return new PetrelError(petrelCode, messageOf(message), { remote: true, ...after });
  }
  return undefined;
}

/** The error in a JSON-RPC error envelope: one of ours when it was one, else the SDK's own class. */
export function fromErrorEnvelope(envelope: {
  id: string | number | null;
  error: { code: number; message: string; data?: unknown };
}): Error {
  const ours = petrelErrorOf(envelope.error.data, envelope.error.message);
  if (ours) return ours;
  return fromJsonRpcErrorResponse({
    jsonrpc: "2.0",
    id: envelope.id,
    error: { code: envelope.error.code, message: messageOf(envelope.error.message) },
  }) satisfies JsonRpcA2AError;
}

/** Whether the server said that nobody listens where a request went. */
export function isNobodyThere(error: unknown): boolean {
  if (error instanceof NoRespondersError) return true;
  return error instanceof RequestError && error.isNoResponders();
}

/** Why a NATS request brought no answer. */
export function fromNatsError(error: unknown, agent: string): PetrelError {
  if (isNobodyThere(error)) {
    return new PetrelError("UNAVAILABLE", `agent "${agent}" is not there`, { agent }, error);
  }
  if (
    error instanceof TimeoutError ||
    (error instanceof Error && error.cause instanceof TimeoutError)
  ) {
    const message = `agent "${agent}" did not answer in time`;
    return new PetrelError("DEADLINE_EXCEEDED", message, { agent }, error);
  }
  return asPetrelError(error, "UNAVAILABLE", `agent "${agent}"`);
}
