/** Runs `petrel …` as a user does, in a process of its own and without anybody's model. */
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function petrel(words: readonly string[]): Promise<Ended> {
  const child = Bun.spawn([process.execPath, join(ROOT, "cli/main.ts"), ...words], {
    cwd: ROOT,
    env: { ...process.env, OPENAI_API_KEY: "", OPENAI_BASE_URL: "", AZURE_OPENAI_API_KEY: "" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([
    child.exited,
    child.stdout.text(),
    child.stderr.text(),
  ]);
  return { code, out, err };
}
