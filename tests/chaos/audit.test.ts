/** The short run of `make chaos-audit`; tests/chaos/main.ts makes the long one. */
import { expect } from "bun:test";
import { testWithKafka } from "../support/kafka.ts";
import { tableOf } from "./main.ts";
import { runChaos } from "./run.ts";

const test = await testWithKafka();
const RUN_MS_MAX = 300_000;

test(
  "nothing is missing, twice or out of order when everybody is killed -9",
  async () => {
    const options = {
      seed: Number(process.env.PETREL_TEST_SEED),
      envelopes: 5_000,
      bridges: 1,
      bridgeKills: 3,
      natsKills: 1,
      kafkaKills: 1,
      agentKills: 2,
    } as const;
    const report = await runChaos(options, () => {});
    if (!report.isGood) console.error(`${tableOf(report)}logs in ${report.dir}`);
    expect(report.rows.filter(({ isBroken }) => isBroken)).toEqual([]);
  },
  RUN_MS_MAX,
);
