/** Runs `petrel audit …` in this process: what it prints, and its exit code. */
import { spyOn } from "bun:test";
import { run } from "../../cli/commands/audit.ts";
import { PetrelError } from "../../core/mod.ts";

export interface Answer {
  readonly code: number;
  readonly out: string;
  /** What went to standard error, and the message of what was thrown. */
  readonly err: string;
}

export async function ask(
  words: readonly string[],
  signal = new AbortController().signal,
): Promise<Answer> {
  let [out, err] = ["", ""];
  const spies = [
    spyOn(process.stdout, "write").mockImplementation((text) => ((out += String(text)), true)),
    spyOn(process.stderr, "write").mockImplementation((text) => ((err += String(text)), true)),
  ];
  try {
    const code = await run(words, signal);
    return { code, out, err };
  } catch (error) {
    if (!(error instanceof PetrelError)) throw error;
    return { code: error.exitCode, out, err: `${err}${error.message}` };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
