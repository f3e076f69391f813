/**
 * The tools an LLM may ask for while it explains: our own for the configured systems, and those of the
 * MCP servers that the configuration names. Connects to nothing before the first incident.
 */
import { readFile } from "node:fs/promises";
import {
  type Clock,
  type Config,
  type Logger,
  messageOf,
  PetrelError,
  type Redactor,
  silentLogger,
  systemClock,
} from "../core/mod.ts";
import {
  grafanaTools,
  makeToolbox,
  prometheusTools,
  splunkTools,
  type Toolbox,
  type ToolboxServer,
  type ToolDefinition,
} from "../mcp/mod.ts";
import { grafanaClient, prometheusClient, splunkClient, splunkDefaults } from "./systems.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type ServerConfig = Config["tools"]["servers"][number];

export interface ToolsOptions {
  readonly log?: Logger;
  readonly clock?: Clock;
  /** Where the variables come from that a server's program is given by name. */
  readonly env?: Environment;
}

/**
 * The toolbox; undefined when the configuration gives it nothing. Rejects with CONFIG_INVALID when a
 * certificate cannot be read or a variable that a server needs is not set.
 */
export async function toolsOf(
  config: Config,
  redact: Redactor["redact"],
  { log = silentLogger, clock = systemClock, env = process.env }: ToolsOptions = {},
): Promise<Toolbox | undefined> {
  const splunk = config.splunk ? splunkClient(config) : undefined;
  const own = config.tools.own ? ownTools(config, redact, clock) : [];
  const servers = await Promise.all(config.tools.servers.map((server) => serverOf(server, env)));
  if (own.length + servers.length === 0) return undefined;
  return makeToolbox({
    own,
    servers,
    redact,
    log,
    clock,
    resultCharsMax: config.tools.result_chars_max,
    ...(splunk
      ? { parseSpl: (spl: string, signal: AbortSignal) => splunk.parse(spl, signal) }
      : {}),
  });
}

/** Ours, of the systems that are configured; reading ones only, unless `writes`. */
export function ownTools(
  config: Config,
  redact: Redactor["redact"],
  clock: Clock,
  writes = false,
): ToolDefinition[] {
  return [
    ...(config.splunk
      ? splunkTools(splunkClient(config), { ...splunkDefaults(config), redact })
      : []),
    ...(config.prometheus ? prometheusTools(prometheusClient(config), clock) : []),
    ...(config.grafana ? grafanaTools(grafanaClient(config), writes) : []),
  ];
}

async function serverOf(server: ServerConfig, env: Environment): Promise<ToolboxServer> {
  const { name, allow, timeout, url, token, ca_file: caFile, command = [] } = server;
  const reach =
    url === undefined
      ? { command, env: variablesOf(server, env) }
      : {
          url,
          ...(token === undefined ? {} : { token }),
          ...(caFile === undefined ? {} : { tls: { ca: await certificateOf(name, caFile) } }),
        };
  const rules = server.rules.map(({ times, ...rule }) => ({
    ...rule,
    ...(times === undefined ? {} : { times: [times] }),
  }));
  return { name, reach, rules, timeoutMs: timeout, ...(allow === undefined ? {} : { allow }) };
}

/** The variables a server's program is given, and no others. */
function variablesOf({ name, env: names }: ServerConfig, env: Environment): Record<string, string> {
  const variables = names.map((variable): [string, string] => {
    const value = env[variable];
    if (value !== undefined) return [variable, value];
    throw invalid(`tools.servers.${name}.env`, `the environment has no ${variable}`);
  });
  return Object.fromEntries(variables);
}

function certificateOf(name: string, file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    throw invalid(`tools.servers.${name}.ca_file`, messageOf(error));
  });
}

function invalid(path: string, problem: string): PetrelError {
  return new PetrelError("CONFIG_INVALID", `${path}: ${problem}`, { path });
}
