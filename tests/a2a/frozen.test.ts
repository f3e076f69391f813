/**
 * An owner that was only frozen: its journal is adopted, and then it wakes, at any moment. Whatever the
 * two do then, every record is stored once, and no pack under a number that says something else.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { UNFINISHED } from "../../a2a/audit/folder.ts";
import { type Flight, Journal } from "../../a2a/audit/journal.ts";
import { Lane } from "../../a2a/audit/lane.ts";
import { DATA_AT, type JournalIdentity } from "../../a2a/audit/layout.ts";
import {
  AUDIT_STREAM,
  type Mesh,
  PACK_HEADER,
  parsePackHeader,
  unpackRecords,
} from "../../a2a/mod.ts";
import { newId, PetrelError, splitLines, systemClock } from "../../core/mod.ts";
import { record } from "../support/audit-records.ts";
import { failureOf } from "../support/failure.ts";
import { openLogBook } from "../support/log-book.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { openMesh } from "./echo.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const dir = mkdtempSync(join(tmpdir(), "petrel-frozen-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const identity: Omit<JournalIdentity, "sender"> = {
  v: 1,
  host: "h",
  name: "me",
  instance: "i",
  shard: 0,
  servers: [],
};

/** A stream that stores each pack number once, as JetStream does by the message's id. */
class Stream {
  readonly #packs = new Map<string, string[]>();
  readonly #text = new Map<string, string>();
  readonly #last = new Map<string, { pack: number; reported: number }>();

  store({ sender, pack, reported, records, data }: Flight): void {
    const id = `${sender}.${pack}`;
    const text = Buffer.from(data).toString("latin1");
    // A copy is dropped, so it must be one.
    if (this.#packs.has(id)) return expect(this.#text.get(id)).toBe(text);
    const last = this.#last.get(sender) ?? { pack: 0, reported: 0 };
    expect({ pack, reported }).toEqual({ pack: last.pack + 1, reported: last.reported + records });
    this.#last.set(sender, { pack, reported });
    this.#text.set(id, text);
    this.#packs.set(
      id,
      unpackRecords(data).map(({ body }) => body),
    );
  }

  get bodies(): string[] {
    return [...this.#packs.values()].flat();
  }
}

/** One step of whoever sends a journal: the pack in flight goes out, or is acknowledged. */
function step(journal: Journal, stream: Stream, isSent: boolean): void {
  const flight = journal.flight ?? journal.take("open");
  if (!flight) return;
  stream.store(flight);
  if (isSent) journal.acknowledge();
}

const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("append"), size: fc.nat(3_000) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom("send", "sent", "heir sends", "heir sent"),
        size: fc.nat(20),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("adopt", "end"), size: fc.nat(0) }) },
  ),
  { maxLength: 100 },
);

test("owner and heirs at one journal, in any order: every record once, every number one pack", () => {
  fc.assert(
    fc.property(commands, (given) => {
      const stream = new Stream();
      const make = () => {
        const sender = newId();
        return Journal.create(join(dir, sender), { ...identity, sender }, DATA_AT + 16_384);
      };
      let owner = make();
      const heirs: Journal[] = [];
      const taken: string[] = [];
      for (const { do: what, size } of given) {
        const heir = heirs[size % Math.max(1, heirs.length)];
        if (what === "append") {
          const body = `${taken.length} ${"x".repeat(size)}`;
          if (owner.isAdopted && size % 2 === 0) owner = make();
          if (owner.append(record(`r${taken.length}`, "agent", body))) taken.push(body);
        } else if (what === "adopt") {
          // An heir may be adopted as well.
          heirs.push(Journal.adopt(owner.path, size));
        } else if (what === "end" && !owner.flight && owner.pending === 0) owner.take("beat");
        else if (what === "send" || what === "sent") step(owner, stream, what === "sent");
        else if (heir && what.startsWith("heir")) step(heir, stream, what === "heir sent");
      }
      for (const journal of [owner, ...heirs]) {
        for (let steps = 0; journal.pending > 0 && !journal.isAdopted; steps++) {
          expect(steps).toBeLessThan(1_000);
          step(journal, stream, true);
        }
      }
      expect(stream.bodies.sort()).toEqual(taken.sort());
      rmSync(owner.path, { force: true });
    }),
    { seed, numRuns: 200 },
  );
}, 60_000);

test("of an adopted journal nothing can be had, and nothing be done to it", async () => {
  const path = join(dir, newId());
  const owner = Journal.create(path, { ...identity, sender: "s" }, DATA_AT + 16_384);
  owner.append(record("a", "caller", "a"));
  const flight = owner.take("open");
  owner.append(record("b", "caller", "b"));
  owner.lose();
  const heir = Journal.adopt(path, 7);
  expect(owner.isAdopted).toBe(true);
  expect(owner.append(record("c", "caller", "c"))).toBe(false);
  expect(owner.take("beat")).toBe(undefined);
  expect([owner.acknowledge(), owner.lose()]).toEqual([false, false]);
  expect(heir).toMatchObject({ isAdopted: false, pending: 2, lost: 1, aliveAtMs: 7, flight });
  // An owner that had begun to write what does not count writes where the heir is not.
  owner.touch(9);
  expect(heir.aliveAtMs).toBe(7);
});

