#!/usr/bin/env bun
/**
 * The mining bench by itself: `bun bench/mine/main.ts [FILE] [--lines N] [--rounds N] [--distinct] [--json]`.
 * FILE holds messages, one a line; without it they are made. `--distinct` runs the distinct lines instead.
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { asPetrelError, PetrelError } from "../../core/mod.ts";
import { tableOf } from "../figure.ts";
import { benchMine, benchMineDistinct } from "./case.ts";

const COUNT_MAX = 50_000_000;

function numberOf(name: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0 && value <= max) return value;
  throw new PetrelError("USAGE", `--${name} "${text.slice(0, 60)}" is not 1 to ${max}`);
}

async function main(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      file: { type: "string" },
      lines: { type: "string" },
      rounds: { type: "string", default: "5" },
      distinct: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const file = values.file ?? positionals[0];
  if (file !== undefined && !existsSync(file)) {
    throw new PetrelError("USAGE", `${file}: there is no such file`);
  }
  const rounds = numberOf("rounds", values.rounds, 100) ?? 5;
  const lines = numberOf("lines", values.lines, COUNT_MAX);
  const onProgress = (text: string) => void process.stderr.write(`${text}\n`);
  const context = { rounds, signal, onProgress };
  const counts = lines === undefined ? undefined : [lines];
  const figures = values.distinct
    ? await benchMineDistinct(context, counts)
    : await benchMine(context, {
        ...(lines !== undefined && { lines }),
        ...(file !== undefined && { file }),
      });
  const text = values.json
    ? figures.map((figure) => `${JSON.stringify(figure)}\n`).join("")
    : tableOf(figures);
  process.stdout.write(text);
}

if (import.meta.main) {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  try {
    await main(process.argv.slice(2), stop.signal);
  } catch (error) {
    const failure = asPetrelError(error, "INTERNAL", "bench");
    process.stderr.write(`${failure.code}: ${failure.message}\n`);
    process.exitCode = failure.exitCode;
  }
}
