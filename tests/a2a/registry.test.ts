import { expect, test } from "bun:test";
import { PetrelError, systemClock } from "../../core/mod.ts";
import { startNats } from "../support/nats.ts";
import { echo, openMesh } from "./echo.ts";

/** Polls until `check` holds; the deadline is the test's failure, not a figure. */
async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = systemClock.nowMs() + 20_000;
  while (!(await check())) {
    if (systemClock.nowMs() > deadline) throw new Error(`never: ${what}`);
    await systemClock.sleep(20);
  }
}

test("a served agent appears with its card, and disappears when it leaves", async () => {
  await using nats = await startNats();
  const host = await openMesh(nats.url, "host");
  const watcher = await openMesh(nats.url, "watcher");
  const serving = await host.serve(echo);
  await until("the card", () => watcher.registry.list().length === 1);
  expect(watcher.registry.list()[0]).toMatchObject({
    agent: "echo",
    instance: host.instance,
    running: 0,
  });
  expect(watcher.registry.list()[0]?.card.supportedInterfaces[0]?.protocolBinding).toBe(
    "urn:petrel:a2a:binding:nats:v1",
  );
  await serving.stop();
  await until("its absence", () => watcher.registry.list().length === 0);
  await Promise.all([host.close(), watcher.close()]);
});

test("a replica that dies silently expires, here and on the server", async () => {
  await using nats = await startNats();
  const watcher = await openMesh(nats.url, "watcher");
  const host = await openMesh(nats.url, "host");
  await host.serve(echo);
  await until("the card", () => watcher.registry.list().length === 1);
  expect(watcher.registry.isGone(host.instance)).toBe(false);
  await host.nc.close();
  await until("its expiry", () => watcher.registry.isGone(host.instance));
  const cards = await watcher.kvm.open("A2A_CARDS");
  await until(
    "the server's expiry",
    async () => (await Array.fromAsync(await cards.keys())).length === 0,
  );
  await watcher.close();
});

test("an entry that is no card is skipped", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "host");
  const cards = await mesh.kvm.open("A2A_CARDS");
  for (const bad of ["junk", "{}", '{"agent":1}', JSON.stringify({ agent: "x".repeat(999) })]) {
    await cards.put("bad.entry", bad);
  }
  await mesh.serve(echo);
  await until("the good one", () => mesh.registry.list().length === 1);
  await mesh.close();
});

test("agents are micro services: the standard queries see them", async () => {
  await using nats = await startNats();
  const host = await openMesh(nats.url, "host");
  await host.serve(echo);
  const info = (await host.nc.request("$SRV.INFO.petrel-echo", "", { timeout: 2_000 })).json<{
    metadata: Record<string, string>;
    endpoints: { name: string; subject: string; queue_group: string }[];
  }>();
  expect(info.metadata.agent).toBe("echo");
  const send = info.endpoints.find((endpoint) => endpoint.name === "SendMessage");
  expect(send).toMatchObject({ subject: "a2a.v1.rpc.echo.*.SendMessage", queue_group: "echo" });
  const card = await host.nc.request("a2a.v1.card.echo", "", { timeout: 2_000 });
  expect(card.json<{ name: string }>().name).toBe("echo");
  await host.close();
});

test("no server, or one without JetStream: one clear error", async () => {
  const absent = openMesh("nats://127.0.0.1:1", "host", { connectTimeoutMs: 500 });
  await expect(absent).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await using bare = await startNats({ jetstream: false });
  const error = await openMesh(bare.url).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(PetrelError);
  expect(String(error)).toContain("JetStream is not enabled");
});

test("a server that wants credentials: UNAUTHENTICATED", async () => {
  await using nats = await startNats({ config: 'authorization { token: "right" }' });
  await expect(openMesh(nats.url, "host", { token: "wrong" })).rejects.toMatchObject({
    code: "UNAUTHENTICATED",
  });
  await (await openMesh(nats.url, "host", { token: "right" })).close();
});
