import { expect, test } from "bun:test";
import { readAudit } from "../../bridge/mod.ts";
import { startNats } from "../support/nats.ts";
import { openMesh } from "./echo.ts";

test("an alarm is one record of the audit each time it is raised, by its agent alone", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "sre");
  await mesh.reportAlarm("alarm-1", '{"title":"one"}');
  await mesh.reportAlarm("alarm-1", '{"title":"one, again"}');
  await mesh.outbox.drain(5_000);
  const { js, jsm } = mesh;
  const { signal } = new AbortController();
  const entries = await Array.fromAsync(readAudit({ js, jsm, follow: false, signal }));
  const records = entries.flatMap((entry) => (entry.kind === "record" ? [entry.record] : []));
  expect(records.map(({ kind, side, agent, body }) => [kind, side, agent, body])).toEqual([
    ["alarm", "agent", "sre", '{"title":"one"}'],
    ["alarm", "agent", "sre", '{"title":"one, again"}'],
  ]);
  expect(new Set(records.map(({ id }) => id)).size).toBe(2);
  await mesh.close();
});
