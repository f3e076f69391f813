/**
 * The client half of the MCP SDK, as far as it is used: the protocol, not its transports, which bound
 * neither what they read nor what a child process inherits. Imported only when a server is connected to.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import {
  CallToolResultSchema,
  ErrorCode,
  ListToolsResultSchema,
  McpError,
} from "@modelcontextprotocol/sdk/types.js";

export { CallToolResultSchema, ListToolsResultSchema, McpError };

export const REQUEST_TIMEOUT: number = ErrorCode.RequestTimeout;
export const CONNECTION_CLOSED: number = ErrorCode.ConnectionClosed;

/** A client that offers its server nothing: no sampling, no files, no questions to a person. */
export function makeClient(): Client {
  return new Client({ name: "petrel", version: "1" }, { capabilities: {} });
}
