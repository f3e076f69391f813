import { expect, test } from "bun:test";
import { PetrelError } from "../../core/mod.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { echo, openMesh } from "./echo.ts";

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

test("an entry under another's key, or with a name that is no name, is refused", async () => {
  await using nats = await startNats();
  const [host, watcher] = [await openMesh(nats.url, "host"), await openMesh(nats.url, "watcher")];
  await host.serve(echo);
  await until("the card", () => watcher.registry.list().length === 1);
  const cards = await watcher.kvm.open("A2A_CARDS");
  const entry = { agent: "echo", instance: "x", host: "h", pid: 1, startedAt: "", running: 0 };
  const put = (key: string, more: object) =>
    cards.put(key, JSON.stringify({ ...entry, card: {}, ...more }));
  await put("echo.mallory", { instance: host.instance, running: 99 });
  await put("echo.escape", { instance: "\u001b[2Jescape" });
  await put("bell.x", { agent: "bell\u0007" });
  await put(`echo.${"x".repeat(129)}`, { instance: "x".repeat(129) });
  await put("echo.last", { instance: "last" });
  const replicas = () => watcher.registry.list().map(({ agent, instance }) => [agent, instance]);
  // Entries come in the order in which they were written.
  await until("the last entry", () => watcher.registry.list().length > 1);
  expect(replicas()).toEqual([
    ["echo", host.instance],
    ["echo", "last"],
  ]);
  expect(watcher.registry.list()[0]?.running).toBe(0);
  await Promise.all([host.close(), watcher.close()]);
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

test("no error of connecting shows the password that stood in the address", async () => {
  await using nats = await startNats({
    config: 'authorization { user: "petrel", password: "right" }',
  });
  const secret = "s3cr3t-p@ss";
  const addresses = [
    [`nats://petrel:${secret}@127.0.0.1:1`, "UNAVAILABLE"],
    [`petrel:${secret}@127.0.0.1:1`, "UNAVAILABLE"],
    [`nats://petrel:${secret}/x@127.0.0.1:1`, "UNAVAILABLE"],
    [`nats://petrel:${secret}@127.0.0.1:${nats.port}`, "UNAUTHENTICATED"],
  ] as const;
  for (const [address, code] of addresses) {
    const opening = openMesh(address, "host", { connectTimeoutMs: 500 });
    const error = await opening.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify(error)).toContain("127.0.0.1");
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("s3cr3t");
  }
});
