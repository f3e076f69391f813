/** The outbox: what was reported is stored, once and in order, whoever dies in between. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Journal } from "../../a2a/audit/journal.ts";
import {
  AUDIT_STREAM,
  type AuditRecord,
  type Mesh,
  PACK_HEADER,
  type PackHeader,
  parsePackHeader,
  shardOf,
  unpackRecords,
} from "../../a2a/mod.ts";
import { limits, newId, splitLines, systemClock } from "../../core/mod.ts";
import { record } from "../support/audit-records.ts";
import { failureOf } from "../support/failure.ts";
import { openLogBook } from "../support/log-book.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { echo, openMesh, request, worker } from "./echo.ts";

const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

function makeDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "petrel-outbox-"));
  made.push(dir);
  return dir;
}

const journalsIn = (dir: string) => readdirSync(dir).filter((file) => file.endsWith(".journal"));

interface Pack {
  readonly subject: string;
  readonly header: PackHeader;
  readonly records: readonly AuditRecord[];
}

async function packsOf(mesh: Mesh): Promise<Pack[]> {
  const packs: Pack[] = [];
  const { state } = await mesh.jsm.streams.info(AUDIT_STREAM);
  for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq++) {
    const message = await mesh.jsm.streams.getMessage(AUDIT_STREAM, { seq });
    if (!message) continue;
    const header = parsePackHeader(message.header.get(PACK_HEADER));
    packs.push({ subject: message.subject, header, records: unpackRecords(message.data) });
  }
  return packs;
}

/** Every sender's packs are numbered without holes, in order, count what they hold, and end once. */
function expectWhole(packs: readonly Pack[]): void {
  for (const [, sent] of Map.groupBy(packs, ({ header }) => header.sender)) {
    let reported = 0;
    for (const [index, { header, records }] of sent.entries()) {
      reported += records.length;
      expect(header).toMatchObject({ pack: index + 1, reported });
      expect(header.kind === "open").toBe(records.length > 0);
      expect(header.kind === "end").toBe(index === sent.length - 1);
    }
  }
}

/** What each life said it had reported is there, once and in order, under a sender that ended. */
function expectLives(packs: readonly Pack[], lives: ReadonlyMap<string, number>): void {
  expectWhole(packs);
  expect(new Set(packs.map(({ header }) => header.sender)).size).toBe(lives.size);
  const records = packs.flatMap((pack) => pack.records);
  const byLife = Map.groupBy(records, ({ id }) => id.split(".")[0] ?? "");
  for (const [life, said] of lives) {
    const ids = (byLife.get(life) ?? []).map(({ id }) => Number(id.split(".")[1]));
    expect(ids).toEqual(ids.map((_, index) => index));
    expect(ids.length).toBeGreaterThanOrEqual(said);
  }
}

/** A child that is killed once it has said that so many were taken; resolves with what it said. */
async function killedChild(
  url: string,
  dir: string,
  prefix: string,
  taken: number,
  onSaid: () => unknown = () => undefined,
): Promise<number> {
  const script = join(import.meta.dir, "outbox-child.ts");
  const child = Bun.spawn([process.execPath, script, url, dir, prefix], {
    stdout: "pipe",
    stderr: "inherit",
  });
  let said = 0;
  for await (const { lines } of splitLines(child.stdout)) {
    said = Number(lines.at(-1)?.text ?? said);
    await onSaid();
    if (said >= taken) child.kill("SIGKILL");
  }
  await child.exited;
  return said;
}

test("processes killed at random, one with the server down: all they reported is stored, once, in order", async () => {
  await using nats = await startNats();
  const dir = makeDir();
  const said = new Map<string, number>();
  for (const [round, taken] of [200, 1_150, 2_350].entries()) {
    const prefix = `life${round}`;
    // The last one loses its server on the way; what it reports from then on only its journal has.
    const isLast = round === 2;
    said.set(
      prefix,
      await killedChild(nats.url, dir, prefix, taken, isLast ? () => nats.kill9() : undefined),
    );
  }
  expect(journalsIn(dir).length).toBeGreaterThan(0);
  await nats.restart();
  const heir = await openMesh(nats.url, "crash", { outboxDir: dir });
  heir.outbox.open();
  // Of all journals only the heir's own is left.
  await until("every journal sent", () => journalsIn(dir).length === 1);
  expectLives(await packsOf(heir), said);
  await heir.close();
  expect(readdirSync(dir)).toEqual([]);
}, 90_000);

