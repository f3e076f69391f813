/**
 * Where the real parts of a test run: as local processes or in containers.
 * `PETREL_TEST_RUNTIME=local|containers` forces one; otherwise containers where a Docker engine answers
 * and has, or can pull, the images; the choice is said once per run.
 */
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { findProgram, type Program, type ProgramName } from "../../deploy/mod.ts";
import { whyNoContainers } from "./containers.ts";

export type TestRuntime = "local" | "containers";

export const TOOLS_DIR = join(import.meta.dir, "../../.tools");

let chosen: Promise<TestRuntime> | undefined;

/** The runtime of this test run; decided on the first call. */
export function testRuntime(): Promise<TestRuntime> {
  chosen ??= choose();
  return chosen;
}

async function choose(): Promise<TestRuntime> {
  const forced = process.env.PETREL_TEST_RUNTIME ?? "";
  if (forced === "local" || forced === "containers") return forced;
  if (forced !== "") {
    throw new PetrelError(
      "CONFIG_INVALID",
      `PETREL_TEST_RUNTIME is "${forced}"; it can be "local" or "containers"`,
    );
  }
  const reason = await whyNoContainers();
  const runtime = reason === undefined ? "containers" : "local";
  const because = reason === undefined ? "a Docker engine answers" : `no containers: ${reason}`;
  console.error(
    `tests: real parts run as ${runtime === "local" ? "local processes" : "containers"} (${because})`,
  );
  return runtime;
}

/** A program a test needs; the error says how to get it. Tests fetch nothing themselves. */
export async function programForTests(name: ProgramName): Promise<Program> {
  const program = await findProgram(name, { toolsDir: TOOLS_DIR });
  if (program !== undefined) return program;
  throw new PetrelError("PROGRAM_MISSING", `${name} is missing; "make tools" fetches it`, { name });
}
