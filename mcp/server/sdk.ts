/**
 * The MCP SDK, as far as it is used. Only `server.ts` imports this file, and only when something is
 * served: the SDK costs tens of milliseconds to load, and an agent serves no MCP.
 */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import type { ToolHost } from "./host.ts";
import type { McpServerOptions } from "./server.ts";

export { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
export { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";

/** A protocol object that lists and calls the tools of `host`; it is not yet connected. */
export function makeServer(host: ToolHost, options: McpServerOptions): Server {
  const server = new Server(
    { name: options.name ?? "petrel", version: options.version ?? "0.0.0" },
    {
      capabilities: { tools: {} },
      ...(options.instructions === undefined ? {} : { instructions: options.instructions }),
    },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [...host.list] }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, { signal }) =>
    host.call(params.name, params.arguments, signal),
  );
  return server;
}
