/** How messages read as templates, one line at a time. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { TemplateMiner } from "../../streams/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const record = (message: string, logger = "a.B#1") => ({ service: "orders", logger, message });
const textOf = (message: string) => new TemplateMiner().match(record(message))?.text;

function expectTexts(cases: Readonly<Record<string, string>>) {
  for (const [message, template] of Object.entries(cases)) expect(textOf(message)).toBe(template);
}

test("values are named by their shape", () => {
  expectTexts({
    "order 17 took 1203 ms": "order <NUM> took <NUM> ms",
    "user 8c756d0c-b064-4dc6-b705-496a75343ddb in": "user <UUID> in",
    "from 10.0.0.7:8080 to /var/log/x.log": "from <IP> to <PATH>",
    "HikariPool-1 - Exception": "HikariPool-<NUM> - Exception",
    "stats (total=8, active=8, idle=0)": "stats (<OBJ>)",
    'name "Ann Lee" id=abc n=7': 'name "<STR>" id=abc n=<NUM>',
    "can't stop": "can't stop",
    "lookup of ns1.example.com (a.b.org) failed": "lookup of <HOST> (<HOST>) failed",
    "bean com.zaxxer.hikari.pool": "bean com.zaxxer.hikari.pool",
    'asked "POST /v2/x HTTP/1.1" now': 'asked "POST <STR>" now',
    "[info: Route(id=7, stations=[a, b])] ok": "[info: Route(<OBJ>)] ok",
    "request timed out after 30004ms.": "request timed out after <NUM>ms.",
    "Pool@1a2b3c at Main.java:17": "Pool@<HEX> at Main.java:<NUM>",
    "id jA9J1UvC004306: from 0x1f": "id <ID>: from <HEX>",
    "mail to ann@example.com, 1,234,567 bytes": "mail to <EMAIL>, <NUM> bytes",
    "took <1 ms of 5": "took <NUM> ms of <NUM>",
    "wait enable.......0": "wait enable...<NUM>",
    "image is C:\\x\\y.dll or D:/x/y": "image is <PATH> or <PATH>",
    "see https://a.b/c?d=e. Or not": "see <URL>. Or not",
    "code:17 state：3": "code:<NUM> state：<NUM>",
    "proxy.example.com:8080 close": "<HOST> close",
    "2001:db8::1 and 00:11:43:e3:ba:c3": "<IP> and <HEX>",
    "": "",
  });
});

test("a date of several words is one time", () => {
  expectTexts({
    "at 2026-03-13 14:20:24.940 by me": "at <TIME> by me",
    "at Fri Jun 17 07:07:00 2005": "at <TIME>",
    "[CheckDate:Sun Jan 29 19:03:35 CST 2023] ok": "[CheckDate:<TIME>] ok",
    "Date: Sun, 29 Jan 2023 19:03:35 GMT": "Date: <TIME>",
    "[15/Mar/2026:14:20:24 +0000] GET": "[<TIME>] GET",
    "until 2026-03-13T14:20:24.940+01:00": "until <TIME>",
    "it may stop in May": "it may stop in May",
  });
});

test("of a JSON object the keys are the template", () => {
  expectTexts({
    'got {"id":17,"items":[1,{"a":"}"}],"name":"x"} ok':
      'got {"id":<*>, "items":<*>, "name":<*>} ok',
    '{"event":"paid"}': '{"event":<*>}',
    "map {a=1, b=2}": "map {<OBJ>}",
  });
  const miner = new TemplateMiner();
  const idOf = (message: string) => miner.match(record(message))?.id;
  expect(idOf('{"a":1,"b":{"c":[1,2]}}')).toBe(idOf('{"a": "x, y", "b": null}'));
  expect(idOf('{"a":1}')).not.toBe(idOf('{"b":1}'));
  // Cut off in the middle of a value.
  expect(idOf('{"a":1,"b":"xxxx')).toBe(idOf('{"a":1,"b":"x"}'));
});

test("lists of any length come to one template", () => {
  const miner = new TemplateMiner();
  const one = (messages: readonly string[]) => {
    const ids = messages.map((message) => miner.match(record(message))?.id);
    expect(new Set(ids).size).toBe(1);
  };
  one(
    [[], ["a"], ["a", "b"], Array(500).fill("Ticket(seatNo=1, to=x)")].map(
      (list) => `tickets: [${list.join(", ")}]`,
    ),
  );
  one([1, 2, 40].map((count) => `cannot resolve ${"an14 ".repeat(count)}`.trim()));
  one([1, 2, 40].map((count) => `stack ${"@0x1f2e ".repeat(count)}end`));
  one(["sizes 1, 2, 3", "sizes 4"]);
});

test("a value said again in brackets may be missing, and units may change", () => {
  const miner = new TemplateMiner();
  const idOf = (message: string) => miner.match(record(message))?.id;
  expect(idOf("from 10.0.0.1 (ns1.example.com) at 5")).toBe(idOf("from 10.0.0.1 () at 5"));
  expect(idOf("sent 10 bytes, free 5.2 KB")).toBe(idOf("sent 7 MB, free 93.0 B"));
  expect(idOf("sent 10 bytes")).not.toBe(idOf("sent 10 retries"));
});

test("the text widens with what is seen", () => {
  const miner = new TemplateMiner();
  const texts = ["10.0.0.1", "4f1e2d3c4b5a", "host-1"].map(
    (host) => miner.match(record(`peer ${host} left the group`))?.text,
  );
  expect(texts).toEqual([
    "peer <IP> left the group",
    "peer <*> left the group",
    "peer <*> left the group",
  ]);
  expect(miner.match(record("iar 00106210 dear 5"))?.text).toBe("iar <NUM> dear <NUM>");
  expect(miner.match(record("iar 003a90fc dear 5"))?.text).toBe("iar <HEX> dear <NUM>");
});

test("service and logger are part of the identity", () => {
  const miner = new TemplateMiner();
  const ids = [record("x"), record("x", "a.C#2"), { ...record("x"), service: "pay" }].map(
    (one) => miner.match(one)?.id,
  );
  expect(new Set(ids).size).toBe(3);
  expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
});

test("any text has a template of at most 500 characters, and the same one again", () => {
  const property = fc.property(fc.string({ unit: "binary", maxLength: 900 }), (message) => {
    const miner = new TemplateMiner();
    const first = miner.match(record(message));
    expect(first?.text.length).toBeLessThanOrEqual(500);
    expect(miner.match(record(message))).toEqual(first);
    expect(textOf(message)).toBe(first?.text);
  });
  fc.assert(property, { seed, numRuns: 500 });
});
