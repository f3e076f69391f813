import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { startNats } from "./nats.ts";

test("a server restarted after kill -9 keeps its port and its store", async () => {
  await using nats = await startNats();
  const before = await connect({ servers: nats.url, reconnect: false });
  const jsm = await jetstreamManager(before);
  await jsm.streams.add({ name: "KEPT", subjects: ["kept.>"] });
  await jsm.jetstream().publish("kept.one", "1");

  const pid = nats.pid;
  await nats.kill9();
  await before.closed();
  await nats.restart();
  expect(nats.pid).not.toBe(pid);

  const after = await connect({ servers: nats.url });
  const info = await (await jetstreamManager(after)).streams.info("KEPT");
  expect(info.state.messages).toBe(1);
  expect(after.info?.version).toBe(nats.version);
  await after.close();
});

test("nothing is left of a server after its block", async () => {
  let pid: number;
  {
    await using nats = await startNats();
    pid = nats.pid;
    expect(existsSync(`/proc/${pid}`)).toBe(true);
  }
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test("a bad configuration is told with the server's own words", async () => {
  const failure: unknown = await startNats({ config: "no_such_option: 1" }).catch((error) => error);
  expect(failure).toMatchObject({ code: "UNAVAILABLE" });
  expect(String(failure)).toContain('unknown field "no_such_option"');
});
