/** The audit's own connection, what it makes, what it refuses, and a stream whose disk is full. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { jetstream, type StreamConfig } from "@nats-io/jetstream";
import { connect } from "nats";
import { faultsOf } from "../../a2a/audit/stream.ts";
import {
  AUDIT_STREAM,
  AuditAccess,
  type AuditAccessOptions,
  BODIES_BUCKET,
  BRIDGE_BUCKET,
} from "../../a2a/mod.ts";
import { makeLogger, messageOf, silentLogger } from "../../core/mod.ts";
import { type NatsServer, productionAccounts, startNats, TWO_ACCOUNTS } from "../support/nats.ts";
import { openMesh } from "./echo.ts";

const DOCS = join(import.meta.dir, "../../docs/nats.md");
const NANOS_PER_DAY = 86_400 * 1e9;
const RETENTION_DAYS = 30;

function openAccess(nats: NatsServer, more: Partial<AuditAccessOptions> = {}) {
  const common = { name: "bridge", log: silentLogger, retentionDays: RETENTION_DAYS };
  return AuditAccess.open({ servers: [nats.url], ...common, ...more });
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

const login = (name: string) => ({ user: name, password: name });

/** The configuration of the stream that the audit makes for itself. */
async function soundConfig(): Promise<StreamConfig> {
  await using nats = await startNats();
  const access = await openAccess(nats);
  const { config } = await access.jsm.streams.info(AUDIT_STREAM);
  await access.close();
  return config;
}

test("what it makes has no faults, and each setting that matters is found and named", async () => {
  const config = await soundConfig();
  expect(faultsOf(config, RETENTION_DAYS)).toEqual({ errors: [], warnings: [] });
  expect(config).toMatchObject({
    subjects: ["audit.>"],
    storage: "file",
    deny_delete: true,
    deny_purge: true,
    allow_direct: true,
    max_age: RETENTION_DAYS * NANOS_PER_DAY,
    duplicate_window: 3_600 * 1e9,
  });
  const broken: Record<string, unknown> = {
    subjects: ["audit.>", "other.>"],
    storage: "memory",
    retention: "workqueue",
    deny_delete: false,
    deny_purge: false,
    no_ack: true,
    sealed: true,
    max_msgs_per_subject: 10,
    max_msg_size: 1_000,
    allow_msg_ttl: true,
    subject_transform: { src: "audit.>", dest: "audit.x.>" },
  };
  for (const [setting, value] of Object.entries(broken)) {
    const { errors } = faultsOf({ ...config, [setting]: value }, RETENTION_DAYS);
    expect(errors.map((text) => text.split(" ")[0])).toEqual([setting]);
  }
  const doubtful: Record<string, unknown> = {
    max_age: NANOS_PER_DAY,
    duplicate_window: 120 * 1e9,
    allow_direct: false,
    max_bytes: 1_000_000,
    max_msgs: 1_000,
  };
  for (const [setting, value] of Object.entries(doubtful)) {
    const { errors, warnings } = faultsOf({ ...config, [setting]: value }, RETENTION_DAYS);
    expect([errors, warnings.map((text) => text.split(" ")[0])]).toEqual([[], [setting]]);
  }
  const documented = await Bun.file(DOCS).text();
  for (const setting of [...Object.keys(broken), ...Object.keys(doubtful)])
    expect(documented).toContain(`\`${setting}\``);
  // For ever is long enough, and so is longer than configured.
  for (const days of [0, 31]) {
    const kept = { ...config, max_age: days * NANOS_PER_DAY };
    expect(faultsOf(kept, RETENTION_DAYS).warnings).toEqual([]);
  }
});

test("a stream that cannot be relied on is refused with every reason, one that keeps less is a warning", async () => {
  await using nats = await startNats();
  const nc = await connect({ servers: nats.url });
  const jsm = await jetstream(nc).jetstreamManager();
  await jsm.streams.add({ name: AUDIT_STREAM, subjects: ["audit.>"], max_age: NANOS_PER_DAY });
  const failure = await failureOf(openAccess(nats));
  expect(failure).toMatchObject({
    code: "CONFIG_INVALID",
    fields: { stream: AUDIT_STREAM, settings: "deny_delete, deny_purge" },
  });
  expect(messageOf(failure)).toMatch(/deny_delete must be true.*deny_purge must be true/);

  await jsm.streams.update(AUDIT_STREAM, { deny_delete: true, deny_purge: true });
  const lines: string[] = [];
  const log = makeLogger({ level: "warn", pretty: false, write: (line) => void lines.push(line) });
  const access = await openAccess(nats, { log });
  const warnings = lines.map((line): string => JSON.parse(line).warning.split(" ")[0]);
  expect(warnings.sort()).toEqual(["allow_direct", "duplicate_window", "max_age"]);
  await Promise.all([access.close(), nc.close()]);
});

