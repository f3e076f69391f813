/**
 * One POST of a sink, the way all of them make it: with core's call, the caller's own reason when it
 * aborts, and no part of a secret address in an error. Never retries.
 */
import {
  type HttpResponse,
  type HttpTls,
  httpRequest,
  PetrelError,
  readBytes,
} from "../core/mod.ts";

/** No sink's receiver has more than this to say. */
const ANSWER_BYTES_MAX = 64 * 1024;

export interface Sending {
  readonly system: string;
  readonly url: string;
  /** Default POST where there is a body. */
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON; a text is sent as it is. */
  readonly body?: unknown;
  readonly timeoutMs: number;
  readonly tls?: HttpTls;
  /** Texts no error may show. */
  readonly secrets?: readonly string[];
}

/** Makes the call. Rejects as core's httpRequest does, and with the signal's reason when it aborts. */
export async function send(sending: Sending, signal: AbortSignal): Promise<HttpResponse> {
  const { body, headers = {}, method, ...rest } = sending;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const typed = body === undefined ? headers : { ...headers, "content-type": "application/json" };
  try {
    return await httpRequest({
      ...rest,
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: typed,
      ...(text === undefined ? {} : { body: text }),
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/**
 * An attempt that takes several calls, within one deadline. Rejects with DEADLINE_EXCEEDED when that
 * passes, with the signal's reason when it aborts, and else with what the work rejects with.
 */
export async function within<T>(
  { system, timeoutMs }: { readonly system: string; readonly timeoutMs: number },
  signal: AbortSignal,
  work: (bounded: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return await work(AbortSignal.any([deadline, signal]));
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted || error instanceof PetrelError) throw error;
    const text = `${system}: not done in ${timeoutMs} ms`;
    throw new PetrelError("DEADLINE_EXCEEDED", text, { system, timeoutMs }, error);
  }
}

/** Reads something of an answer; the signal's reason when it aborts meanwhile. */
export async function reading<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** The whole answer as text, bounded. */
export async function textOf(response: HttpResponse, signal: AbortSignal): Promise<string> {
  const bytes = await reading(readBytes(response, ANSWER_BYTES_MAX), signal);
  return Buffer.from(bytes).toString("utf8").trim();
}

/** A 2xx answer that the system does not give when it has taken something. */
export function liar({ system, status }: HttpResponse, why: string): PetrelError {
  const text = `${system} answered ${status}, but not as ${system} does: ${why}`;
  return new PetrelError("PROTOCOL_VIOLATION", text, { system, status, place: "body" });
}

/** What has to stay secret of an address that is one: its path and query, and the pieces of both. */
export function secretsOfUrl(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { pathname, search, username, password } = new URL(url);
  const pieces = [...pathname.split("/"), ...search.split(/[?&=]/)].filter(
    (piece) => piece.length >= 8,
  );
  const whole = [`${pathname}${search}`, pathname, search, username, password];
  return [...whole.filter((part) => part.length >= 4), ...pieces];
}
