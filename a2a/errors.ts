/**
 * The two error worlds meet here: Petrel's closed set and A2A's (JSON-RPC codes with
 * google.rpc.ErrorInfo, A2A 1.0 section 5.4). A Petrel error crosses the mesh and comes out whole.
 */
import { A2AError, fromJsonRpcErrorResponse, type JsonRpcA2AError } from "@a2a-js/sdk/errors";
import { NoRespondersError, RequestError, TimeoutError } from "@nats-io/nats-core";
import { asPetrelError, isErrorCode, messageOf, PetrelError } from "../core/mod.ts";

const CODE_KEY = "petrelCode";

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

/** The error in a JSON-RPC error envelope: one of ours when it was one, else the SDK's own class. */
export function fromErrorEnvelope(envelope: {
  id: string | number | null;
  error: { code: number; message: string; data?: unknown };
}): Error {
  const details = Array.isArray(envelope.error.data) ? envelope.error.data : [];
  for (const detail of details) {
    const code: unknown = detail?.metadata?.[CODE_KEY];
    if (typeof code === "string" && isErrorCode(code)) {
      const retryAfterMs = Number(detail.metadata.retryAfterMs);
      return new PetrelError(code, messageOf(envelope.error.message), {
        remote: true,
        ...(retryAfterMs > 0 ? { retryAfterMs } : {}),
      });
    }
  }
  return fromJsonRpcErrorResponse({
    jsonrpc: "2.0",
    id: envelope.id,
    error: { code: envelope.error.code, message: messageOf(envelope.error.message) },
  }) satisfies JsonRpcA2AError;
}

/** Why a NATS request brought no answer. */
export function fromNatsError(error: unknown, agent: string): PetrelError {
  const noResponders =
    error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());
  if (noResponders) {
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
