/** `petrel up`: the agents of a host, until stopped. */
import type { SreEvent } from "../../agents/mod.ts";
import { type Config, type Logger, PetrelError, parseDurationMs } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { commandLogger } from "../output.ts";
import { untilStopped } from "../signals.ts";
import { startTeam } from "../team.ts";
import { configuredSources, ROLES, type Role, serveEvidence } from "../wire.ts";

const OPTIONS = { ...CONFIG_OPTIONS, role: { type: "string" }, every: { type: "string" } } as const;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const config = configFrom(values);
  const roles =
    values.role === undefined
      ? (["sre", ...configuredSources(config)] as const)
      : readRoles(values.role);
  const everyMs =
    values.every === undefined ? config.sre.every : parseDurationMs(values.every, "--every");
  const log = commandLogger(config.log.level);
  const stop = await start(config, log, roles, everyMs, signal);
  log.info("up", { roles: roles.join(",") });
  await untilStopped(signal);
  log.info("down");
  await stop();
  return 0;
}

async function start(
  config: Config,
  log: Logger,
  roles: readonly Role[],
  everyMs: number,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const evidence = roles.flatMap((role) => (role === "sre" ? [] : [role]));
  if (!roles.includes("sre")) {
    const meshes = await Promise.all(evidence.map((role) => serveEvidence(config, role, log)));
    return async () => void (await Promise.all(meshes.map((mesh) => mesh.close())));
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
  };
}

/** A daemon's words: verdicts, and alarms loud enough to be seen. */
function tell(log: Logger, event: SreEvent): void {
  if (event.type === "verdict") {
    const { outcome, rootCause, confidence, reason } = event.verdict;
    log.info("verdict", { windowId: event.id, outcome, ...rootCause, confidence, reason });
  } else if (event.type === "alarm") {
    const { id: alarmId, severity, title, explanation } = event.alarm;
    log.warn("alarm", { windowId: event.id, alarmId, severity, title, text: explanation.text });
  }
}

function readRoles(text: string): Role[] {
  return text.split(",").map((name) => {
    if (name === "bridge") {
      throw new PetrelError(
        "NOT_BUILT_YET",
        "role bridge is not built yet: it will carry the audit to Kafka",
      );
    }
    const role = ROLES.find((one) => one === name);
    if (role) return role;
    throw new PetrelError("USAGE", `--role "${name.slice(0, 60)}" is none of ${ROLES.join(", ")}`, {
      path: "role",
    });
  });
}