test("of two processes that find a dead one's journal one takes it; if that dies, the next", async () => {
  await using nats = await startNats();
  const dir = makeDir();
  const lives = new Map([["life", await killedChild(nats.url, dir, "life", 1_500)]]);
  const racers = ["one", "two"].map(async (prefix) => {
    lives.set(prefix, await killedChild(nats.url, dir, prefix, 300));
  });
  await Promise.all(racers);
  const heir = await openMesh(nats.url, "crash", { outboxDir: dir });
  heir.outbox.open();
  await until("every journal sent", () => journalsIn(dir).length === 1);
  expectLives(await packsOf(heir), lives);
  await heir.close();
}, 60_000);

test("a journal of another name, another mesh or a living process is left alone; garbage is set aside", async () => {
  await using nats = await startNats();
  const dir = makeDir();
  const elsewhere = await startNats();
  await killedChild(elsewhere.url, dir, "life", 50);
  await elsewhere[Symbol.asyncDispose]();
  const owner = "00000000-1-1";
  const garbage = `crash.${newId()}.0.${owner}.journal`;
  const foreign = `other.${newId()}.0.${owner}.journal`;
  writeFileSync(join(dir, garbage), "garbage");
  writeFileSync(join(dir, foreign), "garbage");
  writeFileSync(join(dir, "README"), "no journal");
  const living = await openMesh(nats.url, "crash", { outboxDir: dir });
  living.outbox.open();
  await until("the garbage set aside", () =>
    readdirSync(dir).some((file) => file.endsWith(".bad")),
  );
  const book = openLogBook();
  const heir = await openMesh(nats.url, "crash", { outboxDir: dir, log: book.log });
  heir.outbox.open();
  await until("a look at all", () => book.count("audit.journal_elsewhere") === 1);
  // The foreign one, the one of the other mesh, and of both who live.
  expect(journalsIn(dir).length).toBe(4);
  expect(existsSync(join(dir, foreign))).toBe(true);
  expect(book.count("audit.adopted")).toBe(0);
  await Promise.all([living.close(), heir.close()]);
}, 60_000);

/** Room for some two records of the largest size. */
const SMALL = 4 * 1024 * 1024;
const LARGE = "x".repeat(900_000);

test("a full outbox, async: the owner waits for a moment, then drops, counts and says so", async () => {
  await using nats = await startNats();
  const book = openLogBook();
  const mesh = await openMesh(nats.url, "host", { log: book.log, outboxBytesMax: SMALL });
  await mesh.outbox.report(record("first", "caller"));
  await mesh.outbox.drain(5_000);
  await nats.kill9();
  let taken = 0;
  let wait: Promise<void> | undefined;
  for (; wait === undefined; taken++) {
    wait = mesh.outbox.report(record(`r${taken}`, "caller", LARGE));
  }
  taken--;
  expect(taken).toBeGreaterThanOrEqual(2);
  const startedMs = performance.now();
  await wait;
  expect(performance.now() - startedMs).toBeGreaterThan(limits.OUTBOX_WAIT_MS / 2);
  // From then on nobody waits.
  for (let n = 0; n < 100; n++)
    expect(mesh.outbox.report(record("n", "caller", LARGE))).toBe(undefined);
  expect(mesh.outbox.counts).toMatchObject({ pending: taken, lost: 101 });
  expect(book.count("audit.outbox_full")).toBe(1);
  await nats.restart();
  await mesh.outbox.drain(20_000);
  await mesh.outbox.report(record("last", "caller"));
  expect(book.count("audit.outbox_room")).toBe(1);
  await mesh.outbox.close();
  const reader = await openMesh(nats.url, "reader");
  const packs = await packsOf(reader);
  expectWhole(packs);
  expect(packs.at(-1)?.header).toMatchObject({ kind: "end", lost: 101, reported: taken + 2 });
  await Promise.all([reader.close(), mesh.close()]);
}, 60_000);

