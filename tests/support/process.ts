/**
 * A child process of a test: started, watched until it says it is ready, and never left behind.
 * Its output is drained all its life, so that it cannot block on a full pipe.
 */

import { PetrelError } from "../../core/mod.ts";
import { eachLine, stopWithin } from "../../deploy/mod.ts";

const LINES_KEPT = 50;
const living = new Set<Bun.Subprocess>();

/** A test run that is cut short still takes its children along. */
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

export interface ChildOptions {
  readonly command: readonly string[];
  /** A line of standard error that says the program serves. */
  readonly ready: RegExp;
  readonly timeoutMs: number;
}

export interface Child {
  readonly pid: number;
  /** Ends the process, waits until it is gone. SIGTERM first, SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill9(): Promise<void>;
  /** The last lines it wrote to standard error. */
  lastLines(): string;
}

/** Starts a process. Rejects with its last lines when it ends, or stays silent, before it is ready. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = Bun.spawn([...options.command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  living.add(child);
  void child.exited.then(() => living.delete(child));

  const lines: string[] = [];
  const { promise: isReady, resolve: ready } = Promise.withResolvers<"ready">();
  const drained = eachLine(child.stderr, (line) => {
    lines.push(line);
    if (lines.length > LINES_KEPT) lines.shift();
    if (options.ready.test(line)) ready("ready");
  });
  const kill9 = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };

  const { promise: isLate, resolve: late } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late("late"), options.timeoutMs);
  const gone = child.exited.then(async () => {
    await drained;
    return "gone" as const;
  });
  const outcome = await Promise.race([isReady, gone, isLate]);
  clearTimeout(timer);
  if (outcome !== "ready") {
    await kill9();
    const why = outcome === "gone" ? "ended" : `was not ready in ${options.timeoutMs} ms`;
    throw new PetrelError("UNAVAILABLE", `${options.command[0]} ${why}:\n${lines.join("\n")}`);
  }

  return {
    pid: child.pid,
    kill9,
    stop: (graceMs) => stopWithin(child, graceMs),
    lastLines: () => lines.join("\n"),
  };
}

/**
 * A port for a server of a test, outside the range from which the kernel takes the ports of outgoing
 * connections: a client that reconnects to a dead server on such a port can end up connected to itself.
 */
export function randomPort(): number {
  return 20_000 + Math.floor(Math.random() * 12_000);
}

/** Runs `start` with one random port after another until one is free, at most 20 times. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<[number, T]> {
  for (let attempt = 1; ; attempt++) {
    const port = randomPort();
    try {
      return [port, await start(port)];
    } catch (error) {
      const isTaken = /address already in use|port is already allocated/.test(String(error));
      if (!isTaken || attempt === 20) throw error;
    }
  }
}
