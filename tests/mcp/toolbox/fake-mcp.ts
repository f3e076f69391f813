/**
 * MCP servers for tests, built on the SDK's server: what each tool answers is a function, and every call
 * that really arrives is kept.
 */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";

/** What a client posts, as far as tests look at it. */
export const Posted = z.looseObject({ method: z.string(), id: z.unknown().optional() });

export interface FakeTool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema: { readonly type: "object"; readonly [key: string]: unknown };
  readonly annotations?: { readonly readOnlyHint?: boolean; readonly destructiveHint?: boolean };
  readonly answer: (args: Readonly<Record<string, unknown>>) => string | CallToolResult;
}

export interface FakeCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface FakeMcp extends AsyncDisposable {
  readonly url: string;
  /** Every call that arrived, whatever became of it. */
  readonly calls: readonly FakeCall[];
  /** Methods of the requests that arrived: `initialize`, `tools/list`. */
  readonly methods: readonly string[];
}

function makeServer(tools: () => readonly FakeTool[], calls: FakeCall[]): Server {
  const server = new Server({ name: "fake", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools().map(({ name, description, inputSchema, annotations }) => ({
      name,
      description,
      inputSchema,
      annotations,
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    const args = params.arguments ?? {};
    calls.push({ name: params.name, args });
    const tool = tools().find(({ name }) => name === params.name);
    if (!tool) throw new Error(`unknown tool ${params.name}`);
    const answer = tool.answer(args);
    return typeof answer === "string" ? { content: [{ type: "text", text: answer }] } : answer;
  });
  return server;
}

/** Starts one on 127.0.0.1; `tools` is asked anew for each request. With `isEvents` answers are SSE. */
export function startFakeMcp(
  tools: () => readonly FakeTool[],
  options: { readonly token?: string; readonly isEvents?: boolean } = {},
): FakeMcp {
  const calls: FakeCall[] = [];
  const methods: string[] = [];
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      const given = request.headers.get("authorization");
      if (options.token !== undefined && given !== `Bearer ${options.token}`)
        return new Response("no", { status: 401 });
      const { method } = Posted.parse(await request.clone().json());
      methods.push(method);
      const server = makeServer(tools, calls);
      const transport = new WebStandardStreamableHTTPServerTransport({
        enableJsonResponse: options.isEvents !== true,
      });
      await server.connect(transport);
      return transport.handleRequest(request);
    },
  });
  return {
    url: `http://127.0.0.1:${http.port}/mcp`,
    calls,
    methods,
    [Symbol.asyncDispose]: () => http.stop(true),
  };
}
