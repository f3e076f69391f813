/** `petrel mcp`: the mesh and the configured systems as tools, for an editor, a chat client or an agent. */
import type { Mesh } from "../../a2a/mod.ts";
import {
  type Config,
  limits,
  messageOf,
  PetrelError,
  silentLogger,
  systemClock,
  unlessAborted,
} from "../../core/mod.ts";
import { makeMcpHttpApp, meshTools, serveMcpStdio, type ToolDefinition } from "../../mcp/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { makeMeshPort } from "../mesh-port.ts";
import { commandLogger } from "../output.ts";
import { redactorOf } from "../redaction.ts";
import { untilStopped } from "../signals.ts";
import { ownTools } from "../tools.ts";
import { VERSION } from "../version.ts";
import { openMesh } from "../wire.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  stdio: { type: "boolean" },
  http: { type: "boolean" },
  port: { type: "string" },
  mesh: { type: "boolean" },
  "no-mesh": { type: "boolean" },
} as const;

/** An investigation, or a question, may take this much longer than the SRE agent gives its sources. */
const ANSWER_MS = 30_000;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  if (values.stdio && values.http)
    throw new PetrelError("USAGE", "--stdio and --http exclude each other");
  const config = configFrom(values);
  if (values.mesh && values["no-mesh"])
    throw new PetrelError("USAGE", "--mesh and --no-mesh exclude each other");
  const { redact } = await redactorOf(config);
  const systems = ownTools(config, redact, systemClock, config.mcp.writes);
  const mesh = values["no-mesh"]
    ? undefined
    : await meshIfThere(config, values.mesh ?? false, systems.length, signal);
  try {
    if (!mesh && systems.length === 0) throw nothingToServe();
    const workMsMax = config.sre.timeout + ANSWER_MS;
    const tools = [...(mesh ? meshTools(makeMeshPort({ mesh, workMsMax })) : []), ...systems];
    const options = { name: "petrel", version: VERSION, writes: config.mcp.writes };
    if (values.http) return await serveHttp(config, tools, options, values.port, signal);
    const server = await serveMcpStdio(tools, options);
    signal.addEventListener("abort", () => void server.close(), { once: true });
    await server.closed;
    return 0;
  } finally {
    await mesh?.close();
  }
}

/**
 * A connection to the mesh, if NATS answers soon. Else undefined, and standard error says why; where there
 * is nothing else to serve, or the mesh was asked for, that is the error.
 */
async function meshIfThere(
  config: Config,
  isNeeded: boolean,
  systems: number,
  signal: AbortSignal,
): Promise<Mesh | undefined> {
  const opening = openMesh(config, "cli", silentLogger);
  const late = AbortSignal.timeout(limits.CONNECT_TIMEOUT_MS);
  try {
    return await unlessAborted(opening, AbortSignal.any([signal, late]));
  } catch (error) {
    // One that comes too late must not stay.
    opening.then((mesh) => mesh.close()).catch(() => {});
    signal.throwIfAborted();
    const why = late.aborted ? "NATS did not answer in time" : messageOf(error);
    if (isNeeded || systems === 0) throw noMesh(error, why, systems);
    process.stderr.write(`petrel mcp: no mesh, only the tools of the systems: ${why}\n`);
    return undefined;
  }
}

function noMesh(error: unknown, why: string, systems: number): PetrelError {
  const alone =
    systems === 0 ? "; none of splunk, prometheus and grafana is configured either" : "";
  const code = error instanceof PetrelError ? error.code : "UNAVAILABLE";
  return new PetrelError(code, `the mesh: ${why}${alone}`, { path: "nats" }, error);
}

function nothingToServe(): PetrelError {
  return new PetrelError(
    "CONFIG_INVALID",
    "configuration: none of splunk, prometheus and grafana is configured",
    { path: "splunk" },
  );
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
