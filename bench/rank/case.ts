/** `rank`: the metrics of a large system's window, tested and ranked. Nothing to hold it against. */
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { type BenchContext, Run, runRounds } from "../run.ts";
import type { RankTask } from "./worker.ts";

const TASK: RankTask = { services: 200, metrics: 50, points: 125 };
const RUN_TIMEOUT_MS = 120_000;

const METRICS = [
  { name: "detect", unit: "ms" },
  { name: "rank", unit: "ms" },
  { name: "both", unit: "ms" },
  { name: "memory", unit: "ms" },
] as const;

/** 200 services with 50 metrics each, two hours by the minute, one of them with a fault. */
export async function benchRank(context: BenchContext, task: RankTask = TASK): Promise<Figure[]> {
  const petrel = async () => {
    await using child = startChild("rank/worker.ts", task, context.signal);
    return await child.next(Run, RUN_TIMEOUT_MS);
  };
  const runs = await runRounds("rank", { petrel }, context);
  return figuresOf("rank", METRICS, runs.petrel);
}
