/** The journal: whatever is done to it, and wherever its process dies, nothing is lost, doubled or moved. */
import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { Journal } from "../../a2a/audit/journal.ts";
import { DATA_AT, type JournalIdentity } from "../../a2a/audit/layout.ts";
import { unpackRecords } from "../../a2a/mod.ts";
import { limits, newId } from "../../core/mod.ts";
import { record } from "../support/audit-records.ts";
import { failureOf } from "../support/failure.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const dir = mkdtempSync(join(tmpdir(), "petrel-journal-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const identity: JournalIdentity = {
  v: 1,
  host: "h",
  name: "me",
  instance: "i",
  shard: 0,
  sender: "s",
  servers: ["nats://127.0.0.1:4222"],
};

function make(bytes = DATA_AT + 16_384): Journal {
  return Journal.create(join(dir, newId()), identity, bytes);
}

/** The bodies of all that is pending, as they would be sent. */
function drain(journal: Journal): string[] {
  const bodies: string[] = [];
  for (let flight = journal.flight ?? journal.take("open"); flight; flight = journal.take("open")) {
    bodies.push(...unpackRecords(flight.data).map(({ body }) => body));
    journal.acknowledge();
  }
  return bodies;
}

/** What a process that died now would leave: read from a copy, so that this one goes on. */
function leftBy(journal: Journal): string[] {
  const copy = `${journal.path}.copy`;
  copyFileSync(journal.path, copy);
  return drain(Journal.open(copy));
}

const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("append"), size: fc.nat(5_000) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("send", "acknowledge"), size: fc.nat(0) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("beat", "die"), size: fc.nat(0) }) },
);

test("any order of reports, packs, acknowledgements and deaths keeps every record, once, in order", () => {
  let nth = 0;
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      let journal = make();
      const pending: string[] = [];
      let inFlight = 0;
      let reported = 0;
      for (const { do: what, size } of commands) {
        if (what === "append") {
          const body = `${nth++} ${"x".repeat(size)}`;
          if (journal.append(record(`r${nth}`, "agent", body))) pending.push(body);
          else expect(pending.length).toBeGreaterThan(0);
        } else if (what === "send" && !journal.flight) {
          const flight = journal.take("open");
          expect(flight === undefined).toBe(pending.length === 0);
          inFlight = flight?.records ?? 0;
          reported += inFlight;
        } else if (what === "beat" && !journal.flight) {
          expect(journal.take("beat")).toMatchObject({ kind: "beat", records: 0, reported });
        } else if (what === "acknowledge" && journal.flight) {
          journal.acknowledge();
          pending.splice(0, inFlight);
          inFlight = 0;
        } else if (what === "die") {
          const before = journal.flight;
          journal = Journal.open(journal.path);
          // The very same pack, to the byte.
          expect(journal.flight).toEqual(before);
        }
        expect(journal.pending).toBe(pending.length);
        expect(leftBy(journal)).toEqual(pending);
      }
      expect(drain(journal)).toEqual(pending);
      journal.remove();
    }),
    { seed, numRuns: 60 },
  );
}, 60_000);

test("a record that is taken back is not sent, unless its pack is on its way; the others are, in order", () => {
  const steps = fc.array(
    fc.record({
      do: fc.constantFrom("append", "append", "append", "withdraw", "send", "acknowledge"),
      size: fc.nat(3_000),
    }),
    { maxLength: 150 },
  );
  fc.assert(
    fc.property(steps, (given) => {
      const journal = make();
      let pending: { body: string; end: number }[] = [];
      const sent: string[] = [];
      const due: string[] = [];
      const onWay: typeof pending = [];
      for (const [nth, { do: what, size }] of given.entries()) {
        const body = `${nth} ${"x".repeat(size)}`;
        if (what === "append" && journal.append(record(`r${nth}`, "agent", body))) {
          pending.push({ body, end: journal.tail });
        } else if (what === "withdraw") {
          const gone = pending[size % Math.max(1, pending.length)];
          if (gone) expect(journal.withdraw(gone.end)).toBe(true);
          pending = pending.filter((one) => one !== gone);
          for (const { end } of onWay) expect(journal.withdraw(end)).toBe(false);
        } else if (what === "send" && !journal.flight) {
          const flight = journal.take("open");
          sent.push(...unpackRecords(flight?.data ?? new Uint8Array()).map((one) => one.body));
          onWay.push(...pending.splice(0, flight?.records ?? 0));
          due.push(...onWay.map((one) => one.body));
        } else if (what === "acknowledge" && journal.flight) {
          expect(journal.acknowledge()).toBe(true);
          onWay.splice(0);
        }
        expect(journal.pending).toBe(pending.length + onWay.length);
      }
      if (journal.flight) journal.acknowledge();
      sent.push(...drain(journal));
      expect(sent).toEqual([...due, ...pending.map(({ body }) => body)]);
      journal.remove();
    }),
    { seed, numRuns: 100 },
  );
});

test("what was packed goes out as it was, whatever text it is", () => {
  const journal = make();
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" }), { maxLength: 20 }), (given) => {
      const bodies = given.map((text) => Buffer.from(text).toString("utf8"));
      for (const body of bodies) expect(journal.append(record("id", "caller", body))).toBe(true);
      expect(drain(journal)).toEqual(bodies);
    }),
    { seed },
  );
});

