/**
 * Runs before every test file: fixes the seed of the generated cases and prints it, so that a failure
 * can be run again with `PETREL_TEST_SEED=<seed> make test`.
 */
import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SEED_DEFAULT = "20250601";

process.env.PETREL_TEST_SEED ??= SEED_DEFAULT;
const seed = Number(process.env.PETREL_TEST_SEED);
if (!Number.isSafeInteger(seed)) {
  throw new Error(
    `PETREL_TEST_SEED is "${process.env.PETREL_TEST_SEED}"; it has to be a whole number`,
  );
}
console.error(`tests: PETREL_TEST_SEED=${seed}`);

// Outboxes of the tests' processes: a killed one must not leave its journals to the user's own agents.
const stateDir = mkdtempSync(join(tmpdir(), "petrel-state-"));
process.env.XDG_STATE_HOME = stateDir;
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));
