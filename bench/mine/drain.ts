/**
 * Python's Drain3 as a process: fetched once from PyPI into a virtual environment of its own below
 * `.tools/`, then run without the network. Where there is no Python, or no way to PyPI, it says so.
 */
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { run } from "../../deploy/mod.ts";
import { Run } from "../run.ts";

const VERSION = "0.9.11";
const HOME = join(import.meta.dir, "../../.tools/drain3");
const PYTHON = join(HOME, "bin/python");
const SCRIPT = join(import.meta.dir, "drain.py");
const INSTALL_TIMEOUT_MS = 180_000;
const RUN_TIMEOUT_MS = 600_000;

/** Makes sure Drain3 is there; answers why it is not. */
export async function ensureDrain(signal: AbortSignal): Promise<string | undefined> {
  if (existsSync(PYTHON)) return undefined;
  const half = `${HOME}.part-${process.pid}`;
  const steps = [
    ["python3", "-m", "venv", half],
    [join(half, "bin/python"), "-m", "pip", "install", "--quiet", `drain3==${VERSION}`],
  ];
  for (const step of steps) {
    const { code, reason } = await run(step, { timeoutMs: INSTALL_TIMEOUT_MS, signal });
    if (code === 0) continue;
    await rm(half, { recursive: true, force: true });
    return `${step.slice(0, 4).join(" ")}: ${reason}`;
  }
  // Whole or not at all: an installation that was cut off is never found.
  await rename(half, HOME);
  return undefined;
}

/** One run over a file. Throws UNAVAILABLE when Python fails. */
export async function runDrain(file: string, signal: AbortSignal): Promise<Run> {
  const done = await run([PYTHON, SCRIPT, file], { timeoutMs: RUN_TIMEOUT_MS, signal });
  if (done.code !== 0) throw new PetrelError("UNAVAILABLE", `Drain3: ${done.reason}`);
  return Run.parse(JSON.parse(done.stdout));
}
