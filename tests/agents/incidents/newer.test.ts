/** While a mesh is upgraded: a book that a newer Petrel wrote is not set aside by an older one. */
import { expect, test } from "bun:test";
import { EMPTY_BOOK } from "../../../agents/incidents/book.ts";
import { IncidentStore } from "../../../agents/incidents/store.ts";
import { silentLogger, systemClock } from "../../../core/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { startNats } from "../../support/nats.ts";

test("a newer book is waited for, and nothing is written", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "sre");
  const kv = await mesh.kvm.create("PETREL_INCIDENTS", { history: 1 });
  const store = new IncidentStore({ kv, clock: systemClock, log: silentLogger });
  const newer = JSON.stringify({ ...EMPTY_BOOK, version: 2, more: [] });
  await kv.put("book", newer);
  const refused = { code: "UNAVAILABLE", retry: "later" };
  await expect(store.book()).rejects.toMatchObject(refused);
  await expect(store.changeBook((book) => ({ ...book, heads: [] }))).rejects.toMatchObject(refused);
  expect((await kv.get("book"))?.string()).toBe(newer);
  expect(await kv.get("broken.book")).toBeNull();
  await mesh.close();
});
