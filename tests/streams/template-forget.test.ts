/** Weeks of releases: what nobody logs any more makes room, and one service leaves room for the others. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { TemplateMiner } from "../../streams/mod.ts";
import { GENERATIONS_KEPT } from "../../streams/template/table.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
/** A word of letters alone, for each number another one. */
const letters = (index: number) =>
  `w${index.toString(26).replace(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)] ?? "")}`;
/** Statements that differ in more than varies together. */
const statement = (at: number, service = "orders", logger = `logger.${letters(at)}`) => ({
  service,
  logger,
  message: `${letters(at)} is done`,
});

function fill(miner: TemplateMiner, count: number, service = "orders", from = 0): string[] {
  const all = Array.from({ length: count }, (_, at) => statement(from + at, service));
  return all.map((one) => miner.match(one)?.id ?? "");
}

function wait(miner: TemplateMiner, generations: number, each: () => void = () => undefined): void {
  for (let at = 0; at < generations; at++) {
    each();
    miner.nextGeneration();
  }
}

test("one service holds half of the table at most; the others still find room", () => {
  const miner = new TemplateMiner({ templatesMax: 100 });
  const noisy = fill(miner, 500);
  expect(miner.size).toBe(50);
  expect(noisy.filter((id) => id !== "")).toHaveLength(50);
  expect(miner.match({ ...statement(0), service: "payment" })).toBeDefined();
  expect(fill(miner, 40, "stock")).not.toContain("");
  // What the noisy one has it keeps.
  expect(fill(miner, 50)).toEqual(noisy.slice(0, 50));
});

test("one service's shapes that are joined leave room too", () => {
  const miner = new TemplateMiner({ templatesMax: 20 });
  for (let at = 0; at < 2_000; at++) {
    // Five users of each action make one statement of six shapes.
    const action = letters(Math.floor(at / 5));
    const message = `${action} denied for user ${letters(5_000 + (at % 5))} from 10.0.0.7`;
    miner.match({ service: "orders", logger: action, message });
  }
  expect(miner.size).toBeLessThanOrEqual(10);
  expect(miner.match(statement(1, "payment"))).toBeDefined();
});

test("a full table makes room for new statements, and what is in use stays", () => {
  const miner = new TemplateMiner({ templatesMax: 100 });
  fill(miner, 50);
  const used = statement(7);
  const id = miner.match(used)?.id;
  wait(miner, GENERATIONS_KEPT, () => miner.match(used));
  expect(miner.size).toBe(50);
  expect(miner.match(statement(600))).toBeUndefined();
  wait(miner, 1, () => miner.match(used));
  // Down to four fifths of what a service may hold.
  expect(miner.size).toBe(40);
  expect(miner.resolve(id ?? "")?.id).toBe(id ?? "");
  expect(miner.match(used)?.id).toBe(id ?? "");
  expect(miner.match(statement(600))).toBeDefined();
});

test("with room enough nothing is forgotten", () => {
  const miner = new TemplateMiner({ templatesMax: 1_000 });
  const ids = fill(miner, 100);
  wait(miner, 3 * GENERATIONS_KEPT);
  expect(ids.map((id) => miner.resolve(id)?.id)).toEqual(ids);
});

test("the longest unseen go first, and what comes back has the id it had", () => {
  const miner = new TemplateMiner({ templatesMax: 100 });
  const ids = fill(miner, 20);
  miner.nextGeneration();
  fill(miner, 30, "orders", 20);
  wait(miner, GENERATIONS_KEPT + 1);
  expect(miner.size).toBe(40);
  expect(ids.map((id) => miner.resolve(id) !== undefined)).toEqual([
    ...Array<boolean>(10).fill(false),
    ...Array<boolean>(10).fill(true),
  ]);
  expect(fill(miner, 5)).toEqual(ids.slice(0, 5));
  expect(miner.resolve(ids[0] ?? "")?.text).toBe(`${letters(0)} is done`);
});

