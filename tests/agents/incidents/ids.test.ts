/** Records that change while they are listed: none is told of twice. */
import { expect, test } from "bun:test";
import { INCIDENTS_BUCKET, IncidentStore } from "../../../agents/incidents/store.ts";
import { silentLogger, systemClock } from "../../../core/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { startNats } from "../../support/nats.ts";

const IDS = Array.from({ length: 20 }, (_, at) => `a${String(at).padStart(2, "0")}`);
const LISTS = 30;

test("ids are listed once each, in order, while their records change", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "sre");
  const kv = await mesh.kvm.create(INCIDENTS_BUCKET, { history: 1 });
  const store = new IncidentStore({ kv, clock: systemClock, log: silentLogger });
  for (const id of IDS) await kv.put(`inc.${id}`, "0");
  const enough = new AbortController();
  const writing = (async () => {
    for (let count = 0; !enough.signal.aborted; count++)
      await kv.put(`inc.${IDS[count % IDS.length]}`, `${count}`);
  })();
  for (let list = 0; list < LISTS; list++) {
    const ids = await store.ids();
    expect(ids).toEqual([...new Set(ids)].sort());
  }
  enough.abort();
  await writing;
  await mesh.close();
});
