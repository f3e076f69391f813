/** A few runs of `make chaos-tasks`: the promises of durable tasks under each fault. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { FAULTS, Lane } from "./tasks/run.ts";

const RUNS = 3;
const seed = Number(process.env.PETREL_TEST_SEED);

let lane: Lane;
beforeAll(async () => {
  lane = await Lane.open(seed);
});
afterAll(() => lane.close());

test.each(FAULTS)(
  "%s in mid-stream: every event once, in order, and no task left at work",
  async (fault) => {
    for (let run = 0; run < RUNS; run++) expect((await lane.run(fault)).broken).toEqual([]);
  },
);
