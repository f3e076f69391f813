/** SPL is made from checked parts: what could change a query's meaning is refused before it is sent. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { PetrelError } from "../../core/mod.ts";
import { COMMANDS_ALLOWED, type SplunkQuery, splString, toSpl } from "../../mcp/splunk/spl.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20260129);
console.log(`seed ${seed}`);

const window = { startMs: 1_769_676_300_000, endMs: 1_769_676_600_000 };
const spl = (more: Partial<SplunkQuery>) => toSpl({ index: "main", window, ...more });

function refusal(more: Partial<SplunkQuery>): PetrelError {
  try {
    spl(more);
  } catch (error) {
    if (error instanceof PetrelError) return error;
    throw error;
  }
  throw new Error(`not refused: ${JSON.stringify(more)}`);
}

describe("what is sent", () => {
  test("typed parts and a free part", () => {
    expect(
      spl({
        filters: { service: ["ts-order", "ts-travel"], level: ["ERROR"] },
        search: 'timeout OR "read timed out" | stats count by service',
        fields: ["_time", "trace.id"],
      }),
    ).toBe(
      'search index="main" (service="ts-order" OR service="ts-travel") (level="ERROR") ' +
        '(timeout OR "read timed out") | stats count by service | fields _time, trace.id',
    );
  });

  test("a leading search command is accepted, and nothing at all", () => {
    expect(spl({ search: "search error" })).toBe('search index="main" (error)');
    expect(spl({ search: "| head 5" })).toBe('search index="main" | head 5');
    expect(spl({})).toBe('search index="main"');
  });

  test("quoted text may hold pipes and apostrophes", () => {
    expect(spl({ search: `"can't | won't"` })).toBe(`search index="main" ("can't | won't")`);
  });
});

describe("what is refused", () => {
  const fragments: [string, string][] = [
    ["a dangerous command", "error | delete"],
    ["in capitals", "error | DELETE"],
    ["without blanks", "error|outputlookup x.csv"],
    ["after a newline", "error\n|\nsendemail to=a@b.c"],
    ["after an allowed one", "error | stats count | collect index=x"],
    ["a generating command", "| rest /services/server/info"],
    ["an empty command", "error | | head 1"],
    ["a trailing pipe", "error |"],
    ["a subsearch", "error [search index=secret | fields password]"],
    ["a macro", "error `steal(1)`"],
    ["a comment", "error ```hidden```"],
    ["an unclosed quote", 'error "x'],
    ["an escaped quote", 'x="\\" | delete | search y="'],
    ["an escaped backslash before a quote", 'x="\\\\" | delete | search y="\\\\"'],
    ["a quote inside single quotes", `x | where 'a"'=1 | delete | where 'b"'=1`],
    ["a closing parenthesis", "error) OR (index=secret"],
    ["an open parenthesis", "(error"],
    ["another time", "error earliest=0"],
    ["another time with blanks", "error latest = now"],
    ["another time in quotes", 'error "earliest"=0'],
    ["another time after a pipe", "error | search _index_earliest=0"],
    ["days ago", "error daysago=9000"],
    ["a saved search", "savedsearch=nightly_delete"],
    ["a NUL", "error\u0000| delete"],
    ["too long", "x".repeat(4_001)],
  ];
  for (const [what, search] of fragments) {
    test(`search: ${what}`, () => {
      const error = refusal({ search });
      expect(error.code).toBe("QUERY_REFUSED");
      expect(error.fields["place"]).toBe("search");
    });
  }

  for (const command of [
    ..."collect delete dump map mcollect meventcollect outputcsv outputlookup run".split(" "),
    ..."runshellscript script sendalert sendemail tscollect rest dbxquery append join".split(" "),
  ]) {
    test(`command ${command}`, () => {
      expect(refusal({ search: `x | ${command} y` }).message).toContain(command);
    });
  }

  test("index, filter names, fields and windows", () => {
    expect(refusal({ index: "main OR index=secret" }).fields["place"]).toBe("index");
    expect(refusal({ index: "*" }).fields["place"]).toBe("index");
    expect(refusal({ filters: { earliest: ["0"] } }).fields["place"]).toBe("filters.earliest");
    expect(refusal({ filters: { "a=1 OR b": ["0"] } }).code).toBe("QUERY_REFUSED");
    expect(refusal({ filters: { service: [] } }).code).toBe("QUERY_REFUSED");
    expect(refusal({ filters: { service: ["ok", "*"] } }).fields["place"]).toBe(
      "filters.service.1",
    );
    expect(refusal({ fields: ["a", "b | delete"] }).fields["place"]).toBe("fields.1");
    const many = Array.from({ length: 500 }, (_, at) => `service-${at}-${"x".repeat(200)}`);
    expect(refusal({ filters: { service: many } }).fields["place"]).toBe("filters");
    expect(refusal({ window: { startMs: 2, endMs: 1 } }).fields["place"]).toBe("window");
  });
});

/** Splits as Splunk might: at pipes outside double quotes, where a backslash escapes the next one. */
function commandsIn(text: string): string[] {
  const parts = text.match(/(?:"(?:[^"\\]|\\.)*"|[^|"])+/gs) ?? [];
  return parts.map((part) => /^\s*(\w*)/.exec(part)?.[1]?.toLowerCase() ?? "");
}

const spice = fc.constantFrom(
  ..."|\"'\\`[]()=*, \n".split(""),
  ...' OR , | delete,earliest=0,index=secret,\\",`m`,[search x],search ,| head 1,x'.split(","),
);
const hostile = fc.array(fc.oneof(spice, fc.string({ maxLength: 5 })), { maxLength: 12 });

describe("properties", () => {
  test("a value is either refused or a single quoted string without special characters", () => {
    fc.assert(
      fc.property(hostile, (parts) => {
        const value = parts.join("");
        try {
          expect(splString(value, "x")).toMatch(/^"[^"'\\|`[\]*\p{Cc}]+"$/u);
        } catch (error) {
          expect(error).toBeInstanceOf(PetrelError);
        }
      }),
      { seed, numRuns: 2_000 },
    );
  });

  test("whatever is sent has only allowed commands, one index, and balanced groups", () => {
    let sent = 0;
    fc.assert(
      fc.property(hostile, hostile, (free, value) => {
        let text: string;
        try {
          text = spl({ search: free.join(""), filters: { service: [value.join("") || "a"] } });
        } catch (error) {
          expect(error).toBeInstanceOf(PetrelError);
          return;
        }
        sent++;
        for (const command of commandsIn(text)) expect(COMMANDS_ALLOWED.has(command)).toBe(true);
        expect(text).toStartWith('search index="main" (service="');
        const bare = text.replace(/"[^"]*"/g, "");
        expect(text).not.toMatch(/[`[\]]/);
        expect(bare).not.toMatch(/\bearliest\s*=/);
        expect(bare.split("(").length).toBe(bare.split(")").length);
      }),
      { seed, numRuns: 5_000 },
    );
    expect(sent).toBeGreaterThan(50); // else the property would say nothing
  });
});
