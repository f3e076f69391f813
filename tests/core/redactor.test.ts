import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import * as fc from "fast-check";
import { makeRedactor, PetrelError, redact } from "../../core/mod.ts";
import { NAMES } from "../../core/redact/names.ts";
import { RULES, RULES_VERSION } from "../../core/redact/rules.ts";
import { scan } from "../../core/redact/scan.ts";
import { TOKEN } from "../../core/redact/token.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const KEY = new Uint8Array(32).fill(7);
const redactor = makeRedactor({ key: KEY, keyId: "k1" });
/** For a machine that does much else. */
const LIMIT_MS = 60_000;
const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl-_x";

/** One line per thing that is found; what it becomes is part of the rules' fingerprint. */
const FOUND = [
  "4111 1111 1111 1111 and 378282246310005",
  "pan%3D4111111111111111 and %204111111111111111",
  "DE89 3704 0044 0532 0130 00",
  "alice@bank.example",
  `Authorization: Bearer abcDEF0123456789, or ${JWT}`,
  "sk_live_51HxAbCdEfGhIjKlMn",
  "https://svc:hunter2@host/ password=hunter2 access_token=opaque-1 clientSecret: abc-1",
  "cvv=123 pin: 1234 security code is 123 cid=1234 pinblock 0412AC89ABCDEF67",
  "%B4111111111111111^DOE/JANE^2512101000000000?;4111111111111111=25121010000000000?",
  "track2: 4000001234567899=2512",
];

describe("the version", () => {
  test("names the rules, and the key if there is one", () => {
    expect(makeRedactor().version).toBe("petrel-redact/2");
    expect(redactor.version).toBe("petrel-redact/2+k1");
    expect(makeRedactor({ key: KEY }).version).toBe("petrel-redact/2+k1");
    expect(makeRedactor({ key: KEY, keyId: "2027q1" }).version).toBe("petrel-redact/2+2027q1");
  });

  // If this fails, the rules were changed: raise the number of RULES_VERSION, then pin both again.
  test("is pinned to the rules and to what they find", () => {
    const hash = new Bun.CryptoHasher("sha256").update(TOKEN);
    for (const { kind, pattern } of RULES) hash.update(`${kind} ${pattern}\n`);
    for (const { kind, pattern, holds } of NAMES) {
      const held = ["", "1", "123", "1234", "hunter2", "0123456789abcdef"];
      const answers = held.flatMap((value) => [holds(value, true), holds(value, false)]);
      hash.update(`${kind} ${pattern} ${answers.join()}\n`);
    }
    for (const text of FOUND)
      hash.update(`${redactor.redact(text)}\n${redactor.redactJson(JSON.stringify(text))}\n`);
    const fingerprint = hash.digest("hex").slice(0, 16);
    expect(`${RULES_VERSION} ${fingerprint}`).toBe("petrel-redact/2 d225f0c0574ad1ed");
  });
});

