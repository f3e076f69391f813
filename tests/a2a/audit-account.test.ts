/**
 * The separate AUDIT account, under the accounts of deploy/nats word for word: agents report and get
 * acknowledgements, and cannot touch the stream. On the newest nats-server, and on the oldest supported
 * one where PETREL_TEST_NATS_OLD names its executable.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jetstream } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "nats";
import { isStored } from "../../a2a/audit/require.ts";
import { auditStream } from "../../a2a/audit/stream.ts";
import { AUDIT_STREAM, AuditAccess, Mesh } from "../../a2a/mod.ts";
import { messageOf, silentLogger } from "../../core/mod.ts";
import { makeMeshStorage } from "../support/mesh-storage.ts";
import { type NatsServer, productionAccounts, startNats, TWO_ACCOUNTS } from "../support/nats.ts";
import { openMesh } from "./echo.ts";

const RETENTION_DAYS = 30;

const oldServer = process.env.PETREL_TEST_NATS_OLD;
if (oldServer === undefined) {
  console.error("audit account: not tried on an old nats-server: PETREL_TEST_NATS_OLD is not set");
}
const SERVERS = [
  ["the newest nats-server", undefined],
  ...(oldServer === undefined ? [] : [["an old nats-server", oldServer] as const]),
] as const;

function loginTo(nats: NatsServer, user: string, inbox = user): Promise<NatsConnection> {
  const inboxPrefix = `a2a.v1.reply.${inbox}`;
  return connect({ servers: nats.url, user, pass: user, inboxPrefix, reconnect: false });
}

function bridgeAt(nats: NatsServer, account = { user: "bridge", password: "bridge" }) {
  return AuditAccess.open({
    servers: [nats.url],
    name: "bridge",
    account,
    log: silentLogger,
    retentionDays: RETENTION_DAYS,
  });
}

/** What an administrator makes once. */
async function makeStorage(nats: NatsServer): Promise<void> {
  const nc = await loginTo(nats, "admin");
  await makeMeshStorage(nc);
  await nc.close();
}

