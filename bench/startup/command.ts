/** The petrel command of one run of `startup`: how long until it ends, or until its agents answer. */
import type { NatsConnection } from "@nats-io/nats-core";
import { PetrelError, systemClock } from "../../core/mod.ts";
import { stopWithin } from "../../deploy/mod.ts";
import { megabytesOf } from "../memory.ts";

/** Names of the micro services the three agents are found by. */
const SERVICES = ["petrel-splunk", "petrel-metrics", "petrel-sre"] as const;

const END_TIMEOUT_MS = 20_000;
const SERVE_TIMEOUT_MS = 30_000;
const PING_TIMEOUT_MS = 1_000;
const PING_PAUSE_MS = 2;
const STOP_GRACE_MS = 15_000;

export interface Served {
  /** From the start of the process until all three agents answered a ping. */
  readonly servingMs: number;
  readonly idleMegabytes: number;
  readonly agents: number;
}

function start(command: readonly string[], signal: AbortSignal, env = {}): Bun.Subprocess {
  return Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    env: { ...process.env, ...env },
    signal,
    killSignal: "SIGKILL",
  });
}

/** Milliseconds until `<command> version` has ended. Throws INTERNAL when it fails. */
export async function timeVersion(
  command: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const startMs = performance.now();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(END_TIMEOUT_MS)]);
  const code = await start([...command, "version"], limit).exited;
  if (code === 0) return performance.now() - startMs;
  throw new PetrelError("INTERNAL", `${command.join(" ")} version: exit code ${code}`);
}

/** Starts `<command> up`, waits for its agents, lets it idle, reads its memory, and stops it. */
export async function timeServing(
  command: readonly string[],
  config: string,
  nc: NatsConnection,
  options: { readonly idleMs: number; readonly signal: AbortSignal },
): Promise<Served> {
  const startMs = performance.now();
  const child = start([...command, "up", "--config", config], options.signal);
  try {
    await untilServing(nc, child, startMs + SERVE_TIMEOUT_MS);
    const servingMs = performance.now() - startMs;
    await systemClock.sleep(options.idleMs, options.signal);
    const idleMegabytes = await megabytesOf(child.pid);
    return { servingMs, idleMegabytes, agents: SERVICES.length };
  } finally {
    await stopWithin(child, STOP_GRACE_MS);
  }
}

async function untilServing(
  nc: NatsConnection,
  child: Bun.Subprocess,
  deadlineMs: number,
): Promise<void> {
  for (const service of SERVICES) {
    while (!(await answers(nc, service))) {
      if (child.exitCode !== null) {
        throw new PetrelError("INTERNAL", `petrel up ended with exit code ${child.exitCode}`);
      }
      if (performance.now() > deadlineMs) {
        throw new PetrelError("DEADLINE_EXCEEDED", `petrel up: ${service} does not answer`);
      }
      await systemClock.sleep(PING_PAUSE_MS);
    }
  }
}

async function answers(nc: NatsConnection, service: string): Promise<boolean> {
  return nc.request(`$SRV.PING.${service}`, "", { timeout: PING_TIMEOUT_MS }).then(
    () => true,
    () => false,
  );
}