describe("a keyed token", () => {
  const LETTERS = /^\[[a-z]+:[bcdfghjklmnpqrst]{24}\]$/;

  test("is HMAC-SHA-256 over kind and normalised secret, 96 bits of it", () => {
    const hmac = (text: string) =>
      createHmac("sha256", KEY).update(text).digest("hex").slice(0, 24);
    const hex = (token: string) =>
      token
        .slice(token.indexOf(":") + 1, -1)
        .split("")
        .map((letter) => "bcdfghjklmnpqrst".indexOf(letter).toString(16))
        .join("");
    const pairs: [string, string][] = [
      ["4111-1111-1111-1111", "card\x004111111111111111"],
      ["GB82 WEST 1234 5698 7654 32", "iban\x00GB82WEST12345698765432"],
      ["Alice@Bank.Example", "email\x00alice@bank.example"],
      ["Bearer abcDEF0123456789", "bearer\x00abcDEF0123456789"],
      [JWT, `jwt\x00${JWT}`],
      ["AKIAIOSFODNN7EXAMPLE", "key\x00AKIAIOSFODNN7EXAMPLE"],
    ];
    for (const [text, message] of pairs) {
      const token = redactor.redact(text);
      expect(token).toMatch(LETTERS);
      expect(hex(token)).toBe(hmac(message));
    }
  });

  test("is one for one card however it is written, and another with another key", () => {
    const written = ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"];
    const tokens = new Set(written.map((text) => redactor.redact(text)));
    for (const text of written) tokens.add(redactor.redact(`pan=${text};`).slice(4, -1));
    tokens.add(String(JSON.parse(redactor.redactJson("4111111111111111"))));
    tokens.add(String(JSON.parse(redactor.redactJson("4.111111111111111E15"))));
    expect(tokens.size).toBe(1);
    const other = makeRedactor({ key: new Uint8Array(32).fill(8), keyId: "k2" });
    expect(tokens.has(other.redact("4111111111111111"))).toBe(false);
    expect(redactor.redact("5555555555554444")).not.toBe(redactor.redact("4111111111111111"));
  });

  test("stands for no password, and for nothing that may never be kept", () => {
    expect(redactor.redact("password=hunter2 nats://a:b@h")).toBe(
      "[secret] nats://[credentials]@h",
    );
    expect(redactor.redact("cvv=123 pin=1234 ;4111111111111111=2512101?")).toBe(
      "cvv=[cvv] pin=[pin] [track]",
    );
  });

  test("needs 32 bytes of key and an id that may stand in a header", () => {
    const refused = [{ key: new Uint8Array(31) }, { key: KEY, keyId: "K 1" }, { keyId: "a\r\nb" }];
    for (const options of refused) expect(() => makeRedactor(options)).toThrow(PetrelError);
    expect(makeRedactor({ keyId: "k1" }).redact("4111111111111111")).toBe("[card]");
  });
});

describe("sensitive authentication data is never kept", () => {
  const FOUND_IN: [string, string][] = [
    ["cvv=123&x=1", "cvv=[cvv]&x=1"],
    ["cvc: 123", "cvc: [cvv]"],
    ["CVV2 1234 given", "CVV2 [cvv] given"],
    ["cardCvv='123'", "cardCvv='[cvv]'"],
    ["security_code=123", "security_code=[cvv]"],
    ["the security code is 123.", "the security code is [cvv]."],
    ["<cvv>123</cvv>", "<cvv>[cvv]</cvv>"],
    ["?cvv%3D123%26", "?cvv%3D[cvv]%26"],
    ["%7B%22cvv%22%3A%22123%22%7D", "%7B%22cvv%22%3A%22[cvv]%22%7D"],
    ['{"cvv":"123"}', '{"cvv":"[cvv]"}'],
    ['"{\\"cvv\\":\\"123\\"}"', '"{\\"cvv\\":\\"[cvv]\\"}"'],
    ['"{\\\\\\"cvc\\\\\\": 123}"', '"{\\\\\\"cvc\\\\\\": [cvv]}"'],
    ["cid=1234", "cid=[cvv]"],
    ["CVV (123)", "CVV ([cvv])"],
    ["card verification value: 123", "card verification value: [cvv]"],
    ["pin=1234", "pin=[pin]"],
    ["my PIN is 123456", "my PIN is [pin]"],
    ["\\npin: 1234", "\\npin: [pin]"],
    ["newPin: 1234", "newPin: [pin]"],
    ["pin_block=0412AC89ABCDEF67", "pin_block=[pin]"],
    ["%B4111111111111111^DOE/JANE^2512101000000000?", "[track]"],
    ["B4111 1111 1111 1111^DOE/JANE X^25121010000 00000? x", "[track] x"],
    ["%25B4111111111111111%5EDOE%2FJANE%5E2512101%3F", "[track]"],
    [";4111111111111111=25121010000000000000?", "[track]"],
    [";4000001234567899=25121010000000000000?", "[track]"],
    ["%3B4111111111111111%3D25121010000000000000%3F", "[track]"],
    ["57 4111111111111111D25121010000000000F", "57 [track]"],
    ["swiped 4111111111111111=2512 ok", "swiped [track] ok"],
    ["track2=4000001234567899=2512", "track2=[track]"],
  ];
  for (const [text, safe] of FOUND_IN) {
    test(text, () => {
      expect(redact(text)).toBe(safe);
      expect(redactor.redact(text)).toBe(safe);
    });
  }

  test("its names alone are words like any other", () => {
    const plain = [
      "the incident 1234 was decided",
      "pinned version 1234",
      "shipping 1234 parcels, spinning 4321",
      "track 2 of 12: soundtrack",
      "order 1234567890123=1234",
      "cvv check failed 3 times",
      "cvv_result=M",
      "cid-1234 and customer id 123",
      "exp 12/27, expiry=2712",
      "p99 0.4111111111111111 s",
      "next_page_token=abcdef pageToken: abcdef",
    ];
    for (const text of plain) expect(redact(text)).toBe(text);
  });
});

