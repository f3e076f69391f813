/**
 * One HTTP call to another system, the way every client of Petrel makes it: with a deadline of its own,
 * bounded error bodies, no redirects, and failures as errors of the closed set.
 * Never retries, never reads a good body into memory by itself, and never lets a credential into an
 * error message.
 */
import { checkServerIdentity } from "node:tls";
import type { z } from "zod";
import { messageOf, PetrelError } from "../errors.ts";
import * as limits from "../limits.ts";
import { failureOfStatus, retryAfterMs, systemMessage } from "./status.ts";

export interface HttpTls {
  /** PEM of the certificate authority to trust instead of the system's. */
  readonly ca?: string;
  /** The name the certificate carries, when it is not the host in the URL. */
  readonly certificateName?: string;
  /** PEM of a client certificate and its key, for mutual TLS. */
  readonly cert?: string;
  readonly key?: string;
}

export interface HttpRequest {
  /** The system's name as it appears in errors: `splunk`, `prometheus`, `grafana`. */
  readonly system: string;
  readonly url: string;
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Bounds the whole call, the reading of the body included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly tls?: HttpTls;
  /**
   * Texts that no error may show, wherever they come from: parts of the address, keys in the body.
   * Headers that carry credentials count by themselves.
   */
  readonly secrets?: readonly string[];
}

/** An answer with a 2xx status. `body` can be read once; leaving its loop early frees the connection. */
export interface HttpResponse {
  readonly system: string;
  readonly status: number;
  readonly headers: Headers;
  readonly body: AsyncIterable<Uint8Array>;
  /** Frees the connection of a body that nobody reads. */
  discard(): Promise<void>;
}

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ConnectionRefused",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "FailedToOpenSocket",
]);
const CUT = new Set(["ECONNRESET", "ConnectionClosed", "EPIPE"]);

/** What one call is known by when it fails. */
interface Call {
  readonly system: string;
  /** Scheme, host and path: no user, no query. */
  readonly place: string;
  readonly timeoutMs: number;
  readonly deadline: AbortSignal;
  readonly caller: AbortSignal | undefined;
  readonly secrets: readonly string[];
}

function placeOf(url: string, system: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") {
    throw new PetrelError("CONFIG_INVALID", `${system}: the address is not an http(s) URL`, {
      system,
      path: "url",
    });
  }
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}

/** Names a failure of the transport. `reading` is true once the answer's head has arrived. */
function transportError(failure: unknown, call: Call, reading: boolean): PetrelError {
  if (failure instanceof PetrelError) return failure;
  const { system, place, secrets } = call;
  const fields = { system, place };
  // What fetch throws holds the whole address.
  const error = secrets.length === 0 ? failure : withoutAddress(failure, secrets);
  if (call.caller?.aborted) {
    return new PetrelError("CANCELLED", `${system}: the call was cancelled`, fields, error);
  }
  if (call.deadline.aborted) {
    const text = `${system}: no ${reading ? "complete " : ""}answer from ${place} in ${call.timeoutMs} ms`;
    return new PetrelError(
      "DEADLINE_EXCEEDED",
      text,
      { ...fields, timeoutMs: call.timeoutMs },
      error,
    );
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (reading || CUT.has(code)) {
    const text = `${system}: ${place} closed the connection before its answer was complete`;
    return new PetrelError("INCOMPLETE", text, fields, error);
  }
  const why = UNREACHABLE.has(code) ? code : without(messageOf(error, 200), secrets);
  return new PetrelError("UNAVAILABLE", `${system}: cannot reach ${place}: ${why}`, fields, error);
}

function withoutAddress(failure: unknown, secrets: readonly string[]): Error {
  const code = failure instanceof Error && "code" in failure ? { code: failure.code } : {};
  return Object.assign(new Error(without(messageOf(failure, 200), secrets)), code);
}

function tlsInit(tls: HttpTls): BunFetchRequestInit["tls"] {
  const { certificateName, ...pem } = tls;
  if (certificateName === undefined) return pem;
  return {
    ...pem,
    checkServerIdentity: (_host, cert) => checkServerIdentity(certificateName, cert),
  };
}

async function* readBody(response: Response, call: Call): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const part = await reader.read();
      if (part.done) return;
      yield part.value;
    }
  } catch (error) {
    throw transportError(error, call, true);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The first `bytesMax` bytes of a body as text; a body that fails half-way gives what came. */
async function readTextUpTo(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let left = bytesMax;
  try {
    for await (const part of body) {
      text += decoder.decode(part.subarray(0, left), { stream: true });
      left -= part.byteLength;
      if (left <= 0) break;
    }
  } catch {
    // The status already says what went wrong; the text would only have explained it.
  }
  return text + decoder.decode();
}

/** Credentials may come back in an error page: every value of a header that carries one. */
function secretsIn(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers)
    .filter(([name]) => /authorization|api-?key|token|cookie/i.test(name))
    .flatMap(([, value]) => [value, ...value.split(/\s+/)])
    .filter((secret) => secret.length >= 8);
}

