import { describe, expect, test } from "bun:test";
import { makeRedactor } from "../../core/mod.ts";
import { RULES } from "../../core/redact/rules.ts";

const redactor = makeRedactor({ key: new Uint8Array(32).fill(7) });

/** What makes each rule begin again and again, and fail as late as it can. */
const PIECES: Readonly<Record<string, readonly string[]>> = {
  track: [
    "B4111111111111111^",
    "%B4111111111111111^AB^",
    ";4111111111111111=",
    "4111111111111112=2512",
    "4111111111111111D",
    "track2=",
    "track data ",
    "trackData=1",
    "1 ",
  ],
  cvv: ["cvv", "cvv ", "cvv2 code = ", "cvv\\\\\\\\", "security code (", "cid=", "cvv%20", "cvv %"],
  pin: ["pin", "pin ", "pin block ", "pinblock abcdef0123", "Pin:", "pin is"],
  credentials: ["://", "://a:", "://a@"],
  jwt: ["eyJ", "eyJaaaaaaaaa.", "eyJ-", "%3DeyJ"],
  bearer: ["bearer ", "bearer a1", "basic\t"],
  secret: [
    "token",
    "token:",
    'token="',
    "token\\\\\\",
    "_token'",
    "page_token=",
    "token:[card",
    "token\n",
  ],
  key: ["sk-", "sk-a1", "AKIA", "xoxb-", "ghp_"],
  iban: ["AA11", "DE89 ", "DE89 AAAA ", "DE89AAAA"],
  card: [
    "4111-",
    "4111 1111 1111 1110 ",
    "0",
    "00-",
    "%20",
    "4111 1111 1111 1111 ",
    "4111111111111111.",
  ],
  email: ["a@", "a@b.", "aaaa.", "a.a@a.a.", "a%40"],
};
const BODIES: Readonly<Record<string, (bytes: number) => string>> = {
  "cards one by one": (bytes) => `[${"4111111111111111,".repeat(bytes / 17)}0]`,
  "open arrays": (bytes) => `${"[".repeat(bytes)}"a@b.example"`,
  "arrays in arrays": (bytes) => `${"[".repeat(bytes / 2)}"cvv=123"${"]".repeat(bytes / 2)}`,
  backslashes: (bytes) => `["cvv=123","${"\\\\".repeat(bytes / 2)}"]`,
  "quotes in a string": (bytes) => `["cvv=123","${'\\"'.repeat(bytes / 2)}"]`,
  "JSON in strings": (bytes) => JSON.stringify(Array(bytes / 32).fill('{"cvv":"123"}')),
  "brackets in strings": (bytes) => JSON.stringify(["[".repeat(bytes), "cvv=123"]),
  "names of secrets": (bytes) => `{${'"cvv":1,'.repeat(bytes / 8)}"x":0}`,
  "a long name": (bytes) => JSON.stringify({ [`${"a_".repeat(bytes / 2)}cvv`]: 1, cvv: 1 }),
  "white space": (bytes) => `["a@b.example"${" ".repeat(bytes)}]`,
  "a long number": (bytes) => `[${"4".repeat(bytes)}]`,
};

const SMALL = 2 ** 14;
const LARGE = 2 ** 18;
/** For a machine that does much else. */
const LIMIT_MS = 60_000;

/** The lesser of two runs, in ms of this process's CPU: a busy machine does not count. */
function lowestMs(run: () => unknown): number {
  const runs = Array.from({ length: 2 }, () => {
    const begun = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000;
  });
  return Math.min(...runs);
}

/**
 * 16 times the text is 16 times the work; for a quadratic rule it is 256 times. Such a rule needs far
 * more than 100 ms for a quarter of a megabyte, so that nothing faster is judged by a ratio of small
 * times.
 */
function expectLinear(make: (bytes: number) => string, run: (text: string) => string): void {
  const [small, large] = [make(SMALL), make(LARGE)];
  const largeMs = lowestMs(() => run(large));
  if (largeMs > 100) expect(largeMs / lowestMs(() => run(small))).toBeLessThan(96);
}

describe("work grows with the text, and no faster", () => {
  test("every rule has its worst shapes here", () => {
    expect(new Set(RULES.map(({ kind }) => kind))).toEqual(new Set(Object.keys(PIECES)));
  });

  for (const [kind, pieces] of Object.entries(PIECES)) {
    for (const piece of pieces) {
      test(
        `${kind}: ${JSON.stringify(piece)} again and again`,
        () => {
          const make = (bytes: number) => piece.repeat(bytes / piece.length);
          expectLinear(make, (text) => redactor.redact(text));
          const end = "\n. 4111111111111111";
          const body = JSON.stringify([make(LARGE) + end]);
          expect(redactor.redactJson(body).slice(-40)).toMatch(/\. \[card:[b-t]{24}\]"\]$/);
        },
        LIMIT_MS,
      );
    }
  }

  for (const [name, make] of Object.entries(BODIES)) {
    test(
      `JSON: ${name}`,
      () => {
        expectLinear(make, (text) => redactor.redactJson(text));
      },
      LIMIT_MS,
    );
  }
});