test("strict: nothing leaves before it is stored, and what cannot be in time fails as OVERLOADED", async () => {
  await using nats = await startNats();
  const host = await openMesh(nats.url, "echo", { auditMode: "strict" });
  const client = await openMesh(nats.url, "client", { auditMode: "strict" });
  await host.serve(echo);
  await host.serve(worker);
  expect(await client.transport("echo").sendMessage(request({}))).toHaveProperty("messageId");
  // The answer is here: the agent's reports of both must be stored by now, and the caller's of the first.
  const kinds = (await packsOf(client)).flatMap(({ records }) =>
    records.map(({ side, kind }) => `${side} ${kind}`),
  );
  expect(kinds).toContain("caller request");
  expect(kinds).toContain("agent request");
  expect(kinds).toContain("agent response");
  for await (const _event of client.transport("worker").sendMessageStream(request({ steps: 2 })))
    void _event;

  let asked = 0;
  host.nc.subscribe("a2a.v1.rpc.nobody.*.*", { callback: () => void asked++ });
  await host.nc.flush();
  await nats.kill9();
  const call = client.transport("nobody").sendMessage(request({}), {
    serviceParameters: { "a2a-timeout-ms": "300" },
  });
  expect(await failureOf(call)).toMatchObject({ code: "OVERLOADED", retry: "later" });
  await nats.restart();
  await client.outbox.drain(20_000);
  expect(asked).toBe(0);
  await Promise.all([host.close(), client.close()]);
  // What would be sent now could not be audited any more.
  const after = Promise.try(() => client.outbox.report(record("late", "caller")));
  expect(await failureOf(after)).toMatchObject({ code: "CANCELLED" });
}, 60_000);

test("strict: a request that failed is not stored later, unless its pack was on its way", async () => {
  await using nats = await startNats();
  const client = await openMesh(nats.url, "client", { auditMode: "strict" });
  const { outbox } = client;
  await outbox.reportBefore(record("first", "caller"), systemClock.nowMs() + 5_000);
  await nats.kill9();
  const fail = async (id: string) => {
    const late = Promise.resolve(
      outbox.reportBefore(record(id, "caller"), systemClock.nowMs() + 50),
    );
    expect(await failureOf(late)).toMatchObject({ code: "OVERLOADED" });
  };
  await fail("on-its-way");
  await Promise.all(["a", "b", "c"].map(fail));
  expect(outbox.counts).toMatchObject({ reported: 2, stored: 1, pending: 1 });
  const patient = outbox.reportBefore(record("patient", "caller"), systemClock.nowMs() + 30_000);
  await fail("d");
  await nats.restart();
  await patient;
  expect(outbox.counts).toMatchObject({ reported: 3, stored: 3, pending: 0 });
  await client.close();
  const reader = await openMesh(nats.url, "reader");
  const packs = await packsOf(reader);
  expectWhole(packs);
  expect(packs.flatMap(({ records }) => records.map(({ id }) => id))).toEqual([
    "first",
    "on-its-way",
    "patient",
  ]);
  await reader.close();
}, 60_000);

test("nobody can guess a sender: the stream takes each pack number of a sender once", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "host", { auditShards: 4 });
  const other = await openMesh(nats.url, "host", { auditShards: 4 });
  for (const { outbox } of [mesh, other]) {
    for (let n = 0; n < 40; n++) await outbox.report(record(`r${n}`, "caller"));
  }
  await Promise.all([mesh.outbox.drain(5_000), other.outbox.drain(5_000)]);
  const packs = await packsOf(mesh);
  const senders = [...new Set(packs.map(({ header }) => header.sender))];
  expect(senders.length).toBe(8);
  const blocks = (id: string) => id.split("-");
  const instances = [mesh.instance, other.instance].flatMap(blocks);
  const seen = new Set(instances);
  for (const sender of senders) {
    // RFC 9562 section 5.4: 122 random bits, no time and no counter among them.
    expect(sender).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const [first = "", , , , last = ""] = blocks(sender);
    for (const block of [first, last]) {
      expect(seen.has(block)).toBe(false);
      seen.add(block);
    }
  }
  await Promise.all([mesh.close(), other.close()]);
}, 30_000);

