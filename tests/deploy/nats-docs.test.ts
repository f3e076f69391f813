/** What docs/nats.md tells an administrator to make is what Petrel makes where it may. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type JetStreamManager, jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import { connect } from "nats";
import { INCIDENTS_BUCKET, INCIDENTS_TTL_MS } from "../../agents/mod.ts";
import { limits } from "../../core/mod.ts";
import { findProgram } from "../../deploy/mod.ts";
import { openMesh, request, worker } from "../a2a/echo.ts";
import { makeMeshStorage } from "../support/mesh-storage.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { TOOLS_DIR } from "../support/runtime.ts";

const INVESTIGATIONS_TTL_MS = 30 * 86_400_000;
const PAGE = await Bun.file(join(import.meta.dir, "../../docs/nats.md")).text();
/** `admin stream add …` and the like, without the alias. */
const COMMANDS = [...PAGE.matchAll(/^\$ admin ((?:stream|object|kv) add .*)$/gm)].map(
  ([, words = ""]) => words.split(" ").map((word) => word.replaceAll("'", "")),
);

const program = await findProgram("nats", { toolsDir: TOOLS_DIR });
if (!program) console.error("docs/nats.md: its commands are not run: the nats command is missing");

/** What matters of every stream that is there. */
async function storageOf(jsm: JetStreamManager): Promise<Record<string, Partial<StreamConfig>>> {
  const found: Record<string, Partial<StreamConfig>> = {};
  for await (const { config } of jsm.streams.list()) {
    const { name, subjects, storage, retention, max_age, max_msgs_per_subject } = config;
    const { allow_direct, allow_rollup_hdrs, discard } = config;
    if (name === "AUDIT") continue;
    const kept = { subjects, storage, retention, max_age, max_msgs_per_subject };
    found[name] = { ...kept, allow_direct, allow_rollup_hdrs, discard };
  }
  return found;
}

async function storageMadeBy(make: (nats: NatsServer) => Promise<void>) {
  await using nats = await startNats();
  await make(nats);
  const nc = await connect({ servers: nats.url });
  const storage = await storageOf(await jetstreamManager(nc));
  await nc.close();
  return storage;
}

/** A mesh that has served, called others, and kept a large artifact. */
async function meshWork(nats: NatsServer): Promise<void> {
  const mesh = await openMesh(nats.url, "worker", { cardTtlMs: limits.CARD_TTL_MS });
  await mesh.serve(worker);
  await mesh.external();
  // The SRE agent's, which it makes itself.
  await mesh.kvm.create("PETREL_INVESTIGATIONS", { ttl: INVESTIGATIONS_TTL_MS, history: 1 });
  await mesh.kvm.create(INCIDENTS_BUCKET, { ttl: INCIDENTS_TTL_MS, history: 1 });
  await mesh.transport("worker").sendMessage(request({ artifact: "x".repeat(300_000) }));
  await mesh.close();
}

test("the page names all that a mesh makes, and the tests' own storage is the same", async () => {
  const ours = await storageMadeBy(meshWork);
  const named = COMMANDS.map(([kind, , name]) => {
    const prefix = { kv: "KV_", object: "OBJ_", stream: "" }[kind ?? ""];
    return `${prefix}${name}`;
  });
  expect(named.sort()).toEqual(Object.keys(ours).sort());
  const tests = await storageMadeBy(async ({ url }) => {
    const nc = await connect({ servers: url });
    await makeMeshStorage(nc);
    await nc.close();
  });
  expect(tests).toEqual(ours);
});

const needs = program ? "" : " (needs the nats CLI on the PATH)";
test.skipIf(!program)(`its commands make the same${needs}`, async () => {
  const ours = await storageMadeBy(meshWork);
  const theirs = await storageMadeBy(async ({ url }) => {
    for (const words of COMMANDS) {
      const { exitCode, stderr } = Bun.spawnSync([program?.path ?? "", "-s", url, ...words]);
      expect([exitCode, stderr.toString()]).toEqual([0, expect.any(String)]);
    }
  });
  expect(theirs).toEqual(ours);
});
