/**
 * Errors at the edge: what HTTP status an A2A error has, and how it stands in a JSON-RPC answer or in
 * an HTTP+JSON one (A2A 1.0 sections 5.4, 9.5, 11.6). Never tells a client more than the error's own
 * words.
 */
import { A2AError, InvalidAgentResponseError, toJsonRpcError } from "@a2a-js/sdk/errors";
import { z } from "zod";
import { type ErrorCode, limits, messageOf, PetrelError } from "../../core/mod.ts";
import { toA2AError } from "../errors.ts";
import type { RpcId } from "./rpc.ts";

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
/** JSON-RPC's "server error" that no A2A error uses: what HTTP itself refuses. */
export const SERVER_ERROR = -32000;

const JSON_TYPE = "application/json";
const RETRY_AFTER_MS = 1_000;

/** A request that the edge itself turns away, before an agent hears of it. */
export class Refusal extends PetrelError {
  readonly status: number;
  readonly rpcCode: number;
  readonly headers: Readonly<Record<string, string>>;
  /** `google.rpc.ErrorInfo.reason`; none for JSON-RPC's own errors. */
  readonly reason: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      status: number;
      rpcCode: number;
      reason?: string;
      headers?: Readonly<Record<string, string>>;
    },
  ) {
    super(code, message);
    this.status = options.status;
    this.rpcCode = options.rpcCode;
    this.reason = options.reason;
    this.headers = options.headers ?? {};
  }
}

/** Malformed JSON-RPC: a JSON-RPC answer like any other, so HTTP is content. */
export function malformed(rpcCode: number, message: string): Refusal {
  return new Refusal("PROTOCOL_VIOLATION", message, { status: 400, rpcCode });
}

export function tooLarge(): Refusal {
  const message = `body: more than ${limits.ENVELOPE_BYTES_MAX} bytes`;
  return new Refusal("TOO_LARGE", message, { status: 413, rpcCode: INVALID_REQUEST });
}

/** RFC 9110 section 15.5.16; the reason is A2A's, so that both bindings say the same. */
export function wrongContentType(expected: string): Refusal {
  return new Refusal("PROTOCOL_VIOLATION", `content-type: must be ${expected}`, {
    status: 415,
    rpcCode: -32005,
    reason: "CONTENT_TYPE_NOT_SUPPORTED",
  });
}

export function versionNotSupported(version: string, supported: string): Refusal {
  const message = `A2A-Version: ${version.slice(0, 20)} is not served here, only ${supported}; none means 0.3`;
  return new Refusal("PROTOCOL_VIOLATION", message, {
    status: 400,
    rpcCode: -32009,
    reason: "VERSION_NOT_SUPPORTED",
  });
}

const Detail = z.object({ metadata: z.record(z.string(), z.unknown()) });
export const RpcErrorShape = z.object({
  code: z.number().int(),
  message: z.string(),
  data: z.unknown().optional(),
});
export type RpcError = z.infer<typeof RpcErrorShape>;

/** An error as both bindings need it. */
export interface EdgeError {
  readonly rpc: RpcError;
  /** Of the HTTP+JSON binding. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The edge itself refused: the status holds for the JSON-RPC binding too. */
  readonly isRefusal: boolean;
}

/** An agent's own error, on its way to where errors are answered. */
export class AgentFailure extends PetrelError {
  readonly edge: EdgeError;

  constructor(edge: EdgeError) {
    super("INTERNAL", edge.rpc.message);
    this.edge = edge;
  }
}

/** What was thrown, as an error for the client. An error that is not ours tells nothing of itself. */
export function edgeErrorOf(error: unknown): EdgeError {
  if (error instanceof Refusal) return refusalToEdge(error);
  if (error instanceof AgentFailure) return error.edge;
  if (error instanceof PetrelError && error.code === "PROTOCOL_VIOLATION") {
    const invalid = new InvalidAgentResponseError({ message: error.message });
    return edgeErrorFrom(toJsonRpcError(invalid));
  }
  const known = error instanceof A2AError || error instanceof PetrelError;
  const told = known ? error : new PetrelError("INTERNAL", "the gateway failed", {}, error);
  return edgeErrorFrom(toJsonRpcError(toA2AError(told)));
}

