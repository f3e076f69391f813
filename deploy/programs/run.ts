/**
 * Runs a command to its end: with a deadline, a bound on what it may print, and no shell.
 * Never throws for a command that fails; the caller reads the exit code.
 */
import { messageOf } from "../../core/mod.ts";

/** More output than this is cut from the front: the end of a build's output names its error. */
const OUTPUT_CHARS_MAX = 64_000;

export interface RunOptions {
  readonly timeoutMs: number;
  readonly cwd?: string;
  /** Replaces the environment; default: this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** The exit code; -1 when the command could not start, was cancelled, or passed its deadline. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Why it did not succeed, on one line; empty for exit code 0. */
  readonly reason: string;
}

async function readBounded(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > 2 * OUTPUT_CHARS_MAX) text = text.slice(-OUTPUT_CHARS_MAX);
  }
  return text;
}

/** Runs `command[0]` with the rest as its arguments and waits for it. */
export async function run(command: readonly string[], options: RunOptions): Promise<RunResult> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  try {
    const child = Bun.spawn([...command], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      signal,
      killSignal: "SIGKILL",
    });
    const [stdout, stderr, code] = await Promise.all([
      readBounded(child.stdout),
      readBounded(child.stderr),
      child.exited,
    ]);
    if (options.signal?.aborted) return { code: -1, stdout, stderr, reason: "cancelled" };
    if (deadline.aborted) {
      return { code: -1, stdout, stderr, reason: `not done in ${options.timeoutMs / 1000} s` };
    }
    const reason = code === 0 ? "" : lastLine(stderr) || lastLine(stdout) || `exit code ${code}`;
    return { code, stdout, stderr, reason };
  } catch (error) {
    return { code: -1, stdout: "", stderr: "", reason: messageOf(error, 200) };
  }
}

function lastLine(text: string): string {
  return (text.trimEnd().split("\n").at(-1) ?? "").trim().slice(0, 200);
}
