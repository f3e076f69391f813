/** `petrel mcp`: the tools for the configured systems, for an editor, a chat client or an agent. */
import { type Config, PetrelError, type Redactor, systemClock } from "../../core/mod.ts";
import {
  grafanaTools,
  makeMcpHttpApp,
  prometheusTools,
  serveMcpStdio,
  splunkTools,
  type ToolDefinition,
} from "../../mcp/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { commandLogger } from "../output.ts";
import { redactorOf } from "../redaction.ts";
import { untilStopped } from "../signals.ts";
import { grafanaClient, prometheusClient, splunkClient, splunkDefaults } from "../systems.ts";
import { VERSION } from "../version.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  stdio: { type: "boolean" },
  http: { type: "boolean" },
  port: { type: "string" },
} as const;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  if (values.stdio && values.http)
    throw new PetrelError("USAGE", "--stdio and --http exclude each other");
  const config = configFrom(values);
  const tools = toolsOf(config, await redactorOf(config));
  const options = { name: "petrel", version: VERSION, writes: config.mcp.writes };
  if (values.http) return serveHttp(config, tools, options, values.port, signal);
  const server = await serveMcpStdio(tools, options);
  signal.addEventListener("abort", () => void server.close(), { once: true });
  await server.closed;
  return 0;
}

async function serveHttp(
  config: Config,
  tools: readonly ToolDefinition[],
  options: { name: string; version: string; writes: boolean },
  portText: string | undefined,
  signal: AbortSignal,
): Promise<number> {
  const { host, token } = config.mcp;
  const port = portText === undefined ? config.mcp.port : Number(portText);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new PetrelError("USAGE", `--port "${portText}" is not a port`);
  const local = host === "127.0.0.1" || host === "localhost";
  const app = await makeMcpHttpApp(tools, {
    ...options,
    ...(token === undefined ? {} : { token }),
    ...(local ? {} : { hosts: [host] }),
  });
  const server = Bun.serve({ port, hostname: host, idleTimeout: 0, fetch: app.fetch });
  commandLogger(config.log.level).info("mcp.serving", {
    url: `http://${host}:${server.port}/mcp`,
    tools: tools.length,
  });
  await untilStopped(signal);
  await server.stop(true);
  return 0;
}

function toolsOf(config: Config, { redact }: Redactor): ToolDefinition[] {
  const tools = [
    ...(config.splunk
      ? splunkTools(splunkClient(config), { ...splunkDefaults(config), redact })
      : []),
    ...(config.prometheus ? prometheusTools(prometheusClient(config), systemClock) : []),
    ...(config.grafana ? grafanaTools(grafanaClient(config), config.mcp.writes) : []),
  ];
  if (tools.length > 0) return tools;
  throw new PetrelError(
    "CONFIG_INVALID",
    "configuration: none of splunk, prometheus and grafana is configured",
    { path: "splunk" },
  );
}
