import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { HASH_BYTES } from "../../../bridge/ledger.ts";
import {
  type VerifyOptions,
  type VerifyReport,
  verifyTrail,
} from "../../../bridge/proof/verify.ts";
import { PetrelError } from "../../../core/mod.ts";
import { type Expected, entryOf, MUTATIONS, placeIn } from "./mutations.ts";
import {
  buildTrail,
  clock,
  type Draft,
  makeRandom,
  numberOffsets,
  START_MS,
  streamOf,
  trailOf,
} from "./trail.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

function verify(draft: Draft, options: VerifyOptions = {}): Promise<VerifyReport> {
  return verifyTrail(trailOf(draft), { clock, ...options });
}

const drafts = Array.from({ length: 8 }, (_, at) => buildTrail(seed + at));

/** One of a few trails, to tamper with: nothing of a draft is changed, only replaced. */
function copyOf(at: number): Draft {
  const { lanes, ledger, kafka, outside } = drafts[at] ?? buildTrail(seed + at);
  return {
    lanes: lanes.map((lane) => [...lane]),
    ledger: [...ledger],
    kafka: [...kafka],
    outside: [...outside],
  };
}

function isNamed({ findings }: VerifyReport, { kinds, leaves, place }: Expected): boolean {
  return findings.some(
    (found) =>
      kinds.includes(found.kind) &&
      (place === undefined || found.place === place) &&
      (leaves === undefined || leaves.some((leaf) => isAt(found, leaf))),
  );
}

function isAt({ leaf = -1, end = leaf + 1 }: { leaf?: number; end?: number }, at: number): boolean {
  return at >= leaf && at < end;
}

test("an honest trail is intact", async () => {
  const property = fc.asyncProperty(
    fc.integer(),
    fc.integer({ min: 1, max: 30 }),
    async (of, n) => {
      const draft = buildTrail(of, n);
      const size = draft.ledger.at(-1)?.size ?? 0;
      const report = await verify(draft);
      expect(report.findings).toEqual([]);
      expect(report).toMatchObject({
        isIntact: true,
        first: 0,
        size,
        matched: size,
        provenFrom: 0,
      });
      expect(report.checkpoints).toBe(draft.kafka.length);
      expect(report.unsignedTail).toBe(size - report.provenTo);
    },
  );
  await fc.assert(property, { seed, numRuns: 30 });
});

for (const [name, mutate] of Object.entries(MUTATIONS)) {
  test(`found and named: ${name}`, async () => {
    const property = fc.asyncProperty(fc.nat({ max: 7 }), fc.integer(), async (of, how) => {
      const draft = copyOf(of);
      const expected = mutate(draft, makeRandom(how));
      fc.pre(expected !== undefined);
      for (const lane of draft.lanes) numberOffsets(lane);
      const report = await verify(draft);
      if (!isNamed(report, expected))
        throw new Error(JSON.stringify({ expected, report }, null, 1));
      expect(report.isIntact).toBe(false);
      expect(report.findings.length).toBeLessThanOrEqual(12);
    });
    await fc.assert(property, { seed, numRuns: 25 });
  });
}

test("a trail whose beginning retention deleted is verified from there on, and says so", async () => {
  const draft = buildTrail(seed);
  const [gone] = draft.ledger.splice(0, 4).slice(-1);
  const [anchor] = draft.ledger;
  if (!gone || !anchor) throw new Error("the trail is too short");
  for (const lane of draft.lanes) lane.splice(0, Math.max(0, placeIn(lane, gone.size - 1) - 1));
  const report = await verify(draft);
  expect(report).toMatchObject({ isIntact: true, first: gone.size, provenFrom: anchor.size });
  expect(report.uncompared).toBeGreaterThan(0);
  expect(report.uncheckable).toBe(1);
});

test("records that retention may have taken are counted, later ones are missed", async () => {
  const draft = buildTrail(seed);
  const { entry } = entryOf(draft, 20);
  for (const lane of draft.lanes) lane.splice(0, placeIn(lane, entry.first - 1));
  const retained = await verify(draft, { retainedFromMs: entry.atMs });
  expect(retained).toMatchObject({ isIntact: true, expired: entry.first });
  const report = await verify(draft, { retainedFromMs: entry.atMs - 1_000, findingsMax: 3 });
  const { size, first } = entryOf(draft, entry.first - 1).entry;
  expect(report.counts).toEqual({ removed: size - first });
});

