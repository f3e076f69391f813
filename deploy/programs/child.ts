/** What everybody who runs a program beside himself needs: its lines, and its end. */
import { splitLines } from "../../core/mod.ts";

/** Hands on every line of `stream` as it comes, as splitLines makes them: bounded, without its end. */
export async function eachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  for await (const { lines } of splitLines(stream)) for (const { text } of lines) onLine(text);
}

/** Ends a process in order, with SIGKILL after `graceMs`. */
export async function stopWithin(child: Bun.Subprocess, graceMs: number): Promise<void> {
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await child.exited;
  clearTimeout(force);
}
