/**
 * Fetches the programs Petrel needs into `.tools/`: `bun deploy/tools.ts nats-server prometheus`.
 * Says on standard error what it does, and on standard output where each program is.
 */
import { join } from "node:path";
import { asPetrelError } from "../core/mod.ts";
import { ensureProgram, isProgramName, PROGRAM_NAMES } from "./mod.ts";
import { makeProgressPrinter } from "./progress.ts";

const TOOLS_DIR = join(import.meta.dir, "../.tools");

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !isProgramName(name));
  if (unknown !== undefined || names.length === 0) {
    console.error(`usage: bun deploy/tools.ts <${PROGRAM_NAMES.join("|")}> ...`);
    return 2;
  }
  const stop = new AbortController();
  for (const event of ["SIGINT", "SIGTERM"] as const) process.once(event, () => stop.abort());
  const printer = makeProgressPrinter(process.stderr);
  for (const name of names.filter(isProgramName)) {
    try {
      const program = await ensureProgram(name, {
        toolsDir: TOOLS_DIR,
        onProgress: printer.onProgress,
        signal: stop.signal,
      });
      printer.end();
      console.log(`${name} ${program.version} from ${program.from}: ${program.path}`);
    } catch (error) {
      printer.end();
      const wrapped = asPetrelError(error, "INTERNAL", `fetching ${name}`);
      console.error(`error ${wrapped.code}: ${wrapped.message}`);
      return wrapped.exitCode;
    }
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
