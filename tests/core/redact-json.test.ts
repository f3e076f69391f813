import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { makeRedactor } from "../../core/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
/** For a machine that does much else. */
const LIMIT_MS = 60_000;
const unkeyed = makeRedactor();
const keyed = makeRedactor({ key: new Uint8Array(32).fill(7), keyId: "k1" });

describe("JSON stays JSON", () => {
  const HELD: [string, string][] = [
    ['{"pan":4111111111111111}', '{"pan":"[card]"}'],
    ["[ -4111111111111111 , 4.111111111111111E15]", '[ "-[card]" , "[card]"]'],
    ['{"text":"\\u0034111111111111111"}', '{"text":"[card]"}'],
    ['{"text":"line\\n4111 1111 1111 1111"}', '{"text":"line\\n[card]"}'],
    ['{"text":"\\u20a14111111111111111"}', '{"text":"₡[card]"}'],
    ['{"authorization":"Bearer\\tabcDEF0123456789"}', '{"authorization":"[bearer]"}'],
    ['{"4111111111111111":{"x":1}}', '{"[card]":{"x":1}}'],
    ['{"password" : "with, \\" and )", "a":1}', '{"password" : "[secret]", "a":1}'],
    ['{"pass\\u0077ord":"hunter2"}', '{"pass\\u0077ord":"[secret]"}'],
    ['{"password":["hunter2"],"n":1}', '{"password":["[secret]"],"n":1}'],
    ['{"accessToken":"opaque","pageToken":"p2"}', '{"accessToken":"[secret]","pageToken":"p2"}'],
    ['{"token":{"type":"bearer"}}', '{"token":{"type":"bearer"}}'],
    [
      '{"text":"{\\"password\\":\\"x\\",\\"a\\":1}"}',
      '{"text":"{\\"password\\":\\"[secret]\\",\\"a\\":1}"}',
    ],
    ['{"cvv":"123"}', '{"cvv":"[cvv]"}'],
    ['{"cvc": 12, "exp":"12/27"}', '{"cvc": "[cvv]", "exp":"12/27"}'],
    ['{"cvv":{"value":"123"},"b":"123"}', '{"cvv":{"value":"[cvv]"},"b":"123"}'],
    ['{"cvv":[1,[2]],"b":3}', '{"cvv":["[cvv]",["[cvv]"]],"b":3}'],
    ['{"cvv":null,"cvc":true}', '{"cvv":null,"cvc":true}'],
    ['{"securityCode":"123"}', '{"securityCode":"[cvv]"}'],
    ['{"securityCode":"AAPL","cid":"customer-1"}', '{"securityCode":"AAPL","cid":"customer-1"}'],
    ['{"debitCardPIN":"0123"}', '{"debitCardPIN":"[pin]"}'],
    ['{"pin":"map marker","pins":1234}', '{"pin":"map marker","pins":1234}'],
    ['{"pin_block":"0412AC89ABCDEF67"}', '{"pin_block":"[pin]"}'],
    ['{"track2Data":"4000001234567899D2512"}', '{"track2Data":"[track]"}'],
    ['{"track":"Song 2"}', '{"track":"Song 2"}'],
    ['{"p99":0.4111111111111111}', '{"p99":0.4111111111111111}'],
    ['{"msg":"cvv=\\"123\\""}', '{"msg":"cvv=\\"[cvv]\\""}'],
  ];
  for (const [text, safe] of HELD) {
    test(`${text} → ${safe}`, () => {
      expect(unkeyed.redactJson(text)).toBe(safe);
      expect(unkeyed.redactJson(safe)).toBe(safe);
    });
  }

  test("a JWT or an API key under a secret's name keeps the token that joins", () => {
    const body = JSON.stringify({ token: "sk_live_51HxAbCdEfGhIjKlMn", password: "a@b.example" });
    expect(keyed.redactJson(body)).toMatch(
      /^\{"token":"\[key:[b-t]{24}\]","password":"\[secret\]"\}$/,
    );
  });

  test("every name is seen by the scan as well", () => {
    const names = [
      ["cvv", "CVC2", "cvnCode", "cav2", "cav_2", "cardVerificationValue", "csc", "cid"],
      ["securityCode", "card-security-code", "pin", "cardpin", "newPIN", "pinCode", "pin_value"],
      ["pinNo", "pinNumber", "pinBlock", "pin-block-data", "track1", "track_2_equivalent_data"],
      [
        "trackData",
        "magstripe",
        "magneticStripeData",
        "apiKey",
        "x-api-key",
        "secret",
        "dbPassword",
      ],
      ["passwd", "pwd", "refresh_token", "credentials", "credential"],
    ].flat();
    const isFound = (name: string, value: string) =>
      /:"\[\w+\]"\}$/.test(unkeyed.redactJson(`{"${name}":"${value}"}`));
    expect(names.filter((name) => !["123", "12345678"].some((v) => isFound(name, v)))).toEqual([]);
  });

  test("what is no JSON is redacted as text", () => {
    expect(unkeyed.redactJson('{"pan":4111111111111111')).toBe('{"pan":[card]');
    expect(unkeyed.redactJson("\u0000 4111111111111111")).toBe("\u0000 [card]");
    expect(unkeyed.redactJson("")).toBe("");
  });

  test("what holds nothing stays byte for byte, beside what does", () => {
    const clean = '{ "a" : 1.0e3, "b":"\\u00e9\\/",\n"a":-0, "c":12345678901234567890123 }';
    expect(unkeyed.redactJson(clean)).toBe(clean);
    expect(unkeyed.redactJson(`[${clean},"a@b.example"]`)).toBe(`[${clean},"[email]"]`);
  });
});

