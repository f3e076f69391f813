/** Faults that last: Kafka away, Kafka's disk full. The agents go on, and nothing is lost. */
import { test as bunTest, expect } from "bun:test";
import { join } from "node:path";
import { testWithKafka } from "../support/kafka.ts";
import { runAway } from "./away.ts";
import { checkTrail } from "./check.ts";
import { tableOf } from "./main.ts";
import { smallDisk } from "./small-disk.ts";
import { Stage } from "./stage.ts";
import { makeWorld } from "./world.ts";

const test = await testWithKafka();
const seed = Number(process.env.PETREL_TEST_SEED);
const RUN_MS_MAX = 300_000;
const DISK_MEBIBYTES = 64;

test(
  "Kafka away under load: every call is answered, the bridge stays small and catches up",
  async () => {
    const load = { awayMs: 3_000, beforeMs: 2_000, callsPerSecond: 100 };
    const report = await runAway({ seed, bridges: 1, ...load }, () => {});
    if (!report.isGood) console.error(`${tableOf(report)}logs in ${report.dir}`);
    expect(report.rows.filter(({ isBroken }) => isBroken)).toEqual([]);
  },
  RUN_MS_MAX,
);

const mayMount = await (async () => {
  await using disk = await smallDisk(1);
  if (!disk) console.error("tests: Kafka's full disk is skipped: mounting a small disk needs root");
  return disk !== undefined;
})();

const testWithDisk = mayMount ? test : bunTest.skip;

testWithDisk(
  "Kafka's disk full: once there is room again nothing is missing",
  async () => {
    await using disk = await smallDisk(DISK_MEBIBYTES);
    if (!disk) throw new Error("the disk could not be mounted again");
    await using world = await makeWorld({
      extraProperties: {
        "log.dirs": join(disk.dir, "data"),
        "log.index.size.max.bytes": "65536",
      },
    });
    await using stage = new Stage(world, { seed, bridges: 1 });
    stage.watch(() => {});
    await stage.until("the agents are ready", () => stage.areAgentsReady);
    await stage.until("a bridge carries", () => stage.bridges.carrying !== undefined);
    stage.callers.pace = 100;
    const said = async (envelopes: number) => {
      const from = stage.truth.envelopes;
      await stage.until("more is said", () => stage.truth.envelopes >= from + envelopes);
    };
    await said(300);
    await disk.fill();
    await stage.until("the bridge hears of it", () => stage.bridges.restarts > 0);
    await said(300);
    await disk.free();
    await world.kafka.kill9();
    await world.kafka.restart();
    expect(await stage.stopAgents()).toEqual([]);
    await stage.carried();
    expect(await stage.stopBridges()).toEqual([]);
    await stage.truth.update();
    const rows = await checkTrail(world, stage.truth, stage.signal);
    expect(rows.filter(({ isBroken }) => isBroken)).toEqual([]);
    world.drop();
  },
  RUN_MS_MAX,
);
