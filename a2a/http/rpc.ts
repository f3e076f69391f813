/**
 * A JSON-RPC request as it came over HTTP: checked as far as the edge must know it, and no further. The
 * text is parsed once; the bytes go on as they came.
 */
import { isObject } from "../call.ts";
import { METHODS, type Method } from "../subjects.ts";
import { INVALID_REQUEST, malformed, PARSE_ERROR } from "./refusal.ts";

export type RpcId = string | number | null;

/** A body that is JSON text in UTF-8. */
export interface JsonBody {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly json: unknown;
}

export interface RpcRequest {
  readonly id: RpcId;
  readonly method: string;
  readonly params: unknown;
}

const BY_NAME: ReadonlyMap<string, Method> = new Map(METHODS.map((method) => [method, method]));
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** The operation of A2A 1.0 with that name. */
export function methodOf(name: string): Method | undefined {
  return BY_NAME.get(name);
}

/** UTF-8 as text; undefined for other bytes. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Throws a refusal with JSON-RPC's parse error (-32700). */
export function readJson(bytes: Uint8Array): JsonBody {
  const text = textOf(bytes);
  if (text === undefined) throw malformed(PARSE_ERROR, "Invalid JSON payload: not UTF-8");
  try {
    return { bytes, text, json: JSON.parse(text) };
  } catch {
    throw malformed(PARSE_ERROR, "Invalid JSON payload");
  }
}

/**
 * The envelope's fields (JSON-RPC 2.0 section 4). Throws a refusal that names the field (-32600). A
 * batch is not a request of A2A.
 */
export function readRpc(json: unknown): RpcRequest {
  if (!isObject(json)) throw malformed(INVALID_REQUEST, "body: not a JSON-RPC request object");
  const { jsonrpc, method, params } = json;
  if (!isRpcId(json["id"] ?? null)) {
    throw malformed(INVALID_REQUEST, "id: must be a string, an integer or null");
  }
  if (jsonrpc !== "2.0") throw malformed(INVALID_REQUEST, 'jsonrpc: must be "2.0"');
  if (typeof method !== "string") throw malformed(INVALID_REQUEST, "method: must be a string");
  return { id: idOf(json), method, params };
}

/** The id of whatever came, for the answer to what could not be read; null when there is none. */
export function idOf(json: unknown): RpcId {
  const id = isObject(json) ? json["id"] : null;
  return isRpcId(id) ? id : null;
}

function isRpcId(id: unknown): id is RpcId {
  return id === null || typeof id === "string" || Number.isInteger(id);
}
