/**
 * A process of a bench, seen from outside: started fresh for one run, asked for its JSON lines one by
 * one, and never left behind. What it says on standard error goes to ours.
 */
import { join } from "node:path";
import type { z } from "zod";
import { PetrelError, splitLines } from "../core/mod.ts";

const END_GRACE_MS = 30_000;

export interface Child extends AsyncDisposable {
  /**
   * Its next line, checked. Rejects with DEADLINE_EXCEEDED when it is silent for `timeoutMs`, and
   * with INCOMPLETE when it ends instead.
   */
  next<T>(schema: z.ZodType<T>, timeoutMs: number): Promise<T>;
  /** Tells it that it is needed no longer; it may still answer. */
  release(): void;
}

/** Starts `script`, a path below bench/, with `task`. It is killed when `signal` fires. */
export function startChild(script: string, task: unknown, signal: AbortSignal): Child {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, script), JSON.stringify(task)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
    // kafkajs by itself sets a timer of minus fifty years, and Bun says so in three lines of every run.
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
    signal,
    killSignal: "SIGKILL",
  });
  const lines = linesOf(child.stdout);
  const release = () => void child.stdin.end();
  return {
    release,
    next: async (schema, timeoutMs) => {
      const { value, late } = await killAfter(child, timeoutMs, () => lines.next());
      signal.throwIfAborted();
      if (value.done !== true) return schema.parse(JSON.parse(value.value));
      throw late
        ? new PetrelError("DEADLINE_EXCEEDED", `bench/${script} said nothing in ${timeoutMs} ms`)
        : new PetrelError("INCOMPLETE", `bench/${script} ended without an answer`);
    },
    [Symbol.asyncDispose]: async () => {
      release();
      await killAfter(child, END_GRACE_MS, () => child.exited);
    },
  };
}

/** Waits for `work`, which ends at the latest when the child does; kills the child after a time. */
async function killAfter<T>(
  child: Bun.Subprocess,
  timeoutMs: number,
  work: () => Promise<T>,
): Promise<{ value: T; late: boolean }> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  try {
    return { value: await work(), late };
  } finally {
    clearTimeout(timer);
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  for await (const { lines } of splitLines(stream)) for (const { text } of lines) yield text;
}