/** Appends the digit that makes the Luhn sum hold. */
function withLuhn(digits: string): string {
  let sum = 0;
  for (const [place, digit] of digits.split("").toReversed().entries()) {
    const doubled = place % 2 === 0 ? Number(digit) * 2 : Number(digit);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits + String((10 - (sum % 10)) % 10);
}

/** A German account with the check digits of ISO 13616. */
function iban(account: string): string {
  const check = 98n - (BigInt(`${account}131400`) % 97n);
  return `DE${String(check).padStart(2, "0")}${account}`;
}

const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`));
const card = fc
  .tuple(fc.integer({ min: 3, max: 9 }), digits(14))
  .map(([a, b]) => withLuhn(`${a}${b}`));
const grouped = card.map((number) => number.replace(/.{4}(?=.)/g, "$& "));
/** Of letters that spell no name of a secret. */
const word = fc.stringMatching(/^[abdefgh]{6,12}$/);
const secrets = fc.oneof(
  card,
  grouped,
  digits(18).map(iban),
  fc.tuple(word, word).map(([a, b]) => `${a}@${b}.example`),
  fc.tuple(word, word).map(([a, b]) => `eyJ${a}A1.eyJ${b}B2.${a}`),
  word.map((name) => `sk_live_${name}0123456789`),
);
const NAMES = ["cvv", "cvc2", "PIN", "password", "accessToken", "client_secret", "pinBlock"];
const named = fc.tuple(fc.constantFrom(...NAMES), fc.stringMatching(/^[1-9][0-9]{11}$/));

/** A value, and the secret inside it. */
interface Leaf {
  readonly planted: string;
  readonly value: unknown;
}
const PLANTED = Symbol("planted");
const fraction = fc.double({ min: -1e6, max: 1e6 });
const clean = fc.oneof(fc.boolean(), fc.constant(null), fc.integer(), fc.uuid(), word, fraction);
const inText = fc
  .tuple(
    fc.constantFrom("", "to ", "(", "\n", "é\t"),
    secrets,
    fc.constantFrom("", " now", ")", "\n"),
  )
  .map(([before, planted, after]) => ({ planted, value: before + planted + after }));
const asNumber = card.map((planted) => ({ planted, value: Number(planted) }));
const nested = fc
  .tuple(word, secrets)
  .map(([name, planted]) => ({ planted, value: JSON.stringify({ [name]: [planted] }) }));
const underName = named.map(([name, planted]) => ({ planted, value: { [name]: planted } }));
const leaf = fc
  .oneof(inText, asNumber, nested, underName)
  .map((held: Leaf) => ({ [PLANTED]: held }));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    clean,
    leaf,
    fc.array(tie("tree"), { maxLength: 5 }),
    fc.dictionary(word, tie("tree"), { maxKeys: 5 }),
  ),
}));

/** The plain JSON value, with what was planted gathered on the way. */
function plain(value: unknown, planted: string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item, planted));
  if (typeof value !== "object" || value === null) return value;
  if (PLANTED in value) {
    const held = value[PLANTED] as Leaf;
    planted.push(held.planted);
    return held.value;
  }
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v, planted)]));
}

/** `JSON.stringify`, then some characters of its strings escaped that need not be. */
function encode(value: unknown, escapes: readonly boolean[]): string {
  let at = 0;
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/"(?:[^"\\]|\\.)*"/g, (text) =>
    text.replace(/\\.|[\w@ -]/g, (char) =>
      char.length === 1 && escapes[at++ % escapes.length] ? escaped(char) : char,
    ),
  );
}

/** Arrays and objects stay what they were, and so does every value but one that became a string. */
function sameShape(before: unknown, after: unknown): boolean {
  if (typeof before !== "object" || before === null)
    return Object.is(before, after) || typeof after === "string";
  if (typeof after !== "object" || after === null) return false;
  const [was, is] = [Object.entries(before), Object.entries(after)];
  return (
    Array.isArray(before) === Array.isArray(after) &&
    was.length === is.length &&
    was.every(([key, value], index) => key === is[index]?.[0] && sameShape(value, is[index]?.[1]))
  );
}

function sameClean(before: unknown, after: unknown): void {
  if (typeof before === "object" && before !== null && PLANTED in before) return;
  if (typeof before !== "object" || before === null) return expect(after).toEqual(before);
  for (const [key, value] of Object.entries(before)) {
    sameClean(value, (after as Record<string, unknown>)[key]);
  }
}

test(
  "no planted secret survives, the shape stays, and what held none is as it was",
  () => {
    const escapes = fc.array(fc.boolean(), { minLength: 1, maxLength: 7 });
    const property = fc.property(tree, escapes, fc.boolean(), (generated, some, isKeyed) => {
      const redactor = isKeyed ? keyed : unkeyed;
      const planted: string[] = [];
      const before = plain(generated, planted);
      const text = encode(before, some);
      const shape: unknown = JSON.parse(text);
      const safe = redactor.redactJson(text);
      const after: unknown = JSON.parse(safe);
      expect(sameShape(shape, after)).toBe(true);
      sameClean(JSON.parse(JSON.stringify(generated)), after);
      const left = JSON.stringify(after);
      for (const secret of planted) expect(left).not.toContain(secret);
      expect(redactor.redactJson(safe)).toBe(safe);
    });
    fc.assert(property, { seed, numRuns: 2_000 });
  },
  LIMIT_MS,
);