test("a pack has at most so many records and bytes; one record may be larger", () => {
  const journal = make(limits.OUTBOX_BYTES_MAX);
  for (let n = 0; n < 450; n++) journal.append(record(`r${n}`, "caller"));
  const large = "x".repeat(limits.PACK_BYTES_MAX);
  journal.append(record("large", "caller", large));
  journal.append(record("last", "caller"));
  const sizes: number[] = [];
  while (journal.take("open")) {
    sizes.push(journal.flight?.records ?? 0);
    journal.acknowledge();
  }
  expect(sizes).toEqual([200, 200, 50, 1, 1]);
});

test("a journal that keeps up stays on its first pages", () => {
  const journal = make();
  for (let n = 0; n < 1_000; n++) {
    expect(journal.append(record(`r${n}`, "caller", "x".repeat(3_000)))).toBe(true);
    journal.take("open");
    journal.acknowledge();
  }
  const used = readFileSync(journal.path).subarray(DATA_AT + 4_096);
  expect(used.every((byte) => byte === 0)).toBe(true);
});

test("a record that lies about its length, has no id or can never be stored is refused", async () => {
  const journal = make();
  const good = record("id", "caller", "body");
  const refused = [
    [{ ...good, bytes: 3 }, "INTERNAL"],
    [{ ...good, bytes: 5 }, "INTERNAL"],
    [{ ...good, id: "two\nlines" }, "INTERNAL"],
    [record("id", "caller", "x".repeat(limits.ENVELOPE_BYTES_MAX + 10_000)), "TOO_LARGE"],
  ] as const;
  for (const [bad, code] of refused) {
    expect(await failureOf(Promise.try(() => journal.append(bad)))).toMatchObject({ code });
  }
  expect(journal.append(good)).toBe(true);
  expect(leftBy(journal)).toEqual(["body"]);
});

describe("a journal that makes no sense is refused, and says what is wrong", () => {
  function spoiled(change: (bytes: Buffer) => Buffer): string {
    const journal = make();
    for (const body of ["one", "two", "three"]) journal.append(record(body, "caller", body));
    journal.take("open");
    journal.append(record("four", "caller", "four"));
    const path = join(dir, newId());
    writeFileSync(path, change(readFileSync(journal.path)));
    return path;
  }
  const cases: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
    ["empty", () => Buffer.alloc(0)],
    ["cut in its first page", (bytes) => bytes.subarray(0, 1_000)],
    ["cut before its records end", (bytes) => bytes.subarray(0, DATA_AT + 100)],
    ["zeros", (bytes) => Buffer.alloc(bytes.length)],
    ["of another version", (bytes) => (bytes.write("PETRELJ2"), bytes)],
    ["whose identity was changed", (bytes) => (bytes.write("you", 300), bytes)],
    ["whose end is beyond it", (bytes) => (bytes.writeInt32LE(bytes.length + 1, 16), bytes)],
    ["whose end is in a record", (bytes) => (bytes.writeInt32LE(DATA_AT + 350, 16), bytes)],
    ["whose state is none", (bytes) => (bytes.writeInt32LE(7, 24), bytes)],
    ["whose records were changed", (bytes) => (bytes.write("}", DATA_AT), bytes)],
  ];

  test.each(cases)("%s", async (_, change) => {
    const path = spoiled(change);
    expect(await failureOf(Promise.try(() => Journal.open(path)))).toMatchObject({
      code: "PROTOCOL_VIOLATION",
    });
  });

  test("any bytes: opened or refused, never a crash", () => {
    const place = fc.record({ at: fc.nat(DATA_AT + 900), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 8 }), (places) => {
        const path = spoiled((bytes) => {
          for (const { at, byte } of places) bytes[at] = byte;
          return bytes;
        });
        try {
          drain(Journal.open(path));
        } catch (error) {
          expect(error).toMatchObject({ code: "PROTOCOL_VIOLATION" });
        }
      }),
      { seed, numRuns: 150 },
    );
  });
});

test("a process killed at any instruction leaves a journal without a hole", async () => {
  for (let round = 0; round < 6; round++) {
    const path = join(dir, newId());
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "journal-child.ts"), path], {
      stdout: "pipe",
      stderr: "inherit",
    });
    // Some way into its work: the journal is wrapped many times a millisecond.
    await child.stdout.getReader().read();
    await Bun.sleep(round);
    child.kill("SIGKILL");
    await child.exited;
    const journal = Journal.open(path);
    const { flight } = journal;
    const first = flight ? flight.reported - flight.records : undefined;
    const left = drain(journal).map((body) => Number(body.split(" ")[0]));
    const from = first ?? left[0] ?? 0;
    expect(left).toEqual(left.map((_, index) => from + index));
    expect(journal.lost).toBe(0);
  }
}, 60_000);

test("the whole file is there before the first record", () => {
  const journal = make(1024 * 1024);
  const { size, blocks, mode } = statSync(journal.path);
  expect([size, mode & 0o777]).toEqual([1024 * 1024, 0o600]);
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
});
