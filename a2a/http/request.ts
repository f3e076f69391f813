/**
 * What comes with an HTTP request besides its body: A2A's service parameters (A2A 1.0 section 3.2.6) and
 * how much of a body is read, for how long. Nothing in a header is trusted: what is malformed counts as
 * absent.
 */
import {
  childSpan,
  limits,
  newTrace,
  PetrelError,
  parseTraceparent,
  type TraceContext,
} from "../../core/mod.ts";
import { Refusal, SERVER_ERROR, tooLarge } from "./refusal.ts";

export interface ServiceParameters {
  /** `Major.Minor`; `0.3` where the client names none (section 3.6.2). */
  readonly version: string;
  /** URIs with commas between. */
  readonly extensions: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly trace: TraceContext;
  /** What EventSource sends when it comes back: the id of the last event it saw. */
  readonly lastEventId: number | undefined;
}

const TIMEOUT_MS_MAX = 24 * 3_600_000;
const EXTENSIONS_MAX = 20;
const EXTENSIONS_CHARS_MAX = 2_000;
const BODY_TIMEOUT_MS = 15_000;
const VISIBLE = /^[\x21-\x7e]+$/;

export function readService(request: Request): ServiceParameters {
  const { headers, url } = request;
  const parent = parseTraceparent(headers.get("traceparent") ?? undefined);
  const timeoutMs = Number(headers.get("a2a-timeout-ms") ?? Number.NaN);
  const lastEventId = headers.get("last-event-id") ?? "";
  return {
    version: majorMinor(headers.get("a2a-version") || versionInQuery(url)),
    extensions: extensionsOf(headers.get("a2a-extensions") ?? headers.get("x-a2a-extensions")),
    timeoutMs: timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX ? timeoutMs : undefined,
    trace: parent ? childSpan(parent) : newTrace(),
    lastEventId: /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : undefined,
  };
}

/** True when the body is said to be one of `types`, such as `application/json`; parameters are ignored. */
export function hasContentType(request: Request, types: readonly string[]): boolean {
  const [type = ""] = (request.headers.get("content-type") ?? "").split(";", 1);
  return types.includes(type.trim().toLowerCase());
}

/**
 * The whole body, at most ENVELOPE_BYTES_MAX bytes, within 15 s. Throws a refusal: too large (413), too
 * slow (408).
 */
export async function readBytes(request: Request): Promise<Uint8Array> {
  const said = request.headers.get("content-length");
  if (Number(said ?? 0) > limits.ENVELOPE_BYTES_MAX) throw tooLarge();
  const reading = said === null ? readChunks(request) : request.bytes();
  return inTime(reading);
}

/** A client that sends one byte a minute would hold its place for ever. */
async function inTime(reading: Promise<Uint8Array>): Promise<Uint8Array> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow()), BODY_TIMEOUT_MS);
  });
  try {
    return await Promise.race([reading, late]);
  } catch (error) {
    if (error instanceof PetrelError) throw error;
    throw new PetrelError("CANCELLED", "the client left before its request was whole", {}, error);
  } finally {
    clearTimeout(timer);
  }
}

/** A body that does not say how long it is (HTTP/1.1 chunks). */
async function readChunks(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > limits.ENVELOPE_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooSlow(): Refusal {
  return new Refusal("DEADLINE_EXCEEDED", "body: it did not arrive in time", {
    status: 408,
    rpcCode: SERVER_ERROR,
    reason: "DEADLINE_EXCEEDED",
  });
}

/** A client may name the version in the query (section 3.6.1). */
function versionInQuery(url: string): string {
  if (!url.includes("?")) return "";
  return new URL(url).searchParams.get("A2A-Version") ?? "";
}

/** The patch number counts for nothing (section 3.6), and nothing means 0.3 (section 3.6.2). */
function majorMinor(version: string): string {
  const trimmed = version.trim();
  return /^(\d+\.\d+)(?:\.\d+)?$/.exec(trimmed)?.[1] ?? (trimmed || "0.3");
}

function extensionsOf(header: string | null): string | undefined {
  if (header === null || header.length > EXTENSIONS_CHARS_MAX) return undefined;
  const uris = header.split(",").map((uri) => uri.trim());
  const kept = uris.filter((uri) => VISIBLE.test(uri)).slice(0, EXTENSIONS_MAX);
  return kept.join(",") || undefined;
}
