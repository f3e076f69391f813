/**
 * A Python environment with the Python SDK in it, made once below .tools. It is optional to the tests:
 * where there is no Python 3.10, or PyPI is not to be had, what needs it is skipped, and why is said.
 */
import { test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../deploy/mod.ts";
import { TOOLS_DIR } from "../support/runtime.ts";

const REQUIREMENTS = join(import.meta.dir, "requirements.txt");
const DIR = join(TOOLS_DIR, "interop");
const VENV = join(DIR, "venv");
/** Holds the requirements the environment was made for; written last. */
const RECEIPT = join(DIR, "requirements.txt");
export const PYTHON = join(VENV, "bin", "python");

const ASK_TIMEOUT_MS = 10_000;
const VENV_TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 300_000;
const IS_NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 10))";

let missing: Promise<string | undefined> | undefined;

/** `test` of bun where the Python SDK can be had. */
export async function testWithPython(): Promise<ReturnType<typeof test.skipIf>> {
  missing ??= whyNoPython().then((reason) => {
    if (reason !== undefined) {
      console.error(`tests: what needs the Python SDK is skipped: ${reason}`);
    }
    return reason;
  });
  return test.skipIf((await missing) !== undefined);
}

/** Runs a script of this folder to its end; gives what it printed. Throws with its last words. */
export async function runPython(script: string, ...words: string[]): Promise<string> {
  const command = [PYTHON, "-B", join(import.meta.dir, script), ...words];
  const { code, stdout, stderr } = await run(command, { timeoutMs: 50_000 });
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${stderr.slice(-4_000)}`);
  return stdout;
}

async function whyNoPython(): Promise<string | undefined> {
  const wanted = await readFile(REQUIREMENTS, "utf8");
  const made = await readFile(RECEIPT, "utf8").catch(() => "");
  if (made === wanted && existsSync(PYTHON)) return undefined;
  const asked = await run(["python3", "-c", IS_NEW_ENOUGH], { timeoutMs: ASK_TIMEOUT_MS });
  if (asked.code !== 0) return `no Python 3.10 or newer: ${asked.reason}`;
  await rm(DIR, { recursive: true, force: true });
  await mkdir(DIR, { recursive: true });
  const venv = await run(["python3", "-m", "venv", VENV], { timeoutMs: VENV_TIMEOUT_MS });
  if (venv.code !== 0) return `no virtual environment: ${venv.reason}`;
  const pip = [PYTHON, "-m", "pip", "install", "-q", "--no-input", "--retries", "1"];
  const { code, reason } = await run([...pip, "-r", REQUIREMENTS], {
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
  if (code !== 0) return `its packages are not to be had: ${reason}`;
  await writeFile(RECEIPT, wanted);
  return undefined;
}