function without(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, "[secret]"), text);
}

/**
 * Makes one call. Resolves with any 2xx answer as soon as its head is there.
 *
 * Rejects with UNAVAILABLE (no connection, 5xx), OVERLOADED (429, 503), UNAUTHENTICATED (401, 403),
 * QUERY_REFUSED (other 4xx, with the system's own words in `fields.message`), PROTOCOL_VIOLATION (a
 * redirect), INCOMPLETE (connection cut), DEADLINE_EXCEEDED or CANCELLED. `fields.system` and, where
 * there is one, `fields.status` say whose answer it was; `fields.retryAfterMs` when to come again, where
 * the system said so.
 */
export async function httpRequest(request: HttpRequest): Promise<HttpResponse> {
  const { system, headers = {} } = request;
  const secrets = (request.secrets ?? []).filter((secret) => secret !== "");
  const call: Call = {
    system,
    place: without(placeOf(request.url, system), secrets),
    secrets,
    timeoutMs: request.timeoutMs,
    deadline: AbortSignal.timeout(request.timeoutMs),
    caller: request.signal,
  };
  const signals = request.signal ? [call.deadline, request.signal] : [call.deadline];
  // Bun gives up after 360 s without a byte unless `timeout` is false; its types do not list it.
  const init: BunFetchRequestInit & { timeout: false } = {
    method: request.method ?? "GET",
    headers: { ...headers },
    redirect: "manual",
    signal: AbortSignal.any(signals),
    timeout: false,
    ...(request.body === undefined ? {} : { body: request.body }),
    ...(request.tls === undefined ? {} : { tls: tlsInit(request.tls) }),
  };
  let response: Response;
  try {
    response = await fetch(request.url, init);
  } catch (error) {
    throw transportError(error, call, false);
  }
  const { status } = response;
  const body = readBody(response, call);
  if (status >= 200 && status < 300) {
    const discard = async () => response.body?.cancel().catch(() => undefined);
    return { system, status, headers: response.headers, body, discard };
  }
  const text = await readTextUpTo(body, limits.HTTP_ERROR_BODY_BYTES_MAX);
  const message = without(systemMessage(text), [...secrets, ...secretsIn(headers)]);
  throw failureOfStatus(system, status, message, retryAfterMs(response.headers));
}

/**
 * Reads a whole body of at most `bytesMax` bytes. Rejects with TOO_LARGE (`fields.limit` in bytes),
 * and with what the transport says.
 */
export async function readBytes(response: HttpResponse, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.byteLength;
    if (bytes > bytesMax) {
      const text = `${response.system}: the answer is longer than ${bytesMax} bytes; ask for less`;
      throw new PetrelError("TOO_LARGE", text, { system: response.system, limit: bytesMax });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * Reads a body of at most `bytesMax` bytes as JSON of the shape `schema` allows. Rejects with
 * TOO_LARGE, with PROTOCOL_VIOLATION (`fields.place` is the path of the first wrong value, or `body`
 * when it is not JSON at all), and with what the transport says.
 */
export async function readJson<Schema extends z.ZodType>(
  response: HttpResponse,
  schema: Schema,
  bytesMax: number,
): Promise<z.output<Schema>> {
  const { system, status } = response;
  const text = Buffer.from(await readBytes(response, bytesMax)).toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const what = text.trim() === "" ? "is empty" : "is not JSON";
    const fields = { system, status, place: "body" };
    throw new PetrelError("PROTOCOL_VIOLATION", `${system}: the answer ${what}`, fields, error);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue?.path.map(String).join(".") || "body";
  const message = `${system}: the answer is not as documented at ${place}: ${issue?.message ?? ""}`;
  throw new PetrelError("PROTOCOL_VIOLATION", message, { system, status, place });
}
