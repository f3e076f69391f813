/** How far a bridge is behind: measured by who carries the shard, alarmed once, and never by a standby. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { AuditAccess, packRecords } from "../../a2a/mod.ts";
import { type Lag, renderMetrics, Status, watchLag } from "../../bridge/mod.ts";
import { type Clock, silentLogger } from "../../core/mod.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { record } from "./mirror/world.ts";

const DAY_MS = 86_400_000;
const PACKS = 4;

let nats: NatsServer;
let access: AuditAccess;

beforeEach(async () => {
  nats = await startNats();
  const log = silentLogger;
  access = await AuditAccess.open({ servers: [nats.url], name: "bridge", log, retentionDays: 1 });
  const data = packRecords([record({ id: "a", kind: "request" })]);
  for (let nth = 0; nth < PACKS; nth++) await access.js.publish("audit.sre.i.0", data);
});

afterEach(async () => {
  await access.close();
  await nats[Symbol.asyncDispose]();
});

/** Looks again and again, `lateMs` from now, until stopped; `looks` counts. */
function watch(status: Status, lateMs: number) {
  const stop = new AbortController();
  const alarms: Lag[] = [];
  let looks = 0;
  const clock: Clock = {
    nowMs: () => Date.now() + lateMs,
    sleep: async (_ms, signal) => {
      looks++;
      await Bun.sleep(1);
      signal?.throwIfAborted();
    },
  };
  const onLow = (lag: Lag) => void alarms.push(lag);
  const watching = { jsm: access.jsm, status, everyMs: 1, onLow, clock, log: silentLogger };
  const done = watchLag(watching, stop.signal);
  const lookedTwice = () => {
    const from = looks;
    return until("it looked twice more", () => looks >= from + 2);
  };
  const end = async () => {
    stop.abort();
    await done;
  };
  return { alarms, lookedTwice, end };
}

test("who carries the shard measures its lag, and alarms once while the headroom is low", async () => {
  const status = new Status(0);
  status.carrying(2, 10);
  const { alarms, lookedTwice, end } = watch(status, 0.9 * DAY_MS);
  await lookedTwice();
  expect(status.snapshot.lag?.messages).toBe(PACKS - 1);
  expect(status.snapshot.lag?.headroom).toBeCloseTo(0.1, 2);
  expect(alarms).toHaveLength(1);
  status.carrying(PACKS + 1, 13);
  await lookedTwice();
  expect(status.snapshot.lag).toEqual({ messages: 0, ageMs: 0, headroom: 1 });
  status.carrying(2, 10);
  await lookedTwice();
  expect(alarms).toHaveLength(2);
  await end();
});

test("a standby neither measures nor alarms, and forgets what it measured as the carrier", async () => {
  const status = new Status(0);
  const { alarms, lookedTwice, end } = watch(status, 0.9 * DAY_MS);
  await lookedTwice();
  expect(status.snapshot.lag).toBeUndefined();
  expect(alarms).toEqual([]);
  status.starting();
  await lookedTwice();
  expect(status.snapshot.lag?.messages).toBe(PACKS);
  status.standby();
  await lookedTwice();
  expect(status.snapshot.lag).toBeUndefined();
  expect(renderMetrics([status.snapshot])).not.toContain("petrel_bridge_lag_messages{");
  expect(alarms).toHaveLength(1);
  await end();
});
