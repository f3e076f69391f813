/** `petrel up`: the agents of a host, until stopped. */
import type { SreEvent } from "../../agents/mod.ts";
import { type Config, type Logger, PetrelError, parseDurationMs } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { serveBridge } from "../bridge.ts";
import { commandLogger } from "../output.ts";
import { untilStopped } from "../signals.ts";
import { serveSupervisor } from "../supervisor.ts";
import { startTeam } from "../team.ts";
import {
  configuredSources,
  EVIDENCE_ROLES,
  openGateway,
  ROLES,
  type Role,
  serveEcho,
  serveEvidence,
} from "../wire.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  role: { type: "string" },
  every: { type: "string" },
  "resume-from": { type: "string" },
} as const;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const config = configFrom(values);
  const roles = values.role === undefined ? configuredRoles(config) : readRoles(values.role);
  const everyMs =
    values.every === undefined ? config.sre.every : parseDurationMs(values.every, "--every");
  const resumeFrom = sequenceOf(values["resume-from"]);
  const log = commandLogger(config.log.level);
  const stopping = new AbortController();
  const running = AbortSignal.any([signal, stopping.signal]);
  const bridge = roles.includes("bridge")
    ? await serveBridge(config, log, resumeFrom === undefined ? {} : { resumeFrom }, running)
    : undefined;
  try {
    const edge = roles.includes("gateway") ? await openGateway(config, log, running) : undefined;
    const stopAgents = await startAgents(config, log, roles, everyMs, running);
    const stop = async () => {
      await edge?.stop();
      await stopAgents();
    };
    log.info("up", {
      roles: roles.join(","),
      metrics: bridge?.metricsUrl,
      gateway: edge?.url,
    });
    // A bridge that cannot go on ends the process: whoever runs it must hear of it.
    await Promise.race([untilStopped(signal), ...(bridge ? [bridge.done] : [])]);
    log.info("down");
    await stop();
  } finally {
    stopping.abort();
    await bridge?.done;
  }
  return 0;
}

/** What the configuration has a use for. */
function configuredRoles(config: Config): Role[] {
  const bridge: Role[] = config.kafka ? ["bridge"] : [];
  const gateway: Role[] = config.gateway ? ["gateway"] : [];
  return ["sre", "supervisor", ...configuredSources(config), ...bridge, ...gateway];
}

async function startAgents(
  config: Config,
  log: Logger,
  roles: readonly Role[],
  everyMs: number,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const evidence = EVIDENCE_ROLES.filter((role) => roles.includes(role));
  const others = await Promise.all([
    ...(roles.includes("echo") ? [serveEcho(config, log)] : []),
    ...(roles.includes("supervisor") ? [serveSupervisor(config, log)] : []),
  ]);
  if (!roles.includes("sre")) {
    const meshes = await Promise.all(evidence.map((role) => serveEvidence(config, role, log)));
    return async () => void (await Promise.all([...meshes, ...others].map((mesh) => mesh.close())));
  }
  const team = await startTeam(config, log, { evidence, onEvent: (event) => tell(log, event) });
  const schedule = {
    everyMs,
    settleMs: config.sre.settle,
    catchUpMax: config.sre.catch_up_windows,
  };
  const watching = team.sre.watch(schedule, signal);
  return async () => {
    await watching;
    await team.stop();
    await Promise.all(others.map((mesh) => mesh.close()));
  };
}

/** A daemon's words: verdicts, and alarms loud enough to be seen. */
function tell(log: Logger, event: SreEvent): void {
  if (event.type === "verdict") {
    const { outcome, rootCause, confidence, reason } = event.verdict;
    log.info("verdict", { windowId: event.id, outcome, ...rootCause, confidence, reason });
  } else if (event.type === "told") {
    const { id: noticeId, incident, change, severity, title, text } = event.notice;
    log.warn("alarm", { windowId: event.id, noticeId, incident, change, severity, title, text });
  }
}

function readRoles(text: string): Role[] {
  return text.split(",").map((name) => {
    const role = ROLES.find((one) => one === name);
    if (role) return role;
    throw new PetrelError("USAGE", `--role "${name.slice(0, 60)}" is none of ${ROLES.join(", ")}`, {
      path: "role",
    });
  });
}

function sequenceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const sequence = Number(text);
  if (Number.isSafeInteger(sequence) && sequence >= 1) return sequence;
  const message = `--resume-from "${text.slice(0, 40)}" is not a sequence number`;
  throw new PetrelError("USAGE", message, { path: "resume-from" });
}
