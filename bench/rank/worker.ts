/** One run of `rank`: makes the series, seeded, then times the first window as an agent sees it. */
import { z } from "zod";
import { PetrelError, type Window, windowToJson } from "../../core/mod.ts";
import { Random } from "../../sim/mod.ts";
import {
  detectMetrics,
  rankCauses,
  reportOfMetrics,
  type Series,
  SeriesBook,
} from "../../streams/mod.ts";
import type { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";

export const RankTask = z.object({
  services: z.number(),
  metrics: z.number(),
  /** Samples of each series, a minute apart; the last five are the window. */
  points: z.number(),
});
export type RankTask = z.infer<typeof RankTask>;

const SEED = 20_260_313;
const MINUTE_MS = 60_000;
const WINDOW_POINTS = 5;
const NAMES = [
  "cpu",
  "http_latency_mean",
  "http_500_rate",
  "jvm_memory",
  "hikari_pending",
  "gc_pause",
];

const nameOf = (service: number) => `service-${service}`;

function makeSeries({ services, metrics, points }: RankTask, faulty: number): Series[] {
  const source = new Random(SEED);
  const random = () => source.fraction();
  const timesMs = Array.from({ length: points }, (_, at) => (at + 1) * MINUTE_MS);
  return Array.from({ length: services * metrics }, (_, index): Series => {
    const service = index % services;
    const place = Math.floor(index / services);
    const base = 10 + 40 * random();
    const values = timesMs.map((_time, at) => {
      const isFault = service === faulty && place === 0 && at >= points - WINDOW_POINTS;
      return (isFault ? 99 : base) + random() - random();
    });
    const metric = NAMES[place] ?? `own_${place}`;
    return {
      service: nameOf(service),
      instance: `pod-${service}`,
      metric,
      unit: "%",
      timesMs,
      values,
    };
  });
}

if (import.meta.main) {
  const task = readTask(RankTask);
  const faulty = Math.floor(task.services / 3);
  const series = makeSeries(task, faulty);
  const endMs = task.points * MINUTE_MS;
  const window: Window = { startMs: endMs - WINDOW_POINTS * MINUTE_MS, endMs };
  const dependencies = Array.from({ length: task.services - 1 }, (_, at) => ({
    caller: nameOf(Math.floor(at / 3)),
    callee: nameOf(at + 1),
    count: 100,
  }));
  const startedMs = performance.now();
  const { findings, notes } = detectMetrics(series, window);
  const detectedMs = performance.now();
  const report = reportOfMetrics({
    window: windowToJson(window),
    baseline: [],
    series,
    dependencies,
    findings,
    notes,
    cut: false,
    links: [],
    seconds: 0,
  });
  const { causes } = rankCauses([report]);
  const rankedMs = performance.now();
  new SeriesBook().read(series, window);
  const learntMs = performance.now();
  if (causes[0]?.service !== nameOf(faulty)) {
    throw new PetrelError("INTERNAL", `rank: ${causes[0]?.service ?? "nothing"} was named`);
  }
  answer({
    work: { series: series.length, samples: series.length * task.points },
    cost: {
      detect: detectedMs - startedMs,
      rank: rankedMs - detectedMs,
      both: rankedMs - startedMs,
      memory: learntMs - rankedMs,
    },
  } satisfies Run);
}
