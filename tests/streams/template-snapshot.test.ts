/** What a miner knows outlives it: the same lines get the same ids after a restart. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { TemplateMiner } from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const record = (message: string, service = "orders", logger?: string) => ({
  service,
  message,
  ...(logger !== undefined && { logger }),
});

const LINES = [
  ..."root git ftp adm bin sys".split(" ").map((who) => `Failed password for ${who} from 10.0.0.7`),
  ..."admin1 badmin2 x3".split(" ").map((host) => `cannot qualify my name (${host}) at all`),
  "synchronized to LOCAL(0), stratum 3",
  "synchronized to 10.0.0.1, stratum 3",
  'got {"id":17} from 1f2e3d4c5b6a',
  "tickets: [a, b]",
  "",
];

function learn(miner: TemplateMiner, lines: readonly string[]): string[] {
  return lines.map((line) => miner.match(record(line))?.id ?? "");
}

test("known lines keep their ids and texts, old ids resolve, and learning goes on", () => {
  const before = new TemplateMiner();
  const early = learn(before, LINES);
  const late = learn(before, LINES);
  const after = TemplateMiner.restore(before.snapshot());
  expect(after.size).toBe(before.size);
  expect(learn(after, LINES)).toEqual(late);
  for (const id of early) expect(after.resolve(id)).toEqual(before.resolve(id));
  // A word that was never seen is of the statement that was found before the restart.
  const [password] = late;
  expect(learn(after, ["Failed password for zoe from 10.0.0.9"])).toEqual([password ?? ""]);
});

test("evidence that was not enough yet is given again by the lines that come again", () => {
  const words = "root git ftp adm bin".split(" ");
  const lines = words.map((who) => `Failed password for ${who} from 10.0.0.7`);
  let miner = new TemplateMiner();
  for (const line of lines.slice(0, 4)) learn(miner, [line]);
  miner = TemplateMiner.restore(miner.snapshot());
  const ids = learn(miner, lines);
  expect(new Set(ids.map((id) => miner.resolve(id)?.id)).size).toBe(1);
});

test("templates that were never joined have the same id in every miner, without a snapshot too", () => {
  const lines = ["order 17 took 5 ms", "queue is full", "tickets: [a]"];
  expect(learn(new TemplateMiner(), lines.toReversed()).toReversed()).toEqual(
    learn(new TemplateMiner(), lines),
  );
});

test("services and loggers come back apart", () => {
  const before = new TemplateMiner();
  const records = [record("x 1", "a"), record("x 1", "b"), record("x 1", "a", "l.C#7")];
  const ids = records.map((one) => before.match(one)?.id);
  const after = TemplateMiner.restore(before.snapshot());
  expect(records.map((one) => after.match(one)?.id)).toEqual(ids);
  expect(after.match(records[2] ?? record(""))).toMatchObject({ service: "a", logger: "l.C#7" });
});

const word = fc.constantFrom(
  "login",
  "failed",
  "17",
  "10.0.0.1",
  "key=a",
  "f(1)",
  "ann",
  "bob",
  "x1",
);
const sentences = fc.array(
  fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(" ")),
  { minLength: 1, maxLength: 40 },
);

test("any miner is the same after a restart, and its snapshot as well", () => {
  const property = fc.property(sentences, (lines) => {
    const before = new TemplateMiner();
    learn(before, lines);
    const known = learn(before, lines);
    const snapshot = before.snapshot();
    const after = TemplateMiner.restore(snapshot);
    expect(after.snapshot()).toEqual(snapshot);
    expect(learn(after, lines.toReversed()).toReversed()).toEqual(known);
    expect(after.size).toBe(before.size);
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("a snapshot is bounded: what is too much is left out, the longest unseen first", () => {
  const miner = new TemplateMiner();
  const letter = fc.integer({ min: 97, max: 122 }).map((code) => String.fromCharCode(code));
  const long = fc.array(fc.array(letter, { minLength: 9, maxLength: 9 }), {
    minLength: 45,
    maxLength: 45,
  });
  const first = miner.match(record("the first line of all"));
  const early = miner.match(record("a line that does not come again"));
  fc.sample(long, { seed, numRuns: 2_500 }).forEach((all, at) => {
    const line = all.map((letters) => letters.join("")).join(" ");
    if (at === 100) miner.nextGeneration();
    miner.match(record(line, `service-${at % 20}`));
  });
  miner.match(record("the first line of all"));
  const snapshot = miner.snapshot();
  expect(snapshot.length).toBeLessThanOrEqual(512 * 1024);
  const after = TemplateMiner.restore(snapshot);
  expect(after.size).toBeGreaterThan(100);
  expect(after.size).toBeLessThan(miner.size);
  expect(after.resolve(first?.id ?? "")).toEqual(first);
  expect(after.resolve(early?.id ?? "")).toBeUndefined();
});

test("names longer than a reader takes are left out, and the rest comes back", () => {
  const miner = new TemplateMiner();
  miner.match(record("hello", "orders", "x".repeat(3_000)));
  const kept = miner.match(record("hello"));
  const after = TemplateMiner.restore(miner.snapshot());
  expect(after.size).toBe(1);
  expect(after.resolve(kept?.id ?? "")).toEqual(kept);
});

test("what is damaged or of another version is refused, with the place", () => {
  const good = new TemplateMiner().snapshot();
  const gzip = (value: unknown) => Bun.gzipSync(JSON.stringify(value));
  const node = { key: 1, place: 0, id: "x" };
  const place = { index: 0, service: "a", patterns: [] };
  const saved = (places: readonly unknown[], nodes: readonly unknown[] = []) =>
    gzip({ version: 2, places, nodes });
  const many = <T>(count: number, one: T) => Array<T>(count).fill(one);
  const patterned = (patterns: unknown) => saved([{ ...place, patterns }], [node]);
  expect(TemplateMiner.restore(saved([place], [node])).size).toBe(1);
  const bad = [
    new Uint8Array(0),
    new TextEncoder().encode("no snapshot"),
    good.slice(0, -9),
    gzip({ version: 1, places: [], nodes: [] }),
    saved([], [node]),
    saved([place], [{ ...node, root: 0 }]),
    saved([place], [{ ...node, unseen: -1 }]),
    saved([place], [{ ...node, kinds: many(200, 3) }]),
    saved([place, { ...place, service: "b" }]),
    saved([place, { ...place, index: 1 }]),
    // Bombs: patterns without end, of one length, of many, each of many columns.
    patterned([[1, many(80_000, [[], []])]]),
    patterned(many(80_000, [1, []])),
    patterned([[1, [[many(80_000, 1), []]]]]),
    gzip([]),
    new Uint8Array(600 * 1024),
    // A bomb: little to read, much to unpack.
    Bun.gzipSync(new Uint8Array(200 * 1024 * 1024)),
  ];
  for (const bytes of bad) {
    expect(() => TemplateMiner.restore(bytes)).toThrow(
      expect.objectContaining({ code: "PROTOCOL_VIOLATION" }),
    );
  }
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    expect(() => TemplateMiner.restore(bytes)).toThrow("a snapshot of log templates");
  });
  fc.assert(property, { seed, numRuns: 200 });
});
