import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { maskMessage } from "../../streams/template/mask.ts";
import { MaskMemo } from "../../streams/template/memo.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);

/** All that a mask looks at: digits in every kind of value, brackets, quotes, dates, hexadecimal. */
const piece = fc.oneof(
  fc.constantFrom("order", "user ", "Fri Jun ", "0x1f", "10x2", "00X0", "0f3c2d1e", "1a:2b:3c:4d"),
  fc.constantFrom(
    "8c756d0c-b064-4dc6-b705-496a75343ddb",
    "10.0.0.7:8080",
    "2026-03-13",
    "14:20:24",
  ),
  fc.constantFrom(
    " ",
    "=",
    ", ",
    "[",
    "]",
    "(",
    ")",
    "{",
    '"',
    "'",
    ":",
    ".",
    "/",
    "@",
    "http://a/1",
  ),
  fc.integer({ min: 0, max: 99_999 }).map(String),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const message = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(""));

/** The message with other digits in the same places. */
const withOtherDigits = message.chain((text) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: text.length, maxLength: text.length })
    .map((digits) => [text, text.replace(/\d/g, (_, at: number) => String(digits[at]))] as const),
);

test("a mask from the memo is the mask of the message, also after one that differs in digits", () => {
  const memo = new MaskMemo();
  const property = fc.property(withOtherDigits, (messages) => {
    for (const text of messages) expect(memo.maskOf(text)).toBe(maskMessage(text));
  });
  fc.assert(property, { seed, numRuns: 5_000 });
});

test("the zero of 0x is no digit like others", () => {
  const memo = new MaskMemo();
  expect(memo.maskOf("at 0xab")).toBe("at <HEX>");
  expect(memo.maskOf("at 1xab")).toBe("at <NUM>xab");
});

test("messages of one place push each other out and long ones are never held", () => {
  const memo = new MaskMemo();
  const texts = Array.from({ length: 5_000 }, (_, index) => `user-${index.toString(36)} said no`);
  const long = `${"word ".repeat(1_000)}17`;
  for (const text of [...texts, long, long, ...texts]) {
    expect(memo.maskOf(text)).toBe(maskMessage(text));
  }
});
