/** What everybody who runs a program beside himself needs: its lines, and its end. */

/** Hands on every line of `stream` as it comes, without its end; a last one without an end counts. */
export async function eachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) onLine(line);
  }
  if (rest !== "") onLine(rest);
}

/** Ends a process in order, with SIGKILL after `graceMs`. */
export async function stopWithin(child: Bun.Subprocess, graceMs: number): Promise<void> {
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await child.exited;
  clearTimeout(force);
}