const PIECES = [
  FOUND,
  FOUND.flatMap((text) => text.split(/(?<=[ =:^?&"])/)),
  ["cvv", "CVC2", "pin", "Pin", "pin block", "track", "track1", "magstripe", "card ", "cid"],
  ["security", "code", "token", "page_", "secret", "api_key", "credentials", "Bearer", "is"],
  ["=", ":", '"', "'", "\\", "\\n", "\\u0034", "%", "%3D", " ", "[", "]", "(", "@", ".", "-"],
  ["eyJhbGciOi", "sk-", "x1", "123", "1234", "2512", "1111 ", "^", "?", ";", "\n", "_", "A", "é"],
  ["0.", "5 ", "E15", "4111111111111111", "4111 1111 1111 1111", "1732190000000"],
  ["[card:bcdfghjklmnpqrstbcdfghjk]", "[card]", "[cvv]", "[secret]", "{", "}", ","],
].flat();
const texts = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 16 }).map((all) => all.join("")),
  fc.string(),
);

test(
  "what is redacted stays as it is",
  () => {
    const property = fc.property(texts, (text) => {
      const once = redactor.redact(text);
      expect(redactor.redact(once)).toBe(once);
      expect(redact(once)).toBe(redact(redact(once)));
      const json = redactor.redactJson(JSON.stringify({ text, [text]: [text] }));
      expect(redactor.redactJson(json)).toBe(json);
    });
    fc.assert(property, { seed, numRuns: 5_000 });
  },
  LIMIT_MS,
);

test("the words of A2A give no hint: a body that says them is not looked through again", () => {
  const states = ["SUBMITTED", "WORKING", "INPUT_REQUIRED", "COMPLETED", "FAILED", "CANCELED"];
  for (const state of states) {
    const status = { state: `TASK_STATE_${state}`, message: { role: "ROLE_AGENT", parts: [] } };
    expect(scan(JSON.stringify({ statusUpdate: { taskId: "t1", contextId: "c1", status } }))).toBe(
      0,
    );
  }
});

test(
  "the scan misses nothing: where a rule finds, its hint is given, also before JSON's escapes",
  () => {
    const property = fc.property(texts, (text) => {
      const missed = (found: number) =>
        RULES.filter(({ hint, pattern, holds, isGrouped }) => {
          if ((found & hint) !== 0) return false;
          if (isGrouped) return [...text.matchAll(pattern)].some(([match]) => holds?.(match));
          return [...text.matchAll(pattern)].some(([match, name]) => {
            return holds?.(match.slice(name?.length ?? 0)) ?? true;
          });
        }).map(({ kind, pattern }) => `${kind} ${pattern}`);
      expect(missed(scan(text))).toEqual([]);
      expect(missed(scan(JSON.stringify(text)))).toEqual([]);
    });
    fc.assert(property, { seed, numRuns: 5_000 });
  },
  LIMIT_MS,
);