/** An agent's JSON-RPC error, with the status the specification gives it (section 5.4). */
export function edgeErrorFrom(rpc: RpcError): EdgeError {
  const metadata = metadataOf(rpc.data);
  const status = statusOf(rpc.code, metadata["petrelCode"]);
  const headers: Record<string, string> = {};
  if (status === 503) headers["retry-after"] = retryAfter(Number(metadata["retryAfterMs"]));
  if (status === 403) headers["www-authenticate"] = 'Bearer error="insufficient_scope"';
  return { rpc, status, headers, isRefusal: false };
}

/** Whole seconds, as RFC 9110 section 10.2.3 wants them; at least one. */
export function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil((ms > 0 ? ms : RETRY_AFTER_MS) / 1_000)));
}

/**
 * The JSON-RPC answer. Its HTTP status is 200, as the answer itself is whole, unless HTTP has something
 * to say: a refusal of the edge, missing scope, come back later, too late.
 */
export function rpcErrorResponse(id: RpcId, error: EdgeError): Response {
  const isHttps = error.isRefusal || [403, 503, 504].includes(error.status);
  return new Response(rpcErrorBody(id, error), {
    status: isHttps ? error.status : 200,
    headers: { "content-type": JSON_TYPE, "cache-control": "no-store", ...error.headers },
  });
}

export function rpcErrorBody(id: RpcId, { rpc }: EdgeError): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: rpc });
}

/** The HTTP+JSON answer: google.rpc.Status (section 11.6). */
export function restErrorResponse(error: EdgeError, contentType: string): Response {
  return new Response(restErrorBody(error), {
    status: error.status,
    headers: { "content-type": contentType, "cache-control": "no-store", ...error.headers },
  });
}

export function restErrorBody({ rpc, status }: EdgeError): string {
  const details = Array.isArray(rpc.data) ? rpc.data : [];
  const name = FAILED_PRECONDITION.has(rpc.code) ? "FAILED_PRECONDITION" : STATUS_NAME[status];
  return JSON.stringify({
    error: { code: status, status: name ?? "UNKNOWN", message: rpc.message, details },
  });
}

function refusalToEdge(refusal: Refusal): EdgeError {
  const { rpcCode, message, status, headers } = refusal;
  const data = PLAIN.has(rpcCode) ? {} : { data: [detailOf(refusal)] };
  const rpc = { code: rpcCode, message: messageOf(message), ...data };
  // What is malformed inside JSON-RPC is JSON-RPC's to say; the rest is HTTP's.
  return { rpc, status, headers, isRefusal: status !== 400 };
}

function detailOf({ code, retry, rpcCode, reason = "INTERNAL_ERROR", headers }: Refusal) {
  const waitS = headers["retry-after"];
  const wait = waitS === undefined ? {} : { retryAfterMs: String(Number(waitS) * 1_000) };
  return {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason,
    domain: rpcCode === SERVER_ERROR ? "petrel" : "a2a-protocol.org",
    metadata: { petrelCode: code, retry, ...wait },
  };
}

function metadataOf(data: unknown): Readonly<Record<string, unknown>> {
  const details = Array.isArray(data) ? data : [];
  return Detail.safeParse(details[0]).data?.metadata ?? {};
}

function statusOf(code: number, petrelCode: unknown): number {
  if (code === -32603) return PETREL_STATUS[String(petrelCode)] ?? 500;
  return RPC_STATUS[code] ?? 500;
}

const RPC_STATUS: Readonly<Record<number, number>> = {
  [PARSE_ERROR]: 400,
  [INVALID_REQUEST]: 400,
  [METHOD_NOT_FOUND]: 501,
  [INVALID_PARAMS]: 400,
  "-32001": 404,
  "-32002": 400,
  "-32003": 400,
  "-32004": 400,
  "-32005": 400,
  "-32006": 500,
  "-32007": 400,
  "-32008": 400,
  "-32009": 400,
};

const PETREL_STATUS: Readonly<Record<string, number>> = {
  FORBIDDEN: 403,
  OVERLOADED: 503,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
  PROTOCOL_VIOLATION: 502,
  INCOMPLETE: 502,
  CONFLICT: 409,
};

/** JSON-RPC's own errors, whose code says it all. */
const PLAIN = new Set([PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND]);

/** Those of section 5.4 whose canonical code is not INVALID_ARGUMENT. */
const FAILED_PRECONDITION = new Set([-32002, -32003, -32004, -32007, -32008, -32009]);

const STATUS_NAME: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  405: "UNIMPLEMENTED",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  413: "INVALID_ARGUMENT",
  415: "INVALID_ARGUMENT",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  501: "UNIMPLEMENTED",
  502: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};
