/** Push notification configs under the permissions of deploy/nats: an agent reaches its own and no other's. */
import { expect, test } from "bun:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "nats";
import { AddressGuard } from "../../a2a/push/address.ts";
import { PUSH_BUCKET, PushConfigs } from "../../a2a/push/configs.ts";
import { type NatsServer, productionAccounts, startNats } from "../support/nats.ts";
import { configOf } from "./push-support.ts";

async function configsAs(nats: NatsServer, user: string, agent: string) {
  const inboxPrefix = `a2a.v1.reply.${user}`;
  const nc = await connect({ servers: nats.url, user, pass: user, inboxPrefix, timeout: 2_000 });
  const js = jetstream(nc, { checkAPI: false, timeout: 2_000 });
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: 2_000 });
  // As a mesh does: it makes what is not there, and asks about what is.
  const kv = await new Kvm(js).create(PUSH_BUCKET, { history: 1, allow_direct: true });
  const configs = new PushConfigs({ kv, jsm, agent, guard: new AddressGuard() });
  return { configs, [Symbol.asyncDispose]: () => nc.close() };
}

test("everything works for the agent itself, and nothing for another", async () => {
  await using nats = await startNats(await productionAccounts());
  const admin = await connect({ servers: nats.url, user: "admin", pass: "admin" });
  await new Kvm(jetstream(admin)).create(PUSH_BUCKET, { history: 1, allow_direct: true });
  await admin.close();
  await using own = await configsAs(nats, "sre", "sre");
  const config = configOf({ url: "https://hooks.example.com/", token: "s3cr3t" });
  await own.configs.create("owner", config);
  expect(await own.configs.get("owner", config)).toEqual(config);
  const [entry] = await own.configs.entries("owner", "t1");
  expect(await own.configs.replace(entry!, { delivered: 3 })).toMatchObject({ delivered: 3 });
  const stop = new AbortController();
  for await (const { entry: seen } of own.configs.watch(stop.signal)) {
    expect(seen?.delivered).toBe(3);
    stop.abort();
  }
  await using other = await configsAs(nats, "splunk", "sre");
  await expect(other.configs.get("owner", config)).rejects.toThrow(/permission/i);
  await expect(other.configs.create("owner", config)).rejects.toThrow(/permission/i);
  await expect(other.configs.replace(entry!, { delivered: 9 })).rejects.toThrow(/permission/i);
  await own.configs.delete("owner", config);
  expect(await own.configs.entries("owner", "t1")).toEqual([]);
});
