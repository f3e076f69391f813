/** What the policy lets out, case by case and at random; nothing is called here. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { PetrelError } from "../../../core/mod.ts";
import { COMMANDS_ALLOWED, checkSplStatement } from "../../../mcp/splunk/spl.ts";
import { checkArguments, textsIn } from "../../../mcp/toolbox/arguments.ts";
import { checkPromqlCost, checkSpl, instantMs } from "../../../mcp/toolbox/queries.ts";
import { oneLine, visible, words } from "../../../mcp/toolbox/words.ts";
import { failureOf } from "../../support/failure.ts";

const seed = Number(process.env["PETREL_TEST_SEED"]);
const never = new AbortController().signal;

function codeOf(work: () => unknown): string {
  try {
    work();
    return "passed";
  } catch (error) {
    if (error instanceof PetrelError) return error.code;
    throw error;
  }
}

describe("arguments", () => {
  const schema = {
    type: "object",
    properties: {
      name: { type: "string", minLength: 1, maxLength: 5 },
      count: { type: "integer", minimum: 1, maximum: 9 },
      mode: { enum: ["a", "b"] },
      list: { type: "array", items: { type: "number" }, maxItems: 2 },
      either: { anyOf: [{ type: "string" }, { type: "null" }] },
      labels: { type: "object" },
      inner: { type: "object", properties: { x: { type: "boolean" } }, required: ["x"] },
      free: {},
    },
    required: ["name"],
  };
  const cyclic: Record<string, unknown> = { name: "x" };
  cyclic["free"] = cyclic;
  const deep = JSON.parse(`${'{"a":'.repeat(50)}1${"}".repeat(50)}`);
  const cases: [string, unknown, string][] = [
    ["all that is declared", { name: "x", count: 9, mode: "b", list: [1], either: null }, "passed"],
    ["free keys where none are declared", { name: "x", labels: { any: "y" } }, "passed"],
    ["what is required inside", { name: "x", inner: {} }, "USAGE"],
    ["what is declared inside", { name: "x", inner: { x: true } }, "passed"],
    ["another name inside", { name: "x", inner: { x: true, y: 1 } }, "USAGE"],
    ["nothing", undefined, "USAGE"],
    ["a list", [], "USAGE"],
    ["a text", "x", "USAGE"],
    ["another name", { name: "x", other: 1 }, "USAGE"],
    ["a name of the prototype", JSON.parse('{"name":"x","__proto__":1}'), "USAGE"],
    ["constructor", { name: "x", constructor: 1 }, "USAGE"],
    ["another type", { name: 5 }, "USAGE"],
    ["no integer", { name: "x", count: 1.5 }, "USAGE"],
    ["too much", { name: "x", count: 10 }, "USAGE"],
    ["too long", { name: "xxxxxx" }, "USAGE"],
    ["none of the values", { name: "x", mode: "c" }, "USAGE"],
    ["another item", { name: "x", list: ["y"] }, "USAGE"],
    ["none of the shapes", { name: "x", either: 5 }, "USAGE"],
    ["a control character", { name: "x", free: "a\u0000" }, "USAGE"],
    ["an invisible one", { name: "x", free: ["\u{E0041}"] }, "USAGE"],
    ["an invisible one in a name", { name: "x", labels: { "a\u200b": 1 } }, "USAGE"],
    ["half a character", { name: "x", free: "\ud800" }, "USAGE"],
    ["a circle", cyclic, "USAGE"],
    ["a big number", { name: "x", free: 5n }, "USAGE"],
    ["great depth", { name: "x", free: deep }, "USAGE"],
    ["9 kB", { name: "x", free: "y".repeat(9_000) }, "TOO_LARGE"],
  ];
  for (const [what, args, expected] of cases)
    test(`${what}: ${expected}`, () =>
      expect(codeOf(() => checkArguments(args, schema))).toBe(expected));

  test("a hostile schema is not run: patterns and references are passed over", () => {
    const pattern = { type: "string", pattern: "^(a+)+$", $ref: "http://127.0.0.1:1/x" };
    const odd = { type: "object", properties: { a: pattern }, required: [5, {}], anyOf: "x" };
    const schemaShown = words(odd);
    expect(JSON.stringify(schemaShown)).not.toMatch(/pattern|ref/);
    expect(codeOf(() => checkArguments({ a: `${"a".repeat(5_000)}!` }, schemaShown))).toBe(
      "passed",
    );
  });

  test("what passes is the same JSON, of declared names only", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const checked = codeOf(() => {
          const out = checkArguments(value, schema);
          expect(out).toEqual(JSON.parse(JSON.stringify(value)));
          for (const name of Object.keys(out))
            expect(Object.keys(schema.properties)).toContain(name);
        });
        expect(["passed", "USAGE", "TOO_LARGE"]).toContain(checked);
      }),
      { seed, numRuns: 300 },
    );
  });
});

describe("SPL", () => {
  test("whatever passes begins with search and has only allowed commands", () => {
    const word = fc.constantFrom(
      ..."search|index=main|ERROR|\"|'|`|[|]|(|)|delete|stats|count|by|head|10|map|where|=|@spl2|\\".split(
        "|",
      ),
      "|",
      "| ",
      "outputlookup x.csv",
      "earliest=-1y",
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (parts) => {
        const text = parts.join(" ");
        let statement = "";
        if (codeOf(() => (statement = checkSplStatement(text))) !== "passed") return;
        expect(statement).toStartWith("search ");
        const bare = statement.replace(/"[^"]*"/g, "");
        expect(bare).not.toMatch(/[[\]`']/);
        for (const segment of bare.split("|")) {
          const command = /^\s*(\w+)/.exec(segment)?.[1] ?? "";
          expect(COMMANDS_ALLOWED).toContain(command);
          if (command === "search") expect(segment).not.toContain("earliest");
        }
      }),
      { seed, numRuns: 2_000 },
    );
  });

  test("when the parser is away, nothing passes", async () => {
    const away = () => Promise.reject(new PetrelError("UNAVAILABLE", "splunk: away"));
    expect((await failureOf(checkSpl("index=main", away, never))).code).toBe("UNAVAILABLE");
  });
});

describe("PromQL", () => {
  const cases: [string, string][] = [
    ['sum by (service) (rate(http_server_requests_seconds_count{status=~"5.."}[5m]))', "passed"],
    ['{"http.requests", a="b"}', "passed"],
    ['{__name__="up"}', "passed"],
    ["max_over_time(rate(up[5m])[1d:1m])", "passed"],
    ["up offset 1w", "passed"],
    ["1 + 1", "passed"],
    ["", "QUERY_REFUSED"],
    ['{__name__=~"up|.+"}', "QUERY_REFUSED"],
    ['{a="b"}', "QUERY_REFUSED"],
    ["up[8d]", "QUERY_REFUSED"],
    ["up[1y]", "QUERY_REFUSED"],
    ["up[7d1s]", "QUERY_REFUSED"],
    ["up[604801]", "QUERY_REFUSED"],
    ["up[5m+5m]", "QUERY_REFUSED"],
    ["up[7d:1s]", "QUERY_REFUSED"],
    ["up[1d:0s]", "QUERY_REFUSED"],
    ["max_over_time(max_over_time(max_over_time(up[1h:1m])[1h:1m])[1h:1m])", "QUERY_REFUSED"],
  ];
  for (const [query, expected] of cases)
    test(`${query || "nothing"}: ${expected}`, () =>
      expect(codeOf(() => checkPromqlCost(query))).toBe(expected));
});

describe("times", () => {
  const now = Date.UTC(2026, 0, 29);
  const cases: [unknown, number | undefined][] = [
    ["now", now],
    ["-15m", now - 900_000],
    ["now-1h", now - 3_600_000],
    ["-1h@h", now - 7_200_000],
    ["-2days", now - 2 * 86_400_000],
    ["2026-01-28T00:00:00Z", now - 86_400_000],
    ["2026-01-28T01:00:00+01:00", now - 86_400_000],
    [1_769_644_800, now],
    ["1769644800.000", now],
    ["-1mon", undefined],
    ["-1q", undefined],
    ["+1h", undefined],
    ["rt", undefined],
    ["rt-5m", undefined],
    ["0", undefined],
    ["", undefined],
    ["2026-01-28", undefined],
    ["2026-01-28T00:00:00", undefined],
    ["2026-99-99T00:00:00Z", undefined],
    [null, undefined],
    [{}, undefined],
  ];
  for (const [text, ms] of cases)
    test(JSON.stringify(text), () => expect(instantMs(text, now)).toBe(ms));
});

describe("words", () => {
  test("nothing invisible is left, and lines are one", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.nat(100), (text, size) => {
        expect(visible(text)).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}]/u);
        const line = oneLine(text, size + 1);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(line.length).toBeLessThanOrEqual(size + 1);
      }),
      { seed, numRuns: 300 },
    );
  });

  test("every text of a value is found, names too", () => {
    expect(textsIn({ a: ["b", { c: "d" }], e: 1 })).toEqual(["a", "b", "c", "d", "e"]);
  });
});
