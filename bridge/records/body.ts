/**
 * What a reported body is. One that has the form of its kind is JSON and goes on to the byte; whatever
 * else a peer sent is kept as text, so that a reader of the schemas never meets an object they forbid.
 */
import type { RecordMeta } from "../../a2a/mod.ts";

export const JSON_TYPE = "application/json";
export const TEXT_TYPE = "text/plain; charset=UTF-8";

type Kind = RecordMeta["kind"];

export interface ReadBody {
  /** Undefined for an empty body. */
  readonly contentType: string | undefined;
  /** The parsed body, whatever its form; undefined when it is no JSON. */
  readonly json: unknown;
}

/** Reads a body. Never throws. */
export function readBody(kind: Kind, text: string): ReadBody {
  if (text === "") return { contentType: undefined, json: undefined };
  const json = parsed(text);
  return { contentType: hasForm(kind, json) ? JSON_TYPE : TEXT_TYPE, json };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Holds exactly when the schema of the kind's data admits `json` as an object. */
function hasForm(kind: Kind, json: unknown): boolean {
  if (!isObject(json)) return false;
  switch (kind) {
    case "request":
      return isRequest(json);
    case "response":
      return isResponse(json);
    case "frame":
    case "task":
      return isResponse(json) || isStreamResponse(json);
    case "alarm":
      return true;
    default:
      kind satisfies never;
      return false;
  }
}

type Json = Readonly<Record<string, unknown>>;

/** JSON-RPC 2.0 section 4, with named parameters alone, as A2A has them. */
function isRequest(json: Json): boolean {
  return (
    json.jsonrpc === "2.0" &&
    typeof json.method === "string" &&
    (!Object.hasOwn(json, "params") || isObject(json.params)) &&
    (!Object.hasOwn(json, "id") || isRpcId(json.id))
  );
}

/** JSON-RPC 2.0 section 5. */
function isResponse(json: Json): boolean {
  if (json.jsonrpc !== "2.0" || !Object.hasOwn(json, "id") || !isRpcId(json.id)) return false;
  if (!Object.hasOwn(json, "error")) return Object.hasOwn(json, "result");
  const { error } = json;
  return isObject(error) && Number.isInteger(error.code) && typeof error.message === "string";
}

const EVENTS = ["task", "message", "statusUpdate", "artifactUpdate"];

/** A2A 1.0 section 3.2.3: one of four members. */
function isStreamResponse(json: Json): boolean {
  return EVENTS.some((name) => isObject(json[name]));
}

function isRpcId(id: unknown): boolean {
  return id === null || typeof id === "string" || typeof id === "number";
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
