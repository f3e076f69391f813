/** A few runs of `make chaos-alarms`: kill -9 between a verdict and the last delivery. */
import { expect, test } from "bun:test";
import { Lane } from "./alarms/lane.ts";

/** Of each kind at least two. */
const RUNS = 8;
const LANES = 2;
const RUN_MS_MAX = 180_000;
const seed = Number(process.env.PETREL_TEST_SEED);

test(
  "an SRE agent killed between verdict and delivery: every sink is told, under one id",
  async () => {
    let next = 0;
    const lanes = Array.from({ length: LANES }, async () => {
      const lane = await Lane.open(seed);
      const broken: string[] = [];
      while (next < RUNS) {
        const nth = next++;
        const report = await lane.run(nth);
        broken.push(...report.broken.map((what) => `run ${nth}: ${what}`));
      }
      await lane.close({ keepLogs: broken.length > 0 });
      return broken;
    });
    expect((await Promise.all(lanes)).flat()).toEqual([]);
  },
  RUN_MS_MAX,
);
