import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { TemplateMiner } from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const record = (message: string, logger = "a.B#1") => ({ service: "orders", logger, message });
const textOf = (message: string) => new TemplateMiner().match(record(message))?.text;

test("values are named by their shape", () => {
  const cases = {
    "order 17 took 1203 ms": "order <NUM> took <NUM> ms",
    "user 8c756d0c-b064-4dc6-b705-496a75343ddb in": "user <UUID> in",
    "from 10.0.0.7:8080 to /var/log/x.log": "from <IP> to <PATH>",
    "HikariPool-1 - Exception": "HikariPool-<NUM> - Exception",
    "stats (total=8, active=8, idle=0)": "stats (<OBJ>)",
    "at 2026-03-13 14:20:24.940 by a@b.de": "at <TIME> by <EMAIL>",
    'name "Ann Lee" id=abc': 'name "<STR>" id=<*>',
    "can't stop": "can't stop",
    "session opened for user root": "session opened for user <*>",
    "lookup of ns1.example.com (a.b.org) failed": "lookup of <HOST> (<*>) failed",
    "bean com.zaxxer.hikari.pool": "bean com.zaxxer.hikari.pool",
    'asked "POST /v2/x HTTP/1.1" now': 'asked "POST <STR>" now',
    "at Fri Jun 17 07:07:00 2005": "at <TIME>",
    "[info: Route(id=7, stations=[a, b])] ok": "[info: Route(<OBJ>)] ok",
  };
  for (const [message, template] of Object.entries(cases)) expect(textOf(message)).toBe(template);
});

test("lists of any length come to one template", () => {
  const miner = new TemplateMiner();
  const ids = [[], ["a"], ["a", "b"], Array(500).fill("Ticket(seatNo=1, to=x)")].map(
    (list) => miner.match(record(`tickets: [${list.join(", ")}]`))?.id,
  );
  expect(new Set(ids).size).toBe(1);
});

test("service and logger are part of the identity", () => {
  const miner = new TemplateMiner();
  const ids = [record("x"), record("x", "a.C#2"), { ...record("x"), service: "pay" }].map(
    (one) => miner.match(one)?.id,
  );
  expect(new Set(ids).size).toBe(3);
  expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
});

test("an id depends neither on the order nor on the miner", () => {
  const word = fc.constantFrom("login", "failed", "17", "10.0.0.1", "key=7", "[a, b]", "(x=1)");
  const messages = fc.array(
    fc.array(word, { maxLength: 8 }).map((words) => words.join(" ")),
    {
      maxLength: 50,
    },
  );
  const property = fc.property(messages, (all) => {
    const [forward, backward] = [new TemplateMiner(), new TemplateMiner()];
    const ids = all.map((message) => forward.match(record(message))?.id);
    const back = all.toReversed().map((message) => backward.match(record(message))?.id);
    expect(back.toReversed()).toEqual(ids);
  });
  fc.assert(property, { seed, numRuns: 300 });
});

test("the table is bounded; what is known is still found when it is full", () => {
  const miner = new TemplateMiner({ templatesMax: 10 });
  const letters = (index: number) => index.toString(2).replace(/0/g, "a").replace(/1/g, "b");
  const first = miner.match(record(letters(0)));
  for (let index = 0; index < 5_000; index++) {
    miner.match(record(letters(index), `logger.${letters(index)}`));
  }
  expect(miner.size).toBe(10);
  expect(miner.match(record(letters(0)))).toEqual(first);
  expect(miner.match(record("new", "never.seen"))).toBeUndefined();
});

test("any text has a mask of at most 500 characters", () => {
  const hostile = ["[", "(", "'", '"', "=", "1", "<", "a:", "9.", "ab1", "@a", "(="].map((part) =>
    part.repeat(30_000),
  );
  for (const message of hostile) expect(textOf(message)?.length).toBeLessThanOrEqual(500);
  const property = fc.property(fc.string({ unit: "binary", maxLength: 900 }), (message) => {
    expect(textOf(message)?.length).toBeLessThanOrEqual(500);
  });
  fc.assert(property, { seed, numRuns: 500 });
});
