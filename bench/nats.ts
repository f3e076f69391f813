/** A real nats-server for one run: a free port, JetStream on a folder of its own, nothing left behind. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PetrelError, splitLines } from "../core/mod.ts";
import { ensureProgram } from "../deploy/mod.ts";
import type { BenchContext } from "./run.ts";

const TOOLS_DIR = join(import.meta.dir, "../.tools");
const READY_TIMEOUT_MS = 15_000;

export interface BenchNats extends AsyncDisposable {
  readonly url: string;
}

/** Starts a server; fetches the program first where it is missing. Throws UNAVAILABLE. */
export async function startNats(context: BenchContext): Promise<BenchNats> {
  const { path } = await ensureProgram("nats-server", {
    toolsDir: TOOLS_DIR,
    signal: context.signal,
    onProgress: (_kind, text) => context.onProgress(text),
  });
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "petrel-bench-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const child = Bun.spawn([path, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", dir], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    signal: context.signal,
    killSignal: "SIGKILL",
  });
  stack.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const url = await untilReady(child);
  const owned = stack.move();
  return { url, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The address it listens on. Its output is read on to its end, so that it cannot block on it. */
async function untilReady(child: Bun.Subprocess<"ignore", "ignore", "pipe">): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_TIMEOUT_MS);
  void (async () => {
    let url = "";
    let last = "";
    for await (const { lines } of splitLines(child.stderr)) {
      for (const { text } of lines) {
        last = text;
        const port = /client connections on \S+:(\d+)/.exec(text)?.[1];
        if (port !== undefined) url = `nats://127.0.0.1:${port}`;
        if (text.includes("Server is ready")) resolve(url);
      }
    }
    reject(new PetrelError("UNAVAILABLE", `nats-server did not start: ${last}`));
  })();
  return promise.finally(() => clearTimeout(timer));
}
