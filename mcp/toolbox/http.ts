/**
 * MCP's Streamable HTTP, the client's side of a request and its answer, as JSON or as events. Opens no
 * stream to listen on, follows no redirect, resumes nothing: an answer that breaks off is lost.
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import {
  type HttpResponse,
  type HttpTls,
  httpRequest,
  messageOf,
  PetrelError,
  readBytes,
} from "../../core/mod.ts";
import {
  answerTo,
  type BoundedTransport,
  cancelledId,
  type MessageId,
  requestId,
} from "./transport.ts";

export interface McpHttpOptions {
  readonly url: string;
  /** Sent as `Bearer`. */
  readonly token?: string;
  readonly tls?: HttpTls;
}

const GOODBYE_TIMEOUT_MS = 2_000;
const NOTHING_BYTES_MAX = 64 * 1024;

export class McpHttpTransport implements BoundedTransport {
  readonly isPipe = false;
  readonly failure = undefined;
  onmessage?: (message: JSONRPCMessage) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  readonly #name: string;
  readonly #options: McpHttpOptions;
  readonly #bounds: { readonly timeoutMs: number; readonly bytesMax: number };
  readonly #running = new Map<MessageId, AbortController>();
  readonly #closing = new AbortController();
  #session: string | undefined;
  #version: string | undefined;

  constructor(
    name: string,
    options: McpHttpOptions,
    bounds: { readonly timeoutMs: number; readonly bytesMax: number },
  ) {
    this.#name = name;
    this.#options = options;
    this.#bounds = bounds;
  }

  setProtocolVersion(version: string): void {
    this.#version = version;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves when the answer has come, for a request; rejects with a PetrelError. */
  async send(message: JSONRPCMessage): Promise<void> {
    const withdrawn = cancelledId(message);
    if (withdrawn !== undefined) this.#running.get(withdrawn)?.abort();
    const id = requestId(message);
    const own = new AbortController();
    if (id !== undefined) this.#running.set(id, own);
    try {
      const signal = AbortSignal.any([own.signal, this.#closing.signal]);
      const response = await this.#request("POST", JSON.stringify(message), signal);
      this.#session ??= sessionOf(response);
      if (id === undefined) await readBytes(response, NOTHING_BYTES_MAX);
      else this.onmessage?.(await this.#answer(response, id));
    } finally {
      if (id !== undefined) this.#running.delete(id);
    }
  }

  #request(
    method: "POST" | "DELETE",
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const { url, token, tls } = this.#options;
    return httpRequest({
      system: this.#name,
      url,
      method,
      headers: {
        Accept: "application/json, text/event-stream",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(this.#session === undefined ? {} : { "Mcp-Session-Id": this.#session }),
        ...(this.#version === undefined ? {} : { "MCP-Protocol-Version": this.#version }),
      },
      timeoutMs: this.#bounds.timeoutMs,
      signal,
      ...(body === undefined ? {} : { body }),
      ...(tls === undefined ? {} : { tls }),
    });
  }

  async #answer(response: HttpResponse, id: MessageId): Promise<JSONRPCMessage> {
    const isAsked = (other: MessageId) => other === id;
    const type = response.headers.get("content-type") ?? "";
    if (/^text\/event-stream\b/i.test(type)) {
      for await (const data of events(response, this.#bounds.bytesMax)) {
        const answer = answerTo(parsed(data, this.#name), isAsked);
        if (answer) return answer;
      }
    } else {
      const bytes = await readBytes(response, this.#bounds.bytesMax);
      const value = parsed(Buffer.from(bytes).toString("utf8"), this.#name);
      for (const each of Array.isArray(value) ? value : [value]) {
        const answer = answerTo(each, isAsked);
        if (answer) return answer;
      }
    }
    const text = `${this.#name}: what was asked was not answered`;
    throw new PetrelError("INCOMPLETE", text, { system: this.#name });
  }

  /** Says goodbye to a session, briefly, and stops whatever is running. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const signal = AbortSignal.timeout(GOODBYE_TIMEOUT_MS);
    if (this.#session !== undefined)
      await this.#request("DELETE", undefined, signal)
        .then((answer) => readBytes(answer, NOTHING_BYTES_MAX))
        .catch((error: unknown) => this.onerror?.(new Error(messageOf(error))));
    this.onclose?.();
  }
}

/** Visible ASCII, as the specification has it; what is longer is no session we would send. */
function sessionOf({ headers }: HttpResponse): string | undefined {
  const session = headers.get("mcp-session-id");
  return session !== null && /^[\x21-\x7e]{1,1000}$/.test(session) ? session : undefined;
}

function parsed(text: string, system: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = `${system}: the answer is not JSON`;
    throw new PetrelError("PROTOCOL_VIOLATION", message, { system, place: "body" }, error);
  }
}

/** The data of the events in a body, in order (WHATWG HTML, "Server-sent events"). */
async function* events(response: HttpResponse, bytesMax: number): AsyncGenerator<string> {
  const { system } = response;
  const decoder = new TextDecoder();
  let bytes = 0;
  let data: string[] = [];
  let parts: string[] = [];
  for await (const part of response.body) {
    bytes += part.byteLength;
    if (bytes > bytesMax) {
      const text = `${system}: the answer is longer than ${bytesMax} bytes; ask for less`;
      throw new PetrelError("TOO_LARGE", text, { system, limit: bytesMax });
    }
    const lines = decoder.decode(part, { stream: true }).split("\n");
    for (const [at, piece] of lines.entries()) {
      parts.push(piece);
      if (at === lines.length - 1) continue;
      const line = parts.join("").replace(/\r$/, "");
      parts = [];
      if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      if (line !== "" || data.length === 0) continue;
      yield data.join("\n");
      data = [];
    }
  }
}
