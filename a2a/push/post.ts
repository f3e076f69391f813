/**
 * One HTTP POST to a webhook that was judged: to the addresses that were judged and no others, with the
 * certificate checked against the webhook's name. It follows no redirect, reads no body of the answer,
 * uses no proxy and keeps no connection.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { Destination } from "./address.ts";

export interface PostOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends the attempt; its reason is what is thrown. */
  readonly signal: AbortSignal;
  /** PEM certificates of the authorities trusted besides the system's, for webhooks inside. */
  readonly ca?: string | undefined;
}

export interface PostAnswer {
  readonly status: number;
  /** The header as it came; undefined when there was none. */
  readonly retryAfter: string | undefined;
}

/** Sends, and resolves with the answer's status. Throws UNAVAILABLE when none came, or the signal's reason. */
export async function post(destination: Destination, options: PostOptions): Promise<PostAnswer> {
  const { signal } = options;
  signal.throwIfAborted();
  const outgoing = open(destination, options);
  let abort: () => void = () => {};
  try {
    return await new Promise<PostAnswer>((resolve, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      outgoing.once("error", (error: unknown) => reject(unreachable(error)));
      outgoing.once("response", (incoming: IncomingMessage) => resolve(answerOf(incoming)));
      outgoing.end(options.body);
    });
  } finally {
    signal.removeEventListener("abort", abort);
    // What is torn down may still say so.
    outgoing.on("error", () => {});
    outgoing.destroy();
  }
}

function open({ url, host, addresses }: Destination, { headers, body, ca }: PostOptions) {
  const isTls = url.protocol === "https:";
  const options = {
    method: "POST",
    host,
    port: url.port === "" ? undefined : Number(url.port),
    path: `${url.pathname}${url.search}`,
    lookup: pinnedTo(addresses),
    agent: false as const,
    headers: { ...headers, "content-length": String(Buffer.byteLength(body)) },
  };
  if (!isTls) return httpRequest(options);
  return httpsRequest({ ...options, ...(ca === undefined ? {} : { ca }) });
}

/** Answers for every name with what was judged: the name is never resolved a second time. */
function pinnedTo(addresses: Destination["addresses"]): LookupFunction {
  return (_host, options, done) => {
    const [first] = addresses;
    if (options.all) done(null, [...addresses]);
    else if (first) done(null, first.address, first.family);
    else done(new Error("no address"), "");
  };
}

function answerOf(incoming: IncomingMessage): PostAnswer {
  incoming.on("error", () => {});
  const { statusCode = 0 } = incoming;
  return { status: statusCode, retryAfter: incoming.headers["retry-after"] };
}

function unreachable(error: unknown): PetrelError {
  return new PetrelError("UNAVAILABLE", `webhook: ${messageOf(error, 200)}`, {}, error);
}
