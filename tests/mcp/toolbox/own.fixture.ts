/** Our own MCP server as a child process, over the systems whose addresses its environment names. */
import { redact } from "../../../core/mod.ts";
import { serveMcpStdio } from "../../../mcp/mod.ts";
import { toolsAt } from "./systems.ts";

if (import.meta.main) {
  const { SPLUNK = "", PROMETHEUS = "", GRAFANA = "" } = process.env;
  const { tools } = toolsAt({ SPLUNK, PROMETHEUS, GRAFANA }, redact);
  const server = await serveMcpStdio(tools, { name: "petrel-test" });
  await server.closed;
}