test("a crowded place makes room without the table being full", () => {
  const miner = new TemplateMiner();
  const logger = "one.Logger";
  const unique = (at: number) => `${letters(at)} ${letters(at * 7)} ${letters(at * 13)} end`;
  for (let at = 0; at < 3_000; at++) miner.match({ service: "a", logger, message: unique(at) });
  const fresh = { service: "a", logger, message: "something that is new" };
  expect(miner.match(fresh)?.text).not.toBe("something that is new");
  wait(miner, GENERATIONS_KEPT + 2);
  expect(miner.match(fresh)?.text).toBe("something that is new");
});

test("joined statements go and come as one", () => {
  const miner = new TemplateMiner({ templatesMax: 60 });
  const lines = "root git ftp adm bin sys"
    .split(" ")
    .map((who) => ({ service: "ssh", message: `Failed password for ${who} from 10.0.0.7` }));
  const learn = () => lines.map((line) => miner.match(line)?.id ?? "");
  const first = learn();
  const later = learn();
  fill(miner, 30, "ssh");
  wait(miner, GENERATIONS_KEPT + 1, () => fill(miner, 9, "ssh"));
  expect(first.map((id) => miner.resolve(id))).toEqual(first.map(() => undefined));
  expect(learn()).toEqual(first);
  expect(learn()).toEqual(later);
});

test("what was last seen outlives a restart", () => {
  let miner = new TemplateMiner({ templatesMax: 100 });
  const restart = () => {
    const snapshot = miner.snapshot();
    miner = TemplateMiner.restore(snapshot, { templatesMax: 100 });
    expect(miner.snapshot()).toEqual(snapshot);
  };
  const ids = fill(miner, 48);
  const used = statement(3);
  for (let at = 0; at <= GENERATIONS_KEPT; at++) {
    miner.match(used);
    miner.nextGeneration();
    if (at % 100 === 0) restart();
  }
  expect(miner.size).toBe(40);
  expect(miner.match(used)?.id).toBe(ids[3] ?? "");
  expect(miner.resolve(ids[0] ?? "")).toBeUndefined();
  restart();
  expect(fill(miner, 1)).toEqual(ids.slice(0, 1));
});

test("months of releases: new statements always find room", () => {
  const miner = new TemplateMiner({ templatesMax: 200 });
  for (let release = 0; release < 30; release++) {
    const ids = [0, 1, 2].map((at) => fill(miner, 25, `service-${at}`, 25 * release));
    expect(ids.flat()).not.toContain("");
    expect(miner.size).toBeLessThanOrEqual(200);
    wait(miner, GENERATIONS_KEPT + 1);
  }
});

test("whatever is forgotten, a line in use keeps its template, and all that is kept is sound", () => {
  const word = fc.constantFrom(
    ..."login failed ann bob eve joe tom 17 key=a f(1) x1 for of".split(" "),
  );
  const line = fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.array(word, { minLength: 1, maxLength: 5 }))
    .map(([at, words]) => ({ service: "a", logger: `l${at}`, message: words.join(" ") }));
  const rounds = fc.array(fc.array(line, { minLength: 1, maxLength: 12 }), { maxLength: 8 });
  const property = fc.property(line, rounds, (used, all) => {
    const miner = new TemplateMiner({ templatesMax: 12 });
    const id = miner.match(used)?.id ?? "";
    for (const lines of all) {
      for (const one of lines) {
        const template = miner.match(one);
        if (template !== undefined) expect(miner.resolve(template.id)).toEqual(template);
      }
      wait(miner, GENERATIONS_KEPT + 1, () => miner.match(used));
      expect(miner.resolve(id)).toBeDefined();
      expect(miner.resolve(id)).toEqual(miner.match(used));
      expect(miner.size).toBeLessThanOrEqual(12);
      expect(miner.size).toBeGreaterThan(0);
      const snapshot = miner.snapshot();
      expect(TemplateMiner.restore(snapshot, { templatesMax: 12 }).snapshot()).toEqual(snapshot);
    }
  });
  fc.assert(property, { seed, numRuns: 60 });
});
