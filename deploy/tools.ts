/**
 * Fetches programs into `.tools/`, at the same time: `bun deploy/tools.ts nats-server --optional kafka`.
 * Says on standard error what it does, and on standard output where each program is. One that is named
 * after `--optional` may be missing: that is said, and no failure.
 */
import { join } from "node:path";
import { asPetrelError } from "../core/mod.ts";
import { ensureProgram, isProgramName, PROGRAM_NAMES, type ProgramName } from "./mod.ts";
import { makeProgressPrinter } from "./progress.ts";

const TOOLS_DIR = join(import.meta.dir, "../.tools");

interface Wanted {
  readonly name: ProgramName;
  readonly isOptional: boolean;
}

/** What the arguments ask for, or undefined when they are none of ours. */
function parseArguments(args: readonly string[]): readonly Wanted[] | undefined {
  const wanted: Wanted[] = [];
  let isOptional = false;
  for (const arg of args) {
    if (arg === "--optional") isOptional = true;
    else if (isProgramName(arg)) wanted.push({ name: arg, isOptional });
    else return undefined;
  }
  return wanted.length === 0 ? undefined : wanted;
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = parseArguments(args);
  if (wanted === undefined) {
    const names = `<${PROGRAM_NAMES.join("|")}> ...`;
    console.error(`usage: bun deploy/tools.ts ${names} [--optional ${names}]`);
    return 2;
  }
  const stop = new AbortController();
  for (const event of ["SIGINT", "SIGTERM"] as const) process.once(event, () => stop.abort());
  const printer = makeProgressPrinter(process.stderr);
  const fetchOne = async ({ name, isOptional }: Wanted): Promise<number> => {
    try {
      const program = await ensureProgram(name, {
        toolsDir: TOOLS_DIR,
        onProgress: printer.track(),
        signal: stop.signal,
      });
      printer.end();
      console.log(`${name} ${program.version} from ${program.from}: ${program.path}`);
      return 0;
    } catch (error) {
      printer.end();
      const wrapped = asPetrelError(error, "INTERNAL", `fetching ${name}`);
      const isLeftOut = isOptional && wrapped.code === "PROGRAM_MISSING";
      console.error(
        `${isLeftOut ? `left out: ${name}:` : "error"} ${wrapped.code}: ${wrapped.message}`,
      );
      return isLeftOut ? 0 : wrapped.exitCode;
    }
  };
  const codes = await Promise.all(wanted.map(fetchOne));
  return codes.find((code) => code !== 0) ?? 0;
}

process.exitCode = await main(process.argv.slice(2));
