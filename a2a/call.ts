/**
 * What travels with one call besides its body: who calls, how long they wait, in which trace.
 * Written into NATS headers by the transport, read back by the server.
 */
import type { MsgHdrs } from "@nats-io/nats-core";
import {
  type Clock,
  childSpan,
  formatTraceparent,
  newId,
  newTrace,
  parseTraceparent,
  type TraceContext,
} from "../core/mod.ts";
import { headersOf } from "./headers.ts";
import { A2A_VERSION, HEADER, type Method } from "./subjects.ts";

/** A caller that names no timeout gets this one. */
export const DEFAULT_TIMEOUT_MS = 30_000;
const SCOPES_CHARS_MAX = 2_000;
const TIMEOUT_MS_MAX = 24 * 3_600_000;
/** It stands in records, headers and keys, and has to leave room for what is appended to it. */
const ENVELOPE_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** True for what may stand in the header that names a call's shard key. */
export function isShardKey(text: string): boolean {
  return /^[A-Za-z0-9._:-]{1,200}$/.test(text);
}

export interface CallInfo {
  readonly method: Method;
  readonly caller: string;
  readonly envelopeId: string;
  /** By what the shard of the call's audit is chosen. */
  readonly shardKey: string;
  readonly trace: TraceContext;
  /** When the caller stops waiting, by the receiver's clock. Milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly version: string;
  readonly extensions: readonly string[];
  /** For whom the caller asks. */
  readonly onBehalf: string | undefined;
  /** What that principal may do; undefined: whatever the caller may. */
  readonly scopes: readonly string[] | undefined;
  /** Number of the last event of a task the caller has seen. */
  readonly cursor: number | undefined;
}

/** A text of a caller's choosing as a header can bear it: itself, or its SHA-256 in hex. */
export function headerKey(text: string): string {
  return isShardKey(text) ? text : new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/**
 * By what the shard of a call's audit is chosen, the same at both ends: the context, else the task
 * (docs/binding-nats.md, "Audit").
 */
export function shardKeyOf(params: unknown): string | undefined {
  if (!isObject(params)) return undefined;
  const message = isObject(params["message"]) ? params["message"] : {};
  const named = [message["contextId"], message["taskId"], params["id"], params["taskId"]];
  const key = named.filter((one) => typeof one === "string").find((one) => one !== "");
  return key === undefined ? undefined : headerKey(key);
}

/** True for a JSON object: no list, and not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True for what may stand in the header that names a principal. */
export function isPrincipal(text: string): boolean {
  return /^[A-Za-z0-9._:@-]{1,128}$/.test(text);
}

/** One call as its sender keeps it. */
export interface Call {
  readonly method: Method;
  readonly envelopeId: string;
  readonly timeoutMs: number;
  /** When it stops waiting, by its own clock. Milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly trace: TraceContext;
  /** By what the shard of the call's audit is chosen; undefined where there is only one. */
  readonly shardKey: string | undefined;
  readonly extensions?: readonly string[];
  readonly onBehalf?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly cursor?: number | undefined;
}

/** Headers of a request that leaves now and is worth an answer for `timeoutMs`. */
export function requestHeaders(call: {
  envelopeId: string;
  timeoutMs: number;
  trace: TraceContext;
  shardKey?: string | undefined;
  extensions?: readonly string[];
  onBehalf?: string | undefined;
  scopes?: readonly string[] | undefined;
  cursor?: number | undefined;
}): MsgHdrs {
  return headersOf({
    [HEADER.version]: A2A_VERSION,
    [HEADER.envelope]: call.envelopeId,
    [HEADER.timeout]: String(Math.max(1, Math.round(call.timeoutMs))),
    [HEADER.traceparent]: formatTraceparent(call.trace),
    [HEADER.shard]: call.shardKey,
    [HEADER.extensions]: call.extensions?.join(",") || undefined,
    [HEADER.onBehalf]: call.onBehalf,
    [HEADER.scopes]: call.scopes?.join(" "),
    [HEADER.cursor]: call.cursor === undefined ? undefined : String(call.cursor),
  });
}

/**
 * Reads the headers of a request a peer sent. Nothing in them is trusted: a missing or malformed
 * value takes its default, and a missing version stays missing (A2A 1.0 reads that as 0.3).
 */
export function readCall(
  method: Method,
  caller: string,
  headers: MsgHdrs | undefined,
  clock: Clock,
): CallInfo {
  const timeoutMs = Number(headers?.get(HEADER.timeout) || DEFAULT_TIMEOUT_MS);
  const sane = timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX ? timeoutMs : DEFAULT_TIMEOUT_MS;
  const parent = parseTraceparent(headers?.get(HEADER.traceparent));
  const named = headers?.get(HEADER.envelope) ?? "";
  const envelopeId = ENVELOPE_ID.test(named) ? named : newId();
  const shardKey = headers?.get(HEADER.shard) ?? "";
  return {
    method,
    caller,
    envelopeId,
    shardKey: isShardKey(shardKey) ? shardKey : (parent?.traceId ?? envelopeId),
    trace: parent ? childSpan(parent) : newTrace(),
    deadlineMs: clock.nowMs() + sane,
    version: headers?.get(HEADER.version) ?? "",
    extensions: (headers?.get(HEADER.extensions) ?? "")
      .split(",")
      .map((uri) => uri.trim())
      .filter(Boolean)
      .slice(0, 20),
    ...readPrincipal(headers),
    cursor: readCursor(headers),
  };
}

/**
 * For whom the caller asks. A header that is there and malformed must not widen what its sender may do:
 * it names a principal of its own, who has no scope.
 */
function readPrincipal(headers: MsgHdrs | undefined): Pick<CallInfo, "onBehalf" | "scopes"> {
  const onBehalf = headers?.has(HEADER.onBehalf) ? headers.get(HEADER.onBehalf) : undefined;
  const scopes = headers?.has(HEADER.scopes) ? headers.get(HEADER.scopes) : undefined;
  const isSane = onBehalf === undefined || isPrincipal(onBehalf);
  const listed = (scopes ?? "").slice(0, SCOPES_CHARS_MAX + 1);
  return {
    onBehalf: isSane ? onBehalf : "malformed",
    scopes:
      scopes === undefined && isSane
        ? undefined
        : listed.length > SCOPES_CHARS_MAX || !isSane
          ? []
          : listed.split(" ").filter(Boolean),
  };
}

function readCursor(headers: MsgHdrs | undefined): number | undefined {
  if (!headers?.has(HEADER.cursor)) return undefined;
  const cursor = Number(headers.get(HEADER.cursor) || "x");
  return Number.isSafeInteger(cursor) && cursor >= 0 ? cursor : undefined;
}
