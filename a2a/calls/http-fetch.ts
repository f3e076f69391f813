/**
 * `fetch` for talking to agents of others: no redirect is followed, no answer is larger than its bound,
 * and what is no success becomes an error of ours. It sends to http and https alone.
 */
import { type Clock, limits, PetrelError } from "../../core/mod.ts";
import { retryAfterMs } from "../push/deliver.ts";
import { fromStatus } from "./http-errors.ts";

/** An answer of another agent that is no stream. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface HttpFetchOptions {
  /** For errors. */
  readonly agent: string;
  readonly clock: Clock;
  /** Sent with every request; the operator's credentials, for one. Never logged. */
  readonly headers: () => Readonly<Record<string, string>>;
  readonly fetch?: Fetch;
  readonly bytesMax?: number;
}

/** A `fetch` to give to the SDK. It throws UNAVAILABLE, OVERLOADED, UNAUTHENTICATED, TOO_LARGE … */
export function httpFetch(options: HttpFetchOptions): Fetch {
  const { agent, clock, fetch: send = fetch, bytesMax = ANSWER_BYTES_MAX } = options;
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    for (const [name, value] of Object.entries(options.headers())) headers.set(name, value);
    const response = await send(input, { ...init, headers, redirect: "manual" });
    if (response.ok) {
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
      return isStream ? response : bounded(response, bytesMax, agent);
    }
    const text = await textOf(response, limits.HTTP_ERROR_BODY_BYTES_MAX, agent);
    const askedMs = retryAfterMs(response.headers.get("retry-after"), clock.nowMs());
    const error = fromStatus(response.status, text, agent, askedMs);
    if (error) throw error;
    return new Response(text, { status: response.status, headers: response.headers });
  };
}

/** A body as text. Throws TOO_LARGE beyond `bytesMax`, having read no more than that. */
export async function textOf(response: Response, bytesMax: number, agent: string): Promise<string> {
  return bounded(response, bytesMax, agent).text();
}

function bounded(response: Response, bytesMax: number, agent: string): Response {
  let bytes = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      bytes += chunk.byteLength;
      if (bytes <= bytesMax) controller.enqueue(chunk);
      else {
        const words = `agent "${agent}": the answer has more than ${bytesMax} bytes`;
        controller.error(new PetrelError("TOO_LARGE", words, { agent, limit: bytesMax }));
      }
    },
  });
  const { status, headers } = response;
  return new Response(response.body?.pipeThrough(counter) ?? null, { status, headers });
}

/** An address an operator gave: http or https, no credentials in it. Throws USAGE. */
export function checkHttpUrl(text: string, field: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || text.length > 2_000) {
    const message = `${field}: must be an http or https URL`;
    throw new PetrelError("USAGE", message, { path: field });
  }
  if (url.username || url.password) {
    const message = `${field}: must hold no user and no password`;
    throw new PetrelError("USAGE", message, { path: field });
  }
  return url;
}
