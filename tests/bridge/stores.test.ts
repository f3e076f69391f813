/** The copies of the mirror's state in a real object store: one that cannot be had holds nobody up. */
import { expect, test } from "bun:test";
import { AuditAccess } from "../../a2a/mod.ts";
import { stateStore } from "../../bridge/mod.ts";
import { silentLogger } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";

const { signal } = new AbortController();
const TIMEOUT_MS = 500;

test("a copy comes back as it was; one whose content is gone is an error, not a wait for ever", async () => {
  await using nats = await startNats();
  const access = await AuditAccess.open({
    servers: [nats.url],
    name: "bridge",
    log: silentLogger,
    retentionDays: 1,
  });
  const bucket = await access.snapshots();
  const states = stateStore(bucket, silentLogger, TIMEOUT_MS);
  expect(await states.load(0, signal)).toBeUndefined();
  const bytes = Buffer.alloc(300_000, "state");
  states.save(0, bytes);
  await until("it is saved", async () => (await bucket.info("mirror.0"))?.size === bytes.length);
  expect(Buffer.from((await states.load(0, signal)) ?? [])).toEqual(bytes);

  // Another bridge that saves at this moment takes the content away between two steps of a load.
  await access.jsm.streams.purge("OBJ_PETREL_BRIDGE", { filter: "$O.PETREL_BRIDGE.C.>" });
  expect(await failureOf(states.load(0, signal))).toMatchObject({ code: "UNAVAILABLE" });
  await access.close();
});
