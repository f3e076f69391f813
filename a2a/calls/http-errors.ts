/**
 * What went wrong over HTTP, in the words of the closed set: a Petrel error on the other side comes out
 * whole, an A2A error stays the SDK's own class, as over NATS. A peer's text is bounded, never trusted.
 */
import { A2AError, isJsonRpcError } from "@a2a-js/sdk/errors";
import { z } from "zod";
import { type ErrorCode, messageOf, PetrelError } from "../../core/mod.ts";
import { petrelErrorOf } from "../errors.ts";

const Words = z.looseObject({
  message: z.string().optional(),
  data: z.unknown().optional(),
  details: z.unknown().optional(),
});
const ErrorBody = z.looseObject({ error: Words });

const CAUSES_MAX = 8;

/**
 * What an answer that is no success says; undefined when its body is an A2A error, which the SDK reads.
 * `askedMs` is what it said in Retry-After.
 */
export function fromStatus(
  status: number,
  body: string,
  agent: string,
  askedMs: number,
): PetrelError | undefined {
  const words = ErrorBody.safeParse(jsonOf(body)).data?.error;
  const ours = petrelErrorOf(words?.data ?? words?.details, words?.message ?? "");
  if (ours) return ours;
  const code = codeOf(status);
  if (words && code === undefined) return undefined;
  const after = askedMs > 0 ? { retryAfterMs: askedMs } : {};
  const message = `agent "${agent}" answered HTTP ${status}`;
  return new PetrelError(code ?? "PROTOCOL_VIOLATION", message, { agent, status, ...after });
}

/** What a status means whatever the body says. */
function codeOf(status: number): ErrorCode | undefined {
  if (status === 401 || status === 403) return "UNAUTHENTICATED";
  if (status === 429) return "OVERLOADED";
  if (status === 408 || status === 504) return "DEADLINE_EXCEEDED";
  // A proxy that lost the agent in the middle: it may have taken the request.
  if (status === 502) return "INCOMPLETE";
  if (status === 503) return "UNAVAILABLE";
  return undefined;
}

/** What the SDK or fetch threw, in our words. An A2A error passes as it came. */
export function fromHttpError(error: unknown, agent: string): Error {
  let cause: unknown = error;
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth++) {
    if (cause instanceof PetrelError) return cause;
    if (cause instanceof A2AError) return fromA2AError(cause);
    cause = cause.cause;
  }
  const text = messageOf(error, 200);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "") {
    return new PetrelError("PROTOCOL_VIOLATION", `agent "${agent}": ${text}`, { agent }, error);
  }
  const words = `agent "${agent}": ${text}`;
  return new PetrelError(
    isBeforeSending(code) ? "UNAVAILABLE" : "INCOMPLETE",
    words,
    { agent },
    error,
  );
}

/** Nothing of the request has left: no name, no connection, no trust. */
function isBeforeSending(code: string): boolean {
  return /Refused|FailedToOpenSocket|ENOTFOUND|EAI_|DNS|CERT|TLS|SELF_SIGNED|UNREACH/i.test(code);
}

function fromA2AError(error: A2AError): Error {
  const details = isJsonRpcError(error) ? error.data : [{ metadata: error.metadata }];
  return petrelErrorOf(details, error.message) ?? error;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