describe.each(SERVERS)("the audit in its own account, on %s", (_name, path) => {
  let nats: NatsServer;
  let bridge: AuditAccess;
  let splunk: NatsConnection;
  let admin: NatsConnection;

  beforeAll(async () => {
    const program = path === undefined ? {} : { program: { path, version: versionOf(path) } };
    nats = await startNats({ ...(await productionAccounts()), ...program });
    await makeStorage(nats);
    bridge = await bridgeAt(nats);
    splunk = await loginTo(nats, "splunk");
    admin = await loginTo(nats, "admin");
  });
  afterAll(async () => {
    await Promise.all([bridge?.close(), splunk?.close(), admin?.close()]);
    await nats?.[Symbol.asyncDispose]();
  });

  const stored = async () => (await bridge.jsm.streams.info(AUDIT_STREAM)).state.messages;

  test("a pack of 512 KiB is acknowledged, kept with its headers, and stored once", async () => {
    const before = await stored();
    const header = "1 sender 1 1 0 open";
    const publish = () => {
      const more = headers();
      more.set("petrel-pack", header);
      const pack = new Uint8Array(512 * 1024).fill(120);
      return jetstream(splunk).publish("audit.splunk.i.0", pack, {
        msgID: "sender.1",
        headers: more,
      });
    };
    const first = await publish();
    expect(first).toMatchObject({ stream: AUDIT_STREAM, duplicate: false });
    expect(await publish()).toMatchObject({ seq: first.seq, duplicate: true });
    expect(await stored()).toBe(before + 1);
    const message = await bridge.jsm.streams.getMessage(AUDIT_STREAM, { seq: first.seq });
    expect(message?.subject).toBe("audit.splunk.i.0");
    expect(message?.header.get("petrel-pack")).toBe(header);
    expect(message?.header.get("Nats-Msg-Id")).toBe("sender.1");
    expect(message?.data.length).toBe(512 * 1024);
  });

  const config = { name: AUDIT_STREAM, subjects: ["audit.>"], storage: "memory" };
  const consumer = { stream_name: AUDIT_STREAM, config: { name: "c", ack_policy: "none" } };
  const TOUCHES: readonly (readonly [what: string, api: string, request: unknown])[] = [
    ["see the stream", "STREAM.INFO.AUDIT", ""],
    ["purge", "STREAM.PURGE.AUDIT", ""],
    ["delete the stream", "STREAM.DELETE.AUDIT", ""],
    ["delete a message", "STREAM.MSG.DELETE.AUDIT", { seq: 1 }],
    ["update the configuration", "STREAM.UPDATE.AUDIT", { ...config, deny_purge: false }],
    ["create a consumer", "CONSUMER.CREATE.AUDIT.c", consumer],
    [
      "create a durable consumer",
      "CONSUMER.DURABLE.CREATE.AUDIT.c",
      { ...consumer, config: { durable_name: "c", ack_policy: "explicit" } },
    ],
    ["get a message", "STREAM.MSG.GET.AUDIT", { seq: 1 }],
    ["get a message directly", "DIRECT.GET.AUDIT", { seq: 1 }],
    ["take a snapshot", "STREAM.SNAPSHOT.AUDIT", { deliver_subject: "a2a.v1.reply.splunk.s" }],
  ];

  test.each(TOUCHES)("an agent cannot %s", async (_what, api, request) => {
    const body = typeof request === "string" ? request : JSON.stringify(request);
    // The agent is refused by its permissions; the account's own administrator finds no stream.
    await expect(splunk.request(`$JS.API.${api}`, body)).rejects.toThrow(/Permissions Violation/);
    const answer = await admin.request(`$JS.API.${api}`, body).then(
      (message) => message.string() || `status ${message.headers?.code}`,
      (error: unknown) => messageOf(error),
    );
    expect(answer).toMatch(/stream not found|no responders|status 404/);
  });

  test("nobody in the agents' account can make a second stream of the name", async () => {
    const create = JSON.stringify(config);
    for (const nc of [splunk, admin]) {
      const asked = nc.request("$JS.API.STREAM.CREATE.AUDIT", create);
      await expect(asked).rejects.toThrow(/Permissions Violation/);
    }
  });

  test("nobody reports under another's name", async () => {
    const before = await stored();
    for (const nc of [splunk, admin, bridge.nc]) {
      const publish = jetstream(nc).publish("audit.sre.i.0", "forged");
      await expect(publish).rejects.toThrow(/Permissions Violation/);
    }
    expect(await stored()).toBe(before);
  });

  test("nobody listens in on the reports of others", async () => {
    for (const subject of ["audit.>", "audit.sre.>", "a2a.v1.reply.sre.>", "a2a.v1.rpc.sre.*.*"]) {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      splunk.subscribe(subject, { callback: (error) => resolve(error) });
      expect(messageOf(await promise)).toContain(
        `Permissions Violation for Subscription to "${subject}"`,
      );
    }
  });

  test("a sender's own headers do not remove what is stored", async () => {
    const before = await stored();
    const rollup = headers();
    rollup.set("Nats-Rollup", "all");
    const publish = jetstream(splunk).publish("audit.splunk.i.0", "x", { headers: rollup });
    await expect(publish).rejects.toThrow(/rollup not permitted/);
    expect(await stored()).toBe(before);
  });

  test("a consumer on the agent's own records does not report for it under another's name", async () => {
    const before = await stored();
    const forged = headers();
    forged.set("petrel-pack", "1 forged 1 1 0 open");
    await jetstream(splunk).publish("$KV.A2A_CARDS.splunk.i", "forged", { headers: forged });
    const filter = "$KV.A2A_CARDS.splunk.i";
    const name = "forge";
    const aimed = { name, deliver_subject: "audit.sre.i.0", deliver_policy: "all" };
    const made = await splunk.request(
      `$JS.API.CONSUMER.CREATE.KV_A2A_CARDS.${name}.${filter}`,
      JSON.stringify({
        stream_name: "KV_A2A_CARDS",
        config: { ...aimed, ack_policy: "none", filter_subject: filter },
      }),
    );
    expect(made.json()).toMatchObject({ name });
    // The server delivers to literal subscriptions alone; the import of audit.> is none.
    await jetstream(splunk).publish("audit.splunk.i.0", "after");
    const info = await jetstream(admin, { checkAPI: false })
      .jetstreamManager()
      .then((jsm) => jsm.consumers.info("KV_A2A_CARDS", name));
    expect(info).toMatchObject({ num_pending: 1, delivered: { consumer_seq: 0 } });
    expect(await stored()).toBe(before + 1);
  });

  test("the bridge cannot change, purge or delete what it made", async () => {
    const { streams } = bridge.jsm;
    await expect(streams.purge(AUDIT_STREAM)).rejects.toThrow(/Permissions Violation/);
    await expect(streams.delete(AUDIT_STREAM)).rejects.toThrow(/Permissions Violation/);
    await expect(streams.deleteMessage(AUDIT_STREAM, 1)).rejects.toThrow(/Permissions Violation/);
    await expect(streams.update(AUDIT_STREAM, { max_age: 1e9 })).rejects.toThrow(
      /Permissions Violation/,
    );
  });

  test("an agent asks whether it is heard without storing anything", async () => {
    const before = await stored();
    expect(await isStored(splunk, "audit.splunk.i.0", 5_000)).toBe(true);
    expect(await stored()).toBe(before);
  });
});

