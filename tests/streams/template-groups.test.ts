/** Which lines are one statement: what has to be seen before a word counts as a value. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { TemplateMiner } from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const record = (message: string) => ({ service: "orders", logger: "a.B", message });

/** The messages by the template they have when all were seen, in a form that compares. */
function groupsOf(messages: readonly string[], order = messages): string[][] {
  const miner = new TemplateMiner();
  const ids = new Map(order.map((message) => [message, miner.match(record(message))?.id ?? ""]));
  const groups = Map.groupBy([...new Set(messages)].sort(), (message) => {
    return miner.resolve(ids.get(message) ?? "")?.id ?? "";
  });
  return [...groups.values()].sort((a, b) => ((a[0] ?? "") < (b[0] ?? "") ? -1 : 1));
}

const filled = (sentence: string, words: string) =>
  words.split(" ").map((word) => sentence.replace("%", word));

test("five words in one place are values, a few are an enumeration", () => {
  const sentence = "Failed password for % from 10.0.0.7 port 17";
  expect(groupsOf(filled(sentence, "root git ftp adm"))).toHaveLength(4);
  expect(groupsOf(filled(sentence, "root git ftp adm bin"))).toHaveLength(1);
  expect(groupsOf(filled("VM % by the life cycle", "started stopped paused"))).toHaveLength(3);
});

test("the more a text looks like a name, the fewer it takes", () => {
  const sentence = "loading the module % for the kernel";
  for (const words of ["eadmin1 badmin2", "fooBar BazQux HTTPServer", "a.b.c d.e.f g.h-i j.k.l"]) {
    expect(groupsOf(filled(sentence, words))).toHaveLength(1);
  }
  expect(groupsOf(filled(sentence, "fooBar BazQux"))).toHaveLength(2);
  // A noun such as user says that a name follows.
  expect(groupsOf(filled("session opened for user % now", "ann bob eve"))).toHaveLength(1);
});

test("one value makes the words of its place values too", () => {
  const loading = filled("Error loading %: invalid image", "/home/a.rts pwd ./x");
  expect(groupsOf(loading)).toHaveLength(1);
  const peers = filled("synchronized to %, stratum 3", "10.0.0.1 LOCAL(0) #3#");
  expect(groupsOf(peers)).toHaveLength(1);
  // With little beside it, one value is not enough.
  expect(groupsOf(["restart 17", "restart now"])).toHaveLength(2);
});

test("the first word says what a line is about", () => {
  const first = "% startup succeeded";
  expect(groupsOf(filled(first, "cupsd klogd portmap sshd crond"))).toHaveLength(5);
  expect(groupsOf(["3 errors were found", "No errors were found"])).toHaveLength(2);
});

test("keys, calls, verbs and words that differ together keep statements apart", () => {
  const apart = [
    ["free=17 MB of it", "used=17 MB of it"],
    ["open(/a/b) went wrong", "close(/a/b) went wrong"],
    ['10.0.0.1 "GET /x" 200', '10.0.0.1 "POST /x" 200'],
    ["cache is disabled", "proxy was started"],
    ["read 1 of it", "read 1 of it all"],
  ];
  for (const messages of apart) expect(groupsOf(messages)).toHaveLength(2);
});

test("words that change together are found", () => {
  const states = ["NEW", "QUEUED", "RUNNING", "DONE"];
  const steps = states.flatMap((from, at) => {
    const to = states[at + 1];
    return to === undefined ? [] : [`job changed its state from ${from} to ${to}`];
  });
  expect(groupsOf(steps)).toHaveLength(1);
  const names = ["ann lee", "bob ray", "eve fox", "joe day", "sue kim"];
  expect(groupsOf(names.map((name) => `welcome back ${name} to the shop`))).toHaveLength(1);
});

const word = fc.constantFrom("login", "failed", "17", "10.0.0.1", "key=7", "[a, b]", "(x=1)");
const sentences = fc.array(
  fc.array(word, { maxLength: 8 }).map((words) => words.join(" ")),
  { maxLength: 50 },
);

test("the order of lines does not change what is one statement", () => {
  const property = fc.property(sentences, (all) => {
    expect(groupsOf(all, all.toReversed())).toEqual(groupsOf(all));
    expect(groupsOf(all, [...all, ...all])).toEqual(groupsOf(all));
  });
  fc.assert(property, { seed, numRuns: 300 });
});

test("known lines keep their templates in whatever order they come again", () => {
  const property = fc.property(sentences, (all) => {
    const miner = new TemplateMiner();
    for (const message of all) miner.match(record(message));
    const known = all.map((message) => miner.match(record(message))?.id);
    const again = all.toReversed().map((message) => miner.match(record(message))?.id);
    expect(again.toReversed()).toEqual(known);
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("an id that was given stays an id: it resolves to what became of it", () => {
  const miner = new TemplateMiner();
  const lines = filled("Failed password for % from 10.0.0.7", "root git ftp adm bin sys www");
  const ids = lines.map((line) => miner.match(record(line))?.id ?? "");
  const text = "Failed password for <*> from <IP>";
  expect(new Set(ids).size).toBe(4);
  for (const id of ids) expect(miner.resolve(id)).toMatchObject({ id: ids[0], text });
  expect(miner.match(record(lines[3] ?? ""))?.id).toBe(ids[0]);
  expect(miner.resolve("0000000000000000")).toBeUndefined();
  expect(miner.size).toBe(1);
});
