/** The process of one run of our miner: over the lines of a file, or over distinct lines made on the fly. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { TemplateMiner } from "../../streams/mod.ts";
import { peakMegabytes } from "../memory.ts";
import type { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { Draw, drawDistinct } from "./lines.ts";

export const MinerTask = z.union([
  z.object({ file: z.string() }),
  z.object({ distinct: z.number(), seed: z.number() }),
]);
export type MinerTask = z.infer<typeof MinerTask>;

const SERVICE = "bench";

async function mineFile(file: string): Promise<Run> {
  const text = await readFile(file, "utf8");
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const miner = new TemplateMiner();
  let unmatched = 0;
  const startMs = performance.now();
  for (const message of lines) {
    if (miner.match({ service: SERVICE, message }) === undefined) unmatched += 1;
  }
  const seconds = (performance.now() - startMs) / 1_000;
  return {
    work: { lines: lines.length, bytes: Buffer.byteLength(text), unmatched },
    cost: {
      lines: lines.length / seconds,
      templates: miner.size,
      peak: await peakMegabytes(),
    },
  };
}

/** Only the matching is timed: the lines are made in batches in between. */
async function mineDistinct(count: number, seed: number): Promise<Run> {
  const draw = new Draw(seed);
  const miner = new TemplateMiner();
  const batch = 10_000;
  let ms = 0;
  for (let first = 0; first < count; first += batch) {
    const size = Math.min(batch, count - first);
    const lines = Array.from({ length: size }, (_, at) => drawDistinct(draw, first + at));
    const startMs = performance.now();
    for (const message of lines) miner.match({ service: SERVICE, message });
    ms += performance.now() - startMs;
  }
  return {
    work: { lines: count },
    cost: { lines: (count * 1_000) / ms, templates: miner.size, peak: await peakMegabytes() },
  };
}

if (import.meta.main) {
  const task = readTask(MinerTask);
  answer("file" in task ? await mineFile(task.file) : await mineDistinct(task.distinct, task.seed));
}
