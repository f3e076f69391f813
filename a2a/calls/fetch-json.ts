/**
 * Fetches a JSON document of somebody else's by HTTP: bounded, inside a deadline, no redirect followed.
 * It believes nothing in it.
 */
import { type JSONWebKeySet } from "jose";
import { z } from "zod";
import { type Clock, PetrelError, unlessAborted } from "../../core/mod.ts";
import { startDeadline } from "./deadline.ts";
import { fromHttpError } from "./http-errors.ts";
import { checkHttpUrl, type Fetch, httpFetch } from "./http-fetch.ts";

const BYTES_MAX = 256 * 1024;
const TIMEOUT_MS = 10_000;

export interface FetchJsonOptions {
  readonly clock: Clock;
  readonly fetch?: Fetch;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const AnyObject = z.record(z.string(), z.unknown());
const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/**
 * A JSON object. Throws USAGE for a URL that is not http or https, PROTOCOL_VIOLATION for what is none,
 * TOO_LARGE above 256 KiB, UNAVAILABLE, UNAUTHENTICATED, DEADLINE_EXCEEDED.
 */
export async function fetchJson(
  address: string,
  options: FetchJsonOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const { clock, fetch, headers = {}, signal } = options;
  const url = checkHttpUrl(address, "url");
  const get = httpFetch({
    agent: url.host,
    clock,
    headers: () => ({ accept: "application/json", ...headers }),
    bytesMax: BYTES_MAX,
    ...(fetch ? { fetch } : {}),
  });
  using deadline = startDeadline({ clock, timeoutMs: TIMEOUT_MS, signal, what: url.host });
  const read = async () => (await get(url, { signal: deadline.signal })).text();
  const text = await unlessAborted(read(), deadline.signal).catch((error: unknown) => {
    throw deadline.signal.aborted ? deadline.signal.reason : fromHttpError(error, url.host);
  });
  try {
    return AnyObject.parse(JSON.parse(text));
  } catch (error) {
    const words = `${url.host}: the answer is no JSON object`;
    throw new PetrelError("PROTOCOL_VIOLATION", words, { place: "body" }, error);
  }
}

/** A key set (RFC 7517 section 5), over https alone. Throws as {@link fetchJson}. */
export async function fetchJwks(url: string, options: FetchJsonOptions): Promise<JSONWebKeySet> {
  if (!/^https:\/\//i.test(url)) {
    throw new PetrelError("USAGE", "jku: must be an https URL", { path: "jku" });
  }
  const parsed = Jwks.safeParse(await fetchJson(url, options));
  if (parsed.success) return parsed.data;
  throw new PetrelError("PROTOCOL_VIOLATION", "jku: what is there is no JWKS", { place: "jku" });
}
