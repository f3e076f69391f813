/** What the miner remembers of messages may never change what it says of them. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { DigitMemo } from "../../streams/parse/digit-memo.ts";
import type { Node } from "../../streams/template/node.ts";
import { scan } from "../../streams/template/scan.ts";
import { SeenMessages, SeenShapes } from "../../streams/template/seen.ts";
import { Shape } from "../../streams/template/shape.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);

/** All that a shape looks at: digits in every kind of value, brackets, quotes, dates, hexadecimal. */
const piece = fc.oneof(
  fc.constantFrom("order", "user ", "Fri Jun ", "0x1f", "10x2", "00X0", "0f3c2d1e", "1a:2b:3c:4d"),
  fc.constantFrom(
    "8c756d0c-b064-4dc6-b705-496a75343ddb",
    "10.0.0.7:8080",
    "2026-03-13",
    "14:20:24",
    "fe80::1",
    "12/Mar/2026",
    "1,234,567",
    '{"k1": 2, "b": [3]}',
    "h2.x.com",
    "<1 ",
    "......0",
  ),
  fc.constantFrom(" ", "=", ", ", "[", "]", "(", ")", "{", '"', "'", ":", ".", "/", "@", "\\", "-"),
  fc.constantFrom("http://a/1", "ms", "KB", "x", "a", "+", "#", "~"),
  fc.integer({ min: 0, max: 99_999 }).map(String),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const message = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(""));

/** The message with other digits in the same places; the zero of `0x` stays what it is. */
const withOtherDigits = message.chain((text) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: text.length, maxLength: text.length })
    .map((digits) => [text, otherDigits(text, digits)] as const),
);

function otherDigits(text: string, digits: readonly number[]): string {
  return text.replace(/\d/g, (digit, at: number) => {
    if (/[xX]/.test(text[at + 1] ?? "")) return digit;
    return String(digits[at]);
  });
}

function tokensOf(text: string) {
  const shape = new Shape();
  scan(text, shape);
  const { count, kinds, hashes, spaced, starts, ends } = shape;
  return [kinds, hashes, spaced, starts, ends].map((all) => all.slice(0, count));
}

test("no shape keeps a digit, so messages that differ in digits alone may share one", () => {
  const property = fc.property(withOtherDigits, ([one, other]) => {
    expect(tokensOf(other)).toEqual(tokensOf(one));
  });
  fc.assert(property, { seed, numRuns: 5_000 });
});

const node = (index: number) => ({ index }) as Node;

test("a message is known by its characters and its place, all digits alike", () => {
  const seen = new SeenMessages();
  expect(seen.get("took 17 ms", 1)).toBeUndefined();
  seen.put(node(1));
  expect(seen.get("took 99 ms", 1)?.index).toBe(1);
  for (const other of ["took 9 ms", "took ab ms", "took 17 ms."]) {
    expect(seen.get(other, 1)).toBeUndefined();
  }
  expect(seen.get("took 17 ms", 2)).toBeUndefined();
});

test("the zero of 0x is no digit like others", () => {
  const seen = new SeenMessages();
  seen.get("at 0xab", 1);
  seen.put(node(1));
  expect(seen.get("at 1xab", 1)).toBeUndefined();
  expect(seen.get("at 0xab", 1)?.index).toBe(1);
});

test("a shape is known whatever its values are", () => {
  const [seen, shape] = [new SeenShapes(), new Shape()];
  scan("user 8c756d0c-b064-4dc6-b705-496a75343ddb of [a, b] took 17 ms", shape);
  expect(seen.get(shape, 1)).toBeUndefined();
  seen.put(node(1));
  scan("user 00000000-b064-4dc6-b705-aaaaaaaaaaaa of [x, y, z] took 4 ms", shape);
  expect(seen.get(shape, 1)?.index).toBe(1);
  scan("user 00000000-b064-4dc6-b705-aaaaaaaaaaaa of [x, y, z] took 4 s", shape);
  expect(seen.get(shape, 1)).toBeUndefined();
});

test("long messages are never held", () => {
  const seen = new SeenMessages();
  const long = "word ".repeat(1_000);
  seen.get("short", 1);
  seen.put(node(1));
  seen.get(long, 1);
  seen.put(node(2));
  expect(seen.get(long, 1)).toBeUndefined();
  expect(seen.get("short", 1)?.index).toBe(1);
});

/** Thue-Morse texts: of one length, and equal to every linear hash of 32 bits, whatever its start. */
function thueMorse(length: number, [zero = "", one = ""]: readonly string[]): string {
  const bits = Array.from({ length }, (_, at) => at.toString(2).replaceAll("0", "").length % 2);
  return bits.map((bit) => (bit === 0 ? zero : one)).join("");
}

test("texts that meet in a linear hash are told apart", () => {
  const [one, other] = [thueMorse(256, ["a", "b"]), thueMorse(256, ["b", "a"])];
  const seen = new SeenMessages();
  seen.get(one, 1);
  seen.put(node(1));
  expect(seen.get(other, 1)).toBeUndefined();
  expect(seen.get(one, 1)?.index).toBe(1);
  const memo = new DigitMemo<string>();
  memo.of(one, (text) => text);
  expect(memo.of(other, (text) => text)).toBe(other);
});

test("what is gone is found no more, the rest is", () => {
  const [seen, shapes, shape] = [new SeenMessages(), new SeenShapes(), new Shape()];
  for (const [at, text] of ["took 17 ms", "is full", "has begun"].entries()) {
    seen.get(text, 1);
    seen.put(node(at));
    scan(text, shape);
    shapes.get(shape, 1);
    shapes.put(node(at));
  }
  for (const one of [seen, shapes]) one.forget(({ index }) => index === 1);
  expect(seen.get("is full", 1)).toBeUndefined();
  expect(seen.get("has begun", 1)?.index).toBe(2);
  expect(shapes.get(shape, 1)?.index).toBe(2);
  scan("is full", shape);
  expect(shapes.get(shape, 1)).toBeUndefined();
});