test("both ends of a call report to one shard, whatever the call is about", async () => {
  await using nats = await startNats();
  const shards = 5;
  const host = await openMesh(nats.url, "host", { auditShards: shards });
  const client = await openMesh(nats.url, "client", { auditShards: shards });
  await host.serve(echo);
  await host.serve(worker);
  const contexts = ["ctx-1", "ctx-2", "Käse\r\nx: y", ""];
  for (const contextId of contexts) {
    const message = { ...request({}).message, contextId } as never;
    const task = await client.transport("worker").sendMessage({ ...request({}), message });
    const { id } = task as { id: string };
    await client.transport("worker").getTask({ id, tenant: "", historyLength: undefined });
  }
  await Promise.all([host.outbox.drain(5_000), client.outbox.drain(5_000)]);
  const shardsOf = new Map<string, Set<string>>();
  for (const { subject, records } of await packsOf(client)) {
    for (const { id } of records) {
      const seen = shardsOf.get(id) ?? new Set();
      shardsOf.set(id, seen.add(subject.split(".")[3] ?? ""));
    }
  }
  for (const seen of shardsOf.values()) expect(seen.size).toBe(1);
  expect(new Set([...shardsOf.values()].flatMap((seen) => [...seen])).size).toBeGreaterThan(1);
  expect(shardOf("ctx-1", shards)).toBe(Bun.hash.crc32("ctx-1") % shards);
  await Promise.all([host.close(), client.close()]);
}, 30_000);

test("a sender that has nothing to say says so, and says goodbye", async () => {
  await using nats = await startNats();
  let nowMs = systemClock.nowMs();
  const clock = { ...systemClock, nowMs: () => nowMs };
  const mesh = await openMesh(nats.url, "host", { clock });
  mesh.outbox.open();
  nowMs += limits.BEAT_MS + 1;
  const reader = await openMesh(nats.url, "reader");
  await until("a beat", async () => (await packsOf(reader)).length > 0);
  await mesh.close();
  const packs = await packsOf(reader);
  expect(packs.map(({ header }) => header.kind)).toEqual(["beat", "end"]);
  await reader.close();
}, 30_000);

test.skipIf(process.getuid?.() !== 0)(
  "a disk without room: one clear error at the start, and nothing is left behind",
  async () => {
    await using nats = await startNats();
    const dir = makeDir();
    const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir]);
    if (mounted.exitCode !== 0) {
      console.warn(`skipped: no tmpfs can be mounted here: ${mounted.stderr.toString().trim()}`);
      return;
    }
    try {
      const mesh = await openMesh(nats.url, "host", { outboxDir: dir });
      expect(await failureOf(Promise.try(() => mesh.transport("echo")))).toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringContaining(dir),
      });
      expect(readdirSync(dir)).toEqual([]);
      await mesh.close();
      // A journal that has its room keeps it, however full the disk becomes.
      const small = await openMesh(nats.url, "host", { outboxDir: dir, outboxBytesMax: SMALL });
      await small.outbox.report(record("r0", "caller", LARGE));
      Bun.spawnSync(["dd", "if=/dev/zero", `of=${join(dir, "rest")}`, "bs=64k", "count=999"]);
      for (let n = 1; n <= 20; n++) await small.outbox.report(record(`r${n}`, "caller", LARGE));
      await small.outbox.drain(20_000);
      expect(small.outbox.counts).toMatchObject({ stored: 21, lost: 0 });
      await small.close();
    } finally {
      Bun.spawnSync(["umount", "--lazy", dir]);
    }
  },
  60_000,
);

test("the folder and the journals are nobody else's to read", async () => {
  await using nats = await startNats();
  const dir = join(makeDir(), "deep", "outbox");
  const mesh = await openMesh(nats.url, "host", { outboxDir: dir });
  mesh.outbox.open();
  const [file = ""] = journalsIn(dir);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
  expect(Journal.open(join(dir, file)).identity).toMatchObject({ name: "host", shard: 0 });
  await mesh.close();
});
