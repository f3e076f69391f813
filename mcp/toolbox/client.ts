/**
 * A client of one MCP server, over HTTP or over a child process. It connects when it is first needed and
 * again after a failure, later each time. Every wait has a deadline and everything read a bound; it never
 * sends a call twice, and never shows anybody the credentials it was given.
 */
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { type Clock, type Logger, messageOf, PetrelError, unlessAborted } from "../../core/mod.ts";
import { answerOf, remoteTool } from "./answers.ts";
import { type McpHttpOptions, McpHttpTransport } from "./http.ts";
import type * as SdkModule from "./sdk.ts";
import type { RemoteAnswer, RemoteTool, ToolServer } from "./server.ts";
import { type McpStdioOptions, McpStdioTransport } from "./stdio.ts";
import type { BoundedTransport } from "./transport.ts";

export interface McpClientOptions {
  /** As it appears in errors and before its tools' names: letters, digits, minus. */
  readonly name: string;
  readonly reach: McpHttpOptions | McpStdioOptions;
  /** Of one request; default 30 s. */
  readonly timeoutMs?: number;
  /** Until a server has said who it is; default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Longest answer; default 2 MiB. */
  readonly answerBytesMax?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const TIMEOUT_MS = 30_000;
/** A server that cannot even say what it has is away. */
const LIST_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 2 * 1024 * 1024;
const TOOLS_MAX = 500;
const PAGES_MAX = 10;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_CAP_MS = 60_000;
const SECRET_CHARS_MIN = 8;

type Sdk = typeof SdkModule;

interface Connection {
  readonly client: Client;
  readonly transport: BoundedTransport;
  readonly sdk: Sdk;
}

/** What was given to reach the server, and must not come back in an answer. */
function secretsOf(reach: McpClientOptions["reach"]): string[] {
  const secrets =
    "url" in reach
      ? [reach.token ?? ""]
      : Object.entries(reach.env)
          .filter(([name]) => /token|secret|pass|key|cred|auth/i.test(name))
          .map(([, value]) => value);
  return secrets.filter((secret) => secret.length >= SECRET_CHARS_MIN);
}

export class McpClient implements ToolServer {
  readonly name: string;
  readonly #options: McpClientOptions;
  readonly #secrets: readonly string[];
  readonly #closing = new AbortController();
  readonly #endings = new Set<Promise<void>>();
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  #failures = 0;
  #retryAtMs = 0;

  constructor(options: McpClientOptions) {
    this.name = options.name;
    this.#options = options;
    this.#secrets = secretsOf(options.reach);
  }