test("a checkpoint from the future, and one signed when its key was not in use", async () => {
  const draft = buildTrail(seed);
  const early = { ...clock, nowMs: () => START_MS + 3_000 };
  expect((await verify(draft, { clock: early, skewMs: 1_000 })).counts).toEqual({
    "checkpoint-future": 2 * (draft.kafka.length - 1),
  });
  const trail = trailOf(buildTrail(seed));
  const retired = trail.verifiers.map((one) => ({ ...one, untilMs: START_MS + 3_000 }));
  const report = await verifyTrail({ ...trail, verifiers: retired }, { clock });
  expect(report.counts).toEqual({ "checkpoint-expired": 2 * (draft.kafka.length - 1) });
  expect(report.unsignedTail).toBeGreaterThan(0);
});

test("the newest checkpoint may be too old", async () => {
  const report = await verify(buildTrail(seed), { checkpointAgeMsMax: 3_600_000 });
  expect(report.findings.map(({ kind }) => kind)).toEqual(["checkpoint-expired"]);
});

test("a trail that grows while it is read is no finding", async () => {
  const draft = buildTrail(seed);
  const [last] = draft.ledger.splice(-1);
  const report = await verify(draft, { isLive: true });
  expect(report).toMatchObject({ isIntact: true, beyond: (last?.size ?? 0) - (last?.first ?? 0) });
});

test("a replay of JetStream names the first leaf that differs", async () => {
  const draft = buildTrail(seed);
  const hashes = Buffer.concat(draft.ledger.map((entry) => entry.hashes));
  const replayed = (bytes: Uint8Array, first = 0) => ({
    first,
    hashes: streamOf([bytes.subarray(0, 160), bytes.subarray(160)]),
  });
  const same = await verifyTrail({ ...trailOf(draft), replayed: replayed(hashes) }, { clock });
  expect(same).toMatchObject({ isIntact: true, replayed: hashes.length / HASH_BYTES });
  const late = replayed(hashes.subarray(9 * HASH_BYTES), 9);
  expect((await verifyTrail({ ...trailOf(draft), replayed: late }, { clock })).isIntact).toBe(true);
  const other = Buffer.from(hashes);
  other[17 * HASH_BYTES + 3] = (other[17 * HASH_BYTES + 3] ?? 0) ^ 1;
  for (const [bytes, leaf] of [
    [other, 17],
    [hashes.subarray(0, 12 * HASH_BYTES), 12],
  ] as const) {
    const report = await verifyTrail({ ...trailOf(draft), replayed: replayed(bytes) }, { clock });
    expect(report.findings).toMatchObject([{ kind: "replay-differs", leaf }]);
  }
});

test("an entry that cannot be read is named, and so is the hole it leaves", async () => {
  const draft = buildTrail(seed);
  const broken = new PetrelError("PROTOCOL_VIOLATION", "ledger: audit.ledger/0/3: no JSON");
  const entries = draft.ledger.map((entry, at) => (at === 3 ? broken : entry));
  const report = await verifyTrail({ ...trailOf(draft), ledger: streamOf(entries) }, { clock });
  expect(report.findings.map(({ kind }) => kind)).toContain("ledger-tampered");
  expect(JSON.stringify(report.findings)).toContain("audit.ledger/0/3: no JSON");
});

test("findings are bounded, the rest is counted", async () => {
  const draft = buildTrail(seed, 40);
  for (const lane of draft.lanes) lane.length = 0;
  const report = await verify(draft, { findingsMax: 5 });
  expect(report.findings.length).toBe(5);
  expect(report.counts).toEqual({ removed: draft.ledger.at(-1)?.size });
});

test("the signal ends it, and every stream is closed", async () => {
  const trail = trailOf(buildTrail(seed));
  const abort = new AbortController();
  const onProgress = () => abort.abort();
  const open = { count: 1 };
  async function* watched() {
    try {
      yield* trail.records;
    } finally {
      open.count = 0;
    }
  }
  const run = verifyTrail(
    { ...trail, records: watched() },
    { clock, onProgress, signal: abort.signal },
  );
  await expect(run).rejects.toMatchObject({ code: "CANCELLED" });
  expect(open.count).toBe(0);
});
