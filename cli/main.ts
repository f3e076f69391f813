#!/usr/bin/env bun
/** The petrel command: finds the command, runs it, and turns what it throws into one line and an exit code. */
import { PetrelError } from "../core/mod.ts";
import { COMMANDS, NOT_BUILT_YET } from "./commands.ts";
import { colour } from "./render/text.ts";
import { VERSION } from "./version.ts";

const HELP = `petrel ${VERSION} - watches FinTech Spring Boot services and says what broke and why

usage: petrel <command> [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join("\n")}

Every command has --help. Exit codes: 0 done, 1 a check failed, 2 usage or configuration,
3 a program is missing, 4 a system is away, 5 a system refused, 70 a defect of petrel, 130 interrupted.
`;

/** Runs one command line. Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-v") return main(["version"]);
  const stop = new AbortController();
  const interrupt = () => stop.abort(new PetrelError("CANCELLED", "interrupted"));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  // Whoever read our output is gone (`petrel demo | head`): stop as if interrupted, and clean up.
  process.stdout.on("error", interrupt);
  try {
    const command = COMMANDS.find((one) => one.name === name);
    if (!command) throw unknownCommand(name);
    if (rest.includes("--help") || rest.includes("-h")) {
      process.stdout.write(command.help);
      return 0;
    }
    const { run } = await command.load();
    return await run(rest, stop.signal);
  } catch (error) {
    return report(error);
  }
}

function unknownCommand(name: string): PetrelError {
  const promised = NOT_BUILT_YET[name];
  if (promised)
    return new PetrelError("NOT_BUILT_YET", `petrel ${name} is not built yet: ${promised}`);
  return new PetrelError("USAGE", `petrel has no command "${name}"; see petrel --help`);
}

function report(error: unknown): number {
  if (error instanceof PetrelError) {
    process.stderr.write(`${colour("red", "petrel:")} ${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `petrel: a defect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 70;
}

/** Resolves when what was written is out: a pipe takes its time, and `exit` does not wait for it. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("error", () => resolve());
    stream.write("", () => resolve());
  });
}

if (import.meta.main) {
  const code = await main(process.argv.slice(2));
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(code);
}
