/** What is typed wrongly: one line that names it and says what is allowed, and nobody is asked. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { matchersOf } from "../../cli/incidents/matchers.ts";
import { spanOf } from "../../cli/incidents/silence.ts";
import { matchersWords } from "../../cli/render/silences.ts";
import { PetrelError } from "../../core/mod.ts";
import { petrel } from "./command.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const SILENCE = ["silence", "--for", "2h", "--comment", "why"];
const MANY = Array.from({ length: 21 }, (_, at) => ["--match", `service=s${at}`]).flat();

test.each<[string, string[], RegExp]>([
  ["a verb that is none", ["fly"], /cannot "fly": list, show, confirm/],
  [
    "a state that is none",
    ["--state", "open,over"],
    /--state "over": .*pending,open,resolved,closed, or all/,
  ],
  ["no state", ["--state", ""], /--state ""/],
  ["a limit that is none", ["--limit", "many"], /--limit "many" is not a whole number from 1/],
  ["a limit too large", ["--limit", "501"], /--limit: .*500/],
  ["a service without a name", ["--service", ""], /--service: /],
  ["show without an id", ["show"], /show: name one by its id/],
  ["an id too short", ["show", "ab"], /"ab" is no id/],
  ["an id that is none", ["show", "../../x"], /"\.\.\/\.\.\/x" is no id/],
  ["two ids", ["show", "abcd", "efgh"], /unexpected word "efgh"/],
  ["a cause too long", ["confirm", "abcd", "--cause", "x".repeat(501)], /--cause: .*500/],
  ["an empty note", ["reject", "abcd", "--note", ""], /--note: /],
  ["no matcher", SILENCE, /--match is missing: write FIELD=VALUE or FIELD!=VALUE/],
  ["too many matchers", [...SILENCE, ...MANY], /--match is given 21 times, at most 20/],
  [
    "no length",
    ["silence", "--match", "service=a", "--comment", "x"],
    /one of --for 2h and --until T/,
  ],
  ["no reason", ["silence", "--match", "service=a", "--for", "2h"], /--comment is missing/],
  ["a length that is none", ["silence", "--match", "service=a", "--for", "soon"], /--for: "soon"/],
  [
    "an end that is past",
    ["silence", "--match", "service=a", "--until", "2020-01-01T00:00:00Z"],
    /before it begins|over already/,
  ],
  ["an unsilence of nothing", ["unsilence"], /unsilence: name one/],
  ["a redeliver of nothing", ["redeliver"], /redeliver: name one by its id/],
  ["a sink without a name", ["redeliver", "abcd", "--sink", ""], /--sink: /],
  ["dead by state", ["dead", "--state", "open"], /--state/],
  ["an option of another verb", ["silences", "--match", "service=a"], /--match/],
  ["a watch too eager", ["watch", "--every", "1ms"], /--every: at least 500ms/],
])("%s", async (_what, words, expected) => {
  // Nobody listens there: a request that left would say so.
  const { code, out, err } = await petrel(["incidents", ...words, "--nats", "nats://127.0.0.1:1"]);
  expect(err).toMatch(expected);
  expect([code, out, err.trim().split("\n").length]).toEqual([2, "", 1]);
});

function refusalOf(text: string): string {
  try {
    matchersOf([text]);
  } catch (error) {
    if (error instanceof PetrelError && error.code === "USAGE") return error.message;
    throw error;
  }
  return "it is taken";
}

test.each([
  ["service~x", /--match "service~x": there is no operator "~".*FIELD!=VALUE/],
  ["service=~payment.*", /there is no operator "=~"/],
  ["service==x", /there is no operator "=="/],
  ["service", /write FIELD=VALUE/],
  ["", /write FIELD=VALUE/],
  ["=x", /there is no field ""/],
  ["team=x", /no field "team", only service, mechanism, severity, kind, location/],
  ["service=", /the value is empty/],
  ["service=   ", /the value is empty/],
  [`service=${"x".repeat(201)}`, /201 characters, at most 200/],
  ["service=a\u001b[2J", /--match "service=a \[2J": the value holds a control character/],
  ["severity=high", /no severity is like that: critical, warning, info/],
  ["kind=Fault", /no kind is like that: fault, inconclusive, operations/],
])("the matcher %j is refused by its name", (text, expected) => {
  expect(refusalOf(text)).toMatch(expected);
});

test("what is shown of a matcher is what was typed", () => {
  const value = fc
    .stringMatching(/^[a-zA-Z0-9_.:*-][a-zA-Z0-9_.:*=!~-]{0,40}$/)
    .filter((text) => !/^[=!~]/.test(text));
  const field = fc.constantFrom("service", "mechanism", "location");
  const typed = fc.tuple(field, fc.constantFrom("=", "!="), value);
  fc.assert(
    fc.property(typed, (parts) => {
      const text = parts.join("");
      const [matcher] = matchersOf([text]);
      expect(matcher).toEqual({ field: parts[0], isEqual: parts[1] === "=", value: parts[2] });
      expect(matchersWords(matcher ? [matcher] : [])).toBe(text);
    }),
    { seed },
  );
});

test("any text is a matcher or a USAGE error of one line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const words = refusalOf(text);
      expect(words).not.toMatch(/\p{Cc}/u);
      expect(words.length).toBeLessThan(400);
    }),
    { seed },
  );
});

test("a silence ends after it begins, and after now", () => {
  const now = Date.parse("2026-11-30T04:00:00Z");
  expect(spanOf({ for: "2h" }, now)).toEqual({ until: "2026-11-30T06:00:00.000Z" });
  const from = "2026-11-30T05:00:00Z";
  expect(spanOf({ from, for: "30m" }, now)).toEqual({
    from: "2026-11-30T05:00:00.000Z",
    until: "2026-11-30T05:30:00.000Z",
  });
  for (const [span, why] of [
    [{ for: "0s" }, /before it begins/],
    [{ from, until: "2026-11-30T04:30:00Z" }, /before it begins/],
    [{ from: "2026-11-30T01:00:00Z", for: "1h" }, /over already/],
    [{ for: "999999999d" }, /after the year 9999/],
    [{ for: "1h", until: from }, /one of --for/],
  ] as const)
    expect(() => spanOf(span, now)).toThrow(why);
});