test("no room to take a journal over: it stays as it is, and is taken later", async () => {
  const path = join(dir, newId());
  const owner = Journal.create(path, { ...identity, sender: "s" }, DATA_AT + 16_384);
  owner.append(record("a", "caller", "a"));
  writeFileSync(`${path}${UNFINISHED}`, "");
  expect(await failureOf(Promise.try(() => Journal.adopt(path, 0)))).toMatchObject({
    code: "UNAVAILABLE",
  });
  expect(owner.isAdopted).toBe(true);
  expect(Journal.adopt(path, 0)).toMatchObject({ pending: 1, isAdopted: false });
});

test("no room for a new journal: reports wait for it, and what was dropped meanwhile is counted", async () => {
  const stream = new Stream();
  const book = openLogBook();
  const make = () => {
    const sender = newId();
    return Journal.create(join(dir, sender), { ...identity, sender }, DATA_AT + 16_384);
  };
  let isFull = true;
  const renew = () => {
    if (isFull) throw new PetrelError("UNAVAILABLE", "no room");
    return make();
  };
  const journal = make();
  const publish = async (flight: Flight) => stream.store(flight);
  const lane = new Lane({ journal, renew, publish, clock: systemClock, log: book.log });
  void lane.report(record("a", "caller", "a"));
  const heir = Journal.adopt(journal.path, 0);
  // Larger than what may wait in memory: dropped at once.
  expect(lane.report(record("big", "caller", "x".repeat(9_000)))).toBe(undefined);
  expect(lane.counts.lost).toBe(1);
  isFull = false;
  lane.tick(systemClock.nowMs());
  void lane.report(record("b", "caller", "b"));
  expect(await lane.finish()).toBe(true);
  expect(stream.bodies).toEqual(["b"]);
  expect(lane.counts).toMatchObject({ reported: 1, stored: 1, pending: 0, lost: 1 });
  expect(heir.pending).toBe(1);
  expect([book.count("audit.no_journal"), book.count("audit.journal_taken")]).toEqual([1, 1]);
});

/** What the stream holds, by record: how often. */
async function storedIn(mesh: Mesh): Promise<{ times: Map<string, number>; senders: Set<string> }> {
  const times = new Map<string, number>();
  const senders = new Set<string>();
  const last = new Map<string, { pack: number; reported: number }>();
  const { state } = await mesh.jsm.streams.info(AUDIT_STREAM);
  for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq++) {
    const message = await mesh.jsm.streams.getMessage(AUDIT_STREAM, { seq });
    if (!message) continue;
    const { sender, pack, reported } = parsePackHeader(message.header.get(PACK_HEADER));
    const records = unpackRecords(message.data);
    const before = last.get(sender) ?? { pack: 0, reported: 0 };
    expect([pack, reported]).toEqual([before.pack + 1, before.reported + records.length]);
    last.set(sender, { pack, reported });
    senders.add(sender);
    for (const { id } of records) times.set(id, (times.get(id) ?? 0) + 1);
  }
  return { times, senders };
}

/** To its heirs a process of another container, of which nothing is known but when it was last alive. */
function estrange(): void {
  for (const file of readdirSync(dir)) {
    const other = file.replace(/\.[0-9a-f]{8}-(\d+-\d+\.journal)$/, ".00000000-$1");
    renameSync(join(dir, file), join(dir, other));
  }
}

test("a process that is stopped, adopted, and goes on while its heir sends: nothing lost, nothing twice", async () => {
  for (const file of readdirSync(dir)) rmSync(join(dir, file));
  await using nats = await startNats();
  const script = join(import.meta.dir, "outbox-child.ts");
  const child = Bun.spawn([process.execPath, script, nats.url, dir, "life"], {
    stdout: "pipe",
    stderr: "inherit",
  });
  let said = 0;
  const heard = (async () => {
    for await (const { lines } of splitLines(child.stdout))
      said = Number(lines.at(-1)?.text ?? said);
  })();
  const book = openLogBook();
  // To this heir everybody's lease is over.
  const late = { ...systemClock, nowMs: () => systemClock.nowMs() + 61_000 };
  const options = { outboxDir: dir, log: book.log, clock: late };
  try {
    for (let round = 1; round <= 6; round++) {
      const from = said;
      const isPiledUp = round % 2 === 0;
      await until("some records", () => said > from + 300);
      if (isPiledUp) {
        await nats.kill9();
        const piled = said + 1_000;
        await until("many packs", () => said > piled);
      }
      // Once it is not even stopped: the heir's clock is wrong.
      if (round !== 5) child.kill("SIGSTOP");
      estrange();
      if (isPiledUp) await nats.restart();
      const heir = await openMesh(nats.url, "crash", options);
      heir.outbox.open();
      await until("it is adopted", () => book.count("audit.adopted") === round);
      child.kill("SIGCONT");
      await until("the heir is done", () => book.count("audit.adopted_stored") === round);
      await heir.close();
    }
    const from = said;
    await until("it goes on", () => said > from + 300);
  } finally {
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await child.exited;
  }
  await heard;
  const last = await openMesh(nats.url, "crash", { outboxDir: dir });
  last.outbox.open();
  await until("every journal sent", () => readdirSync(dir).length === 1);
  const { times, senders } = await storedIn(last);
  expect(times.size).toBeGreaterThanOrEqual(said);
  for (let nth = 0; nth < times.size; nth++)
    expect(`${nth}: ${times.get(`life.${nth}`)}`).toBe(`${nth}: 1`);
  // Each adoption made the owner another sender.
  expect(senders.size).toBe(7);
  await last.close();
}, 90_000);
