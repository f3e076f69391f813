/**
 * Where tools come from: our own, in this process, or those of an MCP server. Nothing here decides what
 * may be called.
 */
import type { ToolHost } from "../server/host.ts";
import type { ToolDefinition } from "../server/tool.ts";
import { words } from "./words.ts";

/** A tool as its server lists it, made harmless: bounded, one line, no invisible characters. */
export interface RemoteTool {
  readonly name: string;
  readonly description: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** As the server says; undefined where it does not. */
  readonly readOnly?: boolean;
  readonly destructive?: boolean;
  /** Of all that the server says of it, before anything was cut. */
  readonly hash: string;
}

export interface RemoteAnswer {
  readonly isError: boolean;
  /** As it came, at most as many bytes as the server may answer with. */
  readonly text: string;
  /** Nothing was sent to anybody. Only our own tools can say so. */
  readonly isRefused?: boolean;
}

export interface ToolServer extends AsyncDisposable {
  readonly name: string;
  /** Rejects with a PetrelError, or with the signal's reason. */
  list(signal: AbortSignal): Promise<readonly RemoteTool[]>;
  /** Calls once, never again by itself. Rejects as `list` does. */
  call(
    name: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<RemoteAnswer>;
}

export function hashOf(value: unknown): string {
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(value)).digest("hex");
}

/** What our own tools answer when a query was refused before it was sent. */
const REFUSED = /^USAGE: |^QUERY_REFUSED: (PromQL: |splunk: the query was not sent)/;

/** Our own tools. They are of this program, and do not change while it runs. */
export function ownServer(host: ToolHost, tools: readonly ToolDefinition[]): ToolServer {
  const readers = new Set(tools.filter(({ readOnly }) => readOnly).map(({ name }) => name));
  const list = host.list
    .filter(({ name }) => readers.has(name))
    .map(({ name, description, inputSchema }) => ({
      name,
      description,
      input: words(inputSchema),
      readOnly: true,
      hash: hashOf({ name, description, inputSchema }),
    }));
  return {
    name: "own",
    list: () => Promise.resolve(list),
    call: async (name, args, signal) => {
      const answer = await host.call(name, args, signal);
      signal.throwIfAborted();
      const text = answer.content.map((part) => part.text).join("\n");
      const isError = answer.isError === true;
      return { isError, text, isRefused: isError && REFUSED.test(text) };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
