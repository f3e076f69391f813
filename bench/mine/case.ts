/**
 * `mine`: lines mined per second, beside Python's Drain3 on the same lines with masks for the same
 * values; and ours on lines that are mostly distinct, where speed and memory should stay as they are.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { type BenchContext, Run, runRounds } from "../run.ts";
import { ensureDrain, runDrain } from "./drain.ts";
import { drawLines } from "./lines.ts";
import type { MinerTask } from "./miner.ts";

const LINES = 300_000;
const DISTINCT = [1_000_000, 10_000_000] as const;
const SEED = 20_260_313;
const RUN_TIMEOUT_MS = 600_000;

const METRICS = [
  { name: "lines", unit: "lines/s" },
  { name: "templates", unit: "templates" },
  { name: "peak", unit: "MB" },
] as const;

export interface MineOptions {
  /** How many lines are made, without a file. */
  readonly lines?: number;
  /** Messages, one a line, instead of those that are made. */
  readonly file?: string;
}

/** Ours beside Drain3; without Python or PyPI ours alone, and a line that says so. */
export async function benchMine(
  context: BenchContext,
  options: MineOptions = {},
): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "petrel-mine-"));
  try {
    const file = options.file ?? (await writeLines(folder, options.lines ?? LINES));
    const missing = await ensureDrain(context.signal);
    const ours = () => runMiner({ file }, context);
    if (missing !== undefined) {
      context.onProgress(`mine: Drain3 skipped: ${missing}`);
      return figuresOf("mine", METRICS, (await runRounds("mine", { ours }, context)).ours);
    }
    const sides = { ours, drain3: () => runDrain(file, context.signal) };
    const runs = await runRounds("mine", sides, context);
    return figuresOf("mine", METRICS, runs.ours, runs.drain3);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One million and ten million lines, each second one of words that no other line has. */
export async function benchMineDistinct(
  context: BenchContext,
  counts: readonly number[] = DISTINCT,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const distinct of counts) {
    const label = `mine-${distinct / 1e6}m`;
    const ours = () => runMiner({ distinct, seed: SEED }, context);
    const runs = await runRounds(label, { ours }, context);
    figures.push(...figuresOf(label, METRICS, runs.ours));
  }
  return figures;
}

async function writeLines(folder: string, count: number): Promise<string> {
  const file = join(folder, "lines.log");
  await writeFile(file, `${[...drawLines(count, SEED)].join("\n")}\n`);
  return file;
}

async function runMiner(task: MinerTask, { signal }: BenchContext): Promise<Run> {
  await using child = startChild("mine/miner.ts", task, signal);
  return await child.next(Run, RUN_TIMEOUT_MS);
}