  async list(signal: AbortSignal): Promise<readonly RemoteTool[]> {
    const tools = new Map<string, RemoteTool>();
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX && tools.size < TOOLS_MAX; page++) {
      const answer = await this.#ask(true, signal, ({ client, sdk }, options) =>
        client.request(
          { method: "tools/list", params: cursor === undefined ? {} : { cursor } },
          sdk.ListToolsResultSchema,
          options,
        ),
      );
      for (const listed of answer.tools.slice(0, TOOLS_MAX - tools.size)) {
        const tool = remoteTool(listed);
        if (tool && !tools.has(tool.name)) tools.set(tool.name, tool);
      }
      cursor = answer.nextCursor;
      if (cursor === undefined) break;
    }
    return [...tools.values()];
  }

  async call(
    name: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<RemoteAnswer> {
    const params = { name, arguments: { ...args } };
    const result = await this.#ask(false, signal, ({ client, sdk }, options) =>
      client.request({ method: "tools/call", params }, sdk.CallToolResultSchema, options),
    );
    const { isError, text } = answerOf(result);
    return { isError, text: this.#withoutSecrets(text) };
  }

  #withoutSecrets(text: string): string {
    return this.#secrets.reduce((clean, secret) => clean.replaceAll(secret, "[secret]"), text);
  }

  async #ask<T>(
    isListing: boolean,
    signal: AbortSignal,
    request: (
      connection: Connection,
      options: { timeout: number; signal: AbortSignal },
    ) => Promise<T>,
  ): Promise<T> {
    const connection = await this.#connected(signal);
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const timeout = isListing ? Math.min(timeoutMs, LIST_TIMEOUT_MS) : timeoutMs;
    const options = { timeout, signal };
    try {
      const answer = await unlessAborted(request(connection, options), signal);
      this.#failures = 0;
      return answer;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const failure = this.#named(error, connection);
      this.#judge(connection, failure, isListing);
      throw failure;
    }
  }

  async #connected(signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw new PetrelError("CANCELLED", `${this.name}: is closed`);
    if (this.#connection) return this.#connection;
    const waitMs = this.#retryAtMs - this.#options.clock.nowMs();
    if (!this.#connecting && waitMs > 0) {
      const text = `${this.name}: is away; it is tried again in ${Math.ceil(waitMs / 1000)} s`;
      throw new PetrelError("UNAVAILABLE", text, { system: this.name });
    }
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return unlessAborted(this.#connecting, signal);
  }

  async #connect(): Promise<Connection> {
    const sdk = await import("./sdk.ts");
    const transport = this.#transport();
    const client = sdk.makeClient();
    const connection = { client, transport, sdk };
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's client is no EventTarget
    client.onclose = () => this.#drop(connection, true);
    const timeout = this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const deadline = AbortSignal.any([AbortSignal.timeout(timeout), this.#closing.signal]);
    try {
      await unlessAborted(client.connect(transport, { timeout, signal: deadline }), deadline);
      this.#connection = connection;
      return connection;
    } catch (error) {
      this.#backOff();
      this.#end(transport);
      throw this.#named(error, connection);
    }
  }

  #transport(): BoundedTransport {
    const { reach, clock, log, timeoutMs = TIMEOUT_MS } = this.#options;
    const bytesMax = this.#options.answerBytesMax ?? ANSWER_BYTES_MAX;
    return "url" in reach
      ? new McpHttpTransport(this.name, reach, { timeoutMs, bytesMax })
      : new McpStdioTransport(this.name, reach, { clock, log, bytesMax });
  }

  /** What went wrong, in the closed set. The words of a server are bounded, and never our credentials. */
  #named(error: unknown, { transport, sdk }: Connection): PetrelError {
    const fields = { system: this.name };
    if (error instanceof PetrelError) return error;
    if (transport.failure) return transport.failure;
    const { McpError, REQUEST_TIMEOUT, CONNECTION_CLOSED } = sdk;
    const message = this.#withoutSecrets(messageOf(error, 300));
    const isLate =
      (error instanceof McpError && error.code === REQUEST_TIMEOUT) ||
      (error instanceof Error && error.name === "TimeoutError");
    if (isLate)
      return new PetrelError("DEADLINE_EXCEEDED", `${this.name}: no answer in time`, fields, error);
    if (error instanceof McpError && error.code === CONNECTION_CLOSED)
      return new PetrelError("INCOMPLETE", `${this.name}: the connection closed`, fields, error);
    if (error instanceof McpError)
      return new PetrelError("QUERY_REFUSED", `${this.name}: ${message}`, fields, error);
    const text = `${this.name}: the answer is not as MCP has it: ${message}`;
    return new PetrelError("PROTOCOL_VIOLATION", text, fields, error);
  }

  /** A pipe that failed once is ended; a URL is only met anew. Neither is at fault for a long answer. */
  #judge(connection: Connection, { code, fields }: PetrelError, isListing: boolean): void {
    const isLost = ["UNAVAILABLE", "INCOMPLETE", "PROTOCOL_VIOLATION", "UNAUTHENTICATED"];
    if (isLost.includes(code) || (isListing && code === "DEADLINE_EXCEEDED"))
      this.#drop(connection, true);
    const isTooMuch = code === "DEADLINE_EXCEEDED" || code === "TOO_LARGE";
    // A session that the server has forgotten is answered with 404 (MCP, "Session Management").
    if ((connection.transport.isPipe && isTooMuch) || fields["status"] === 404)
      this.#drop(connection, false);
  }

  #drop(connection: Connection, isFault: boolean): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (isFault) this.#backOff();
    if (connection.transport.isPipe) this.#end(connection.transport);
  }

  #backOff(): void {
    const waitMs = Math.min(BACKOFF_CAP_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
    this.#failures++;
    this.#retryAtMs = this.#options.clock.nowMs() + waitMs;
  }

  #end(transport: BoundedTransport): void {
    const ending = transport.close().catch((error: unknown) => {
      this.#options.log.debug("mcp.close_failed", { server: this.name, error: messageOf(error) });
    });
    this.#endings.add(ending);
    void ending.then(() => this.#endings.delete(ending));
  }

  /** Ends the connection, and the child process with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new PetrelError("CANCELLED", `${this.name}: is closed`));
    await this.#connecting?.catch(() => undefined);
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection) this.#end(connection.transport);
    await Promise.all(this.#endings);
  }
}
