/** Lines that mean harm: bounded tables, no text that takes for ever, and others are served as before. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { limits } from "../../core/mod.ts";
import { TemplateMiner } from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const record = (message: string, service = "orders") => ({ service, message });
/** A word of letters alone, for each number another one. */
const letters = (index: number) =>
  index.toString(26).replace(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)] ?? "");

test("a service of nothing but unique lines takes no place from the others", () => {
  const miner = new TemplateMiner();
  const known = miner.match(record("order 17 took 5 ms", "quiet"));
  for (let index = 0; index < 100_000; index++) {
    const unique = `${letters(index)} ${letters(index * 7)} ${letters(index * 13)} end`;
    expect(miner.match(record(unique))).toBeDefined();
  }
  expect(miner.size).toBeLessThan(1_200);
  expect(miner.match(record("order 99 took 6 ms", "quiet"))).toBe(known);
  expect(miner.match(record("a new line here", "quiet"))?.text).toBe("a new line here");
  // Too many statements come down to one for all that is left.
  expect(miner.match(record("zzz yyy xxx www"))?.text).toBe("<*>");
});

test("the table is bounded; what is known is still found when it is full", () => {
  const miner = new TemplateMiner({ templatesMax: 10 });
  const first = miner.match(record("the first line"));
  for (let index = 0; index < 5_000; index++) {
    miner.match({ ...record(`x ${letters(index)} y`), logger: `logger.${letters(index)}` });
  }
  // One service may hold half of it.
  expect(miner.size).toBe(5);
  for (let index = 0; index < 100; index++) miner.match(record("x", `service-${index}`));
  expect(miner.size).toBe(10);
  expect(miner.match(record("the first line"))).toEqual(first);
  expect(miner.match({ ...record("new"), logger: "never.seen" })).toBeUndefined();
});

test("values of known variables take no room, however many statements have one", () => {
  const miner = new TemplateMiner({ templatesMax: 300 });
  for (let index = 0; index < 20_000; index++) {
    const at = index % 36;
    // Thirty-six statements of one length, each with its own variable column.
    const words = Array.from({ length: 38 }, (_, column) => `w${letters(at)}${letters(column)}`);
    words[1 + at] = `x${letters(index)}`;
    miner.match(record(words.join(" ")));
  }
  expect(miner.size).toBe(36);
  expect(miner.match(record("something new"))?.text).toBe("something new");
});

test("many services of many unique lines stay within the table", () => {
  const miner = new TemplateMiner();
  for (let index = 0; index < 30_000; index++) {
    const line = Array.from({ length: 30 }, (_, at) => letters(index * 31 + at * 977)).join(" ");
    miner.match(record(line, `service-${index % 40}`));
  }
  expect(miner.size).toBeLessThanOrEqual(limits.TEMPLATES_MAX);
  expect(miner.snapshot().length).toBeLessThanOrEqual(512 * 1024);
});

/** Each repeated to some 60,000 characters: what opens and never closes, what looks like a value. */
const PARTS =
  `[ ( { ' " = 1 < > a: 9. ab1 @a (= {"a {"a":{"b" {"a":1,x {"a":[ a.b. 1:2: :: \\ /a a/b/ .... x| ` +
  "0x 12: -1 +- a@b.c a@ ~# ][ [a, (a=1, b=[ é 中 \u0000 \ud800 1,234, <NUM> user= Jan Mon,";

test("no text makes the miner slow or its template long", () => {
  const miner = new TemplateMiner();
  for (const part of PARTS.split(" ")) {
    for (const glue of ["", " "]) {
      const text = `${part}${glue}`.repeat(Math.ceil(60_000 / (part.length + 1)));
      expect(miner.match(record(text))?.text.length).toBeLessThanOrEqual(500);
      expect(miner.match(record(`${text}!`))?.text.length).toBeLessThanOrEqual(500);
    }
  }
});

test("one endless line is one template, whatever its length", () => {
  const miner = new TemplateMiner();
  const ids = [10_000, 20_000, 64_000].map((length) => miner.match(record("a".repeat(length)))?.id);
  expect(new Set(ids).size).toBe(1);
});

test("mixed pieces of everything: always a template, always the same", () => {
  const piece = fc.oneof(
    fc.constantFrom(...PARTS.split(" ")),
    fc.string({ unit: "binary", maxLength: 6 }),
    fc.string({ unit: "grapheme", maxLength: 6 }),
    fc.constant(" "),
  );
  const lines = fc.array(
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join("")),
    { maxLength: 20 },
  );
  const property = fc.property(lines, (all) => {
    const miner = new TemplateMiner();
    for (const line of all) expect(miner.match(record(line))?.service).toBe("orders");
    const again = all.map((line) => miner.match(record(line))?.id);
    expect(all.map((line) => miner.match(record(line))?.id)).toEqual(again);
    expect(miner.size).toBeLessThanOrEqual(Math.max(1, all.length));
  });
  fc.assert(property, { seed, numRuns: 300 });
});
