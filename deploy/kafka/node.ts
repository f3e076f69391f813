/** One node of Kafka as a child process: started, watched until it serves, stopped or killed. */

import { PetrelError } from "../../core/mod.ts";
import { eachLine, stopWithin } from "../programs/child.ts";
import { probeBroker } from "./probe.ts";
import { HOST } from "./properties.ts";

const LINES_KEPT = 50;
/** What a node logs when it serves. */
export const STARTED = /Kafka Server started/;
const PROBE_TIMEOUT_MS = 5_000;

/**
 * Runs the command, and kills it when standard input ends, which it does when whoever started it is
 * gone, be it by SIGKILL. A broker left behind would hold its memory and its port for ever.
 */
const WATCHED =
  'exec 3<&0 </dev/null; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec 3<&-; exec "$@"';

export interface NodeOptions {
  readonly propertiesFile: string;
  readonly port: number;
  readonly readyTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Warnings and errors of the broker, line by line. */
  readonly onLine?: ((line: string) => void) | undefined;
}

export interface NodeProcess {
  readonly pid: number;
  /** Resolves when the process is gone, for whatever reason. */
  readonly exited: Promise<unknown>;
  /** Ends it in order, so that its leaders move and its logs are flushed; SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill9(): Promise<void>;
}

/**
 * Starts a node whose folder is formatted with `command` and the name of its configuration. It serves
 * when it says so and answers a client's first request.
 * @throws PetrelError UNAVAILABLE with its last lines when it ends before that; DEADLINE_EXCEEDED;
 * CANCELLED.
 */
export async function startNode(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  options: NodeOptions,
): Promise<NodeProcess> {
  const child = Bun.spawn(["/bin/sh", "-c", WATCHED, "kafka", ...command, options.propertiesFile], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "pipe",
    env,
    // A Ctrl-C of the terminal is for the parent, which then stops the node in order.
    detached: true,
  });
  void child.exited.then(() => child.stdin.end());
  const kill9 = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };

  const lines: string[] = [];
  const started = Promise.withResolvers<"started">();
  const drained = eachLine(child.stderr, (line) => {
    if (STARTED.test(line)) started.resolve("started");
    lines.push(line);
    if (lines.length > LINES_KEPT) lines.shift();
    options.onLine?.(line);
  });
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), options.readyTimeoutMs);
  const cancelled = Promise.withResolvers<"cancelled">();
  const onAbort = () => cancelled.resolve("cancelled");
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  try {
    const ended = child.exited.then(() => drained).then(() => "ended" as const);
    const outcome = await Promise.race([started.promise, ended, late.promise, cancelled.promise]);
    if (outcome !== "started") throw notStarted(outcome, options, lines);
    await probeBroker(HOST, options.port, PROBE_TIMEOUT_MS);
  } catch (error) {
    await kill9();
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
  return {
    pid: child.pid,
    exited: child.exited,
    kill9,
    stop: (graceMs) => stopWithin(child, graceMs),
  };
}

function notStarted(
  outcome: "ended" | "late" | "cancelled",
  options: NodeOptions,
  lines: readonly string[],
): PetrelError {
  if (outcome === "cancelled") return new PetrelError("CANCELLED", "starting Kafka: cancelled");
  const said = `${options.propertiesFile}:\n${lines.join("\n")}`;
  return outcome === "late"
    ? new PetrelError(
        "DEADLINE_EXCEEDED",
        `Kafka not ready in ${options.readyTimeoutMs} ms, ${said}`,
      )
    : new PetrelError("UNAVAILABLE", `Kafka ended before it served, ${said}`);
}