function versionOf(path: string): string {
  const said = Bun.spawnSync([path, "--version"]).stdout.toString();
  return /v(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? "0.0.0";
}

describe("joining the mesh", () => {
  const agents = { user: "agents", password: "agents" };
  const inOwnAccount = async (nats: NatsServer, user: string) => {
    const nc = await loginTo(nats, user);
    const found = await auditStream(await jetstream(nc).jetstreamManager());
    await nc.close();
    return found;
  };

  test("on a server without accounts whoever comes first makes the stream, once", async () => {
    await using nats = await startNats();
    const names = ["a", "b", "c"];
    const meshes = await Promise.all(names.map((name) => openMesh(nats.url, name)));
    const info = await meshes[0]?.jsm.streams.info(AUDIT_STREAM);
    expect(info?.config).toMatchObject({ deny_purge: true, deny_delete: true, allow_direct: true });
    await Promise.all(meshes.map((mesh) => mesh.close()));
  });

  test("with accounts an agent makes no stream, even when it may", async () => {
    await using nats = await startNats({ config: TWO_ACCOUNTS });
    const early: unknown = await openMesh(nats.url, "early", {
      ...agents,
      connectTimeoutMs: 500,
    }).catch((error: unknown) => error);
    expect(early).toMatchObject({ code: "UNAVAILABLE", fields: { account: "AGENTS" } });
    expect(messageOf(early)).toMatch(
      /audit is not being stored.*no stream AUDIT.*AGENTS does not import/,
    );
    expect(await inOwnAccount(nats, "agents")).toBeUndefined();

    // Started together: it waits for the bridge.
    const opening = openMesh(nats.url, "host", agents);
    const access = await bridgeAt(nats, { user: "audit", password: "audit" });
    const mesh = await opening;
    expect(await inOwnAccount(nats, "agents")).toBeUndefined();
    expect(await inOwnAccount(nats, "audit")).toBeDefined();
    await Promise.all([mesh.close(), access.close()]);
  });

  test("an account that imports nothing is told, and so is a user who may not report", async () => {
    const config = `accounts {
      LONE { jetstream: enabled, users: [
        { user: lone, password: lone }
        { user: mute, password: mute, permissions: { publish: { deny: "audit.>" } } }
      ] }
    }`;
    await using nats = await startNats({ config });
    const join = (user: string) =>
      Mesh.open({
        servers: [nats.url],
        name: user,
        user,
        password: user,
        log: silentLogger,
        connectTimeoutMs: 500,
      }).catch((error: unknown) => error);
    expect(await join("lone")).toMatchObject({ code: "UNAVAILABLE", fields: { account: "LONE" } });
    const mute = await join("mute");
    expect(mute).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(messageOf(mute)).toContain("audit.mute.");
  });
});
