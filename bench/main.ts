#!/usr/bin/env bun
/**
 * What Petrel costs: `bun bench/main.ts [case...] [--json] [--rounds N]`. Figures go to standard
 * output, progress to standard error. It has no thresholds: it fails only when work was not done.
 */
import { parseArgs } from "node:util";
import { asPetrelError, messageOf, PetrelError } from "../core/mod.ts";
import { CASES, type Case } from "./cases.ts";
import { type Figure, tableOf } from "./figure.ts";

const ROUNDS_MAX = 100;

const HELP = `usage: bun bench/main.ts [case...] [--json] [--rounds N]

${CASES.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join("\n")}

Each figure is the median of N rounds (default 5, after one to warm up), with least..greatest.
Every run has fresh processes; both sides run in each round, in turn first. --json: a line per figure.
`;

interface Asked {
  readonly cases: readonly Case[];
  readonly json: boolean;
  readonly rounds: number;
}

/** Throws USAGE naming the word that is wrong. */
export function readArguments(argv: readonly string[]): Asked | "help" {
  const { values, positionals } = parse(argv);
  if (values.help) return "help";
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    throw new PetrelError("USAGE", `--rounds "${values.rounds}" is not 1 to ${ROUNDS_MAX}`);
  }
  const unknown = positionals.find((word) => !CASES.some(({ name }) => name === word));
  if (unknown !== undefined) {
    const known = CASES.map(({ name }) => name).join(", ");
    throw new PetrelError("USAGE", `case "${unknown.slice(0, 60)}" is none of ${known}`);
  }
  const wanted = CASES.filter(({ name }) => positionals.includes(name));
  return { cases: positionals.length > 0 ? wanted : CASES, json: values.json, rounds };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        rounds: { type: "string", default: "5" },
        help: { type: "boolean", default: false, short: "h" },
      },
    });
  } catch (error) {
    throw new PetrelError("USAGE", messageOf(error), {}, error);
  }
}

async function main(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const asked = readArguments(argv);
  if (asked === "help") return void process.stdout.write(HELP);
  const { cases, json, rounds } = asked;
  const onProgress = (text: string) => void process.stderr.write(`${text}\n`);
  const figures: Figure[] = [];
  try {
    for (const one of cases) {
      const measured = await one.run({ rounds, signal, onProgress });
      figures.push(...measured);
      if (json) for (const figure of measured) process.stdout.write(`${JSON.stringify(figure)}\n`);
    }
  } finally {
    // What was measured before a failure took minutes, and is shown.
    if (!json && figures.length > 0) process.stdout.write(tableOf(figures));
  }
}

if (import.meta.main) {
  const stop = new AbortController();
  for (const event of ["SIGINT", "SIGTERM"] as const) {
    process.once(event, () => stop.abort(new PetrelError("CANCELLED", "interrupted")));
  }
  try {
    await main(process.argv.slice(2), stop.signal);
  } catch (error) {
    const wrapped = asPetrelError(error, "INTERNAL", "bench");
    process.stderr.write(`bench: ${wrapped.message}\n`);
    process.exitCode = wrapped.exitCode;
  }
}