test("without accounts it makes the stream, its buckets, and finds them again", async () => {
  await using nats = await startNats();
  for (const round of [1, 2]) {
    const access = await openAccess(nats);
    const [leases, snapshots, bodies] = await Promise.all([
      access.leases(),
      access.snapshots(),
      access.bodies(),
    ]);
    await leases.put("shard.0", `round ${round}`);
    await snapshots.putBlob({ name: "mirror.0" }, new Uint8Array(round));
    await bodies.putBlob({ name: `body-${round}` }, new Uint8Array(10));
    const names = (await access.jsm.streams.list().next()).map(({ config }) => config.name);
    expect(names.sort()).toEqual([
      AUDIT_STREAM,
      `KV_${BRIDGE_BUCKET}`,
      `OBJ_${BODIES_BUCKET}`,
      `OBJ_${BRIDGE_BUCKET}`,
    ]);
    expect((await snapshots.getBlob("mirror.0"))?.length).toBe(round);
    await access.close();
  }
});

test("the mesh's own account is used only where it owns the stream", async () => {
  await using nats = await startNats({ config: TWO_ACCOUNTS });
  // Without audit.account, in an account that imports the audit: before the stream exists, and after.
  const asAgents = { credentials: login("agents") };
  const early = await failureOf(openAccess(nats, asAgents));
  expect(early).toMatchObject({ code: "UNAVAILABLE", fields: { path: "audit.account" } });
  const access = await openAccess(nats, { ...asAgents, account: login("audit") });
  const late = await failureOf(openAccess(nats, asAgents));
  expect(late).toMatchObject({ code: "UNAVAILABLE", fields: { path: "audit.account" } });
  // audit.account names the wrong account: a second stream would swallow the reports.
  const wrong = await failureOf(openAccess(nats, { account: login("agents") }));
  expect(wrong).toMatchObject({ code: "CONFIG_INVALID", fields: { path: "audit.account" } });
  expect(messageOf(wrong)).toContain("AGENTS, which imports the audit");
  const nobody = await failureOf(openAccess(nats, { account: login("nobody") }));
  expect(nobody).toMatchObject({ code: "UNAUTHENTICATED" });
  await access.close();
});

test("a reader makes nothing, and is told who does", async () => {
  await using nats = await startNats(await productionAccounts());
  const reader = { name: "cli", account: login("auditor") };
  const failure = await failureOf(openAccess(nats, reader));
  expect(failure).toMatchObject({ code: "UNAVAILABLE" });
  expect(messageOf(failure)).toContain("the bridge does when it starts");
  const bridge = await openAccess(nats, { account: login("bridge") });
  const access = await openAccess(nats, reader);
  await Promise.all([access.close(), bridge.close()]);
});

const SMALL = 6 * 1024 * 1024;
const SMALL_ACCOUNT = TWO_ACCOUNTS.replace(
  /AUDIT \{\s+jetstream: enabled/,
  `AUDIT { jetstream { max_file: ${SMALL} }`,
);

/** Fills the audit, and says how it was refused. `stored` packs went in. */
async function fill(nats: NatsServer) {
  const nc = await connect({ servers: nats.url, user: "agents", pass: "agents" });
  const js = jetstream(nc, { checkAPI: false });
  const publish = (number: number) =>
    js.publish("audit.a.i.0", new Uint8Array(512 * 1024), { msgID: `s.${number}` });
  let stored = 0;
  let refusal: unknown;
  while (refusal === undefined && stored < 100) {
    refusal = await failureOf(publish(stored + 1));
    if (refusal === undefined) stored++;
  }
  const again = await failureOf(publish(stored + 1));
  const copy = await publish(stored);
  await nc.close();
  return { stored, refusal, again, copy };
}

test.each([
  [
    "the server's disk",
    TWO_ACCOUNTS,
    { fileBytesMax: SMALL },
    10_023,
    503,
    "insufficient resources",
  ],
  [
    "the audit's share of it",
    SMALL_ACCOUNT,
    {},
    10_002,
    400,
    "resource limits exceeded for account",
  ],
] as const)(
  "%s is full: packs are refused with the reason, what is stored stays",
  async (_name, config, disk, code, status, description) => {
    await using nats = await startNats({ config, ...disk });
    const access = await openAccess(nats, { account: login("audit") });
    const early = await openMesh(nats.url, "early", login("agents"));
    await early.close();

    const { stored, refusal, again, copy } = await fill(nats);
    expect(stored).toBeGreaterThan(5);
    expect(refusal).toMatchObject({ code, status, message: description });
    expect(again).toMatchObject({ code });
    // A pack whose acknowledgement was lost is still known.
    expect(copy).toMatchObject({ duplicate: true, seq: stored });
    const { state } = await access.jsm.streams.info(AUDIT_STREAM);
    expect(state).toMatchObject({ first_seq: 1, last_seq: stored, messages: stored });

    // Agents may join all the same; with a share of its own, the audit takes no room from their tasks.
    const late = await openMesh(nats.url, "late", login("agents"));
    const write = late.js.publish("a2a.v1.task.late.client.t1", "{}");
    if (config === SMALL_ACCOUNT) await write;
    else await expect(write).rejects.toMatchObject({ code });
    await Promise.all([access.close(), late.close()]);
  },
);
