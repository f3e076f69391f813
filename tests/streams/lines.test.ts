import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Line, type SplitLinesOptions, splitLines } from "../../core/mod.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);

async function* chunked(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.slice(at, at + size);
    at += size;
  }
  if (at < bytes.length) yield bytes.slice(at);
}

async function linesOf(
  bytes: Uint8Array,
  sizes: readonly number[] = [],
  options: SplitLinesOptions = {},
): Promise<{ lines: Line[]; bytes: number }> {
  const all: Line[] = [];
  let count = 0;
  for await (const batch of splitLines(chunked(bytes, sizes), options)) {
    all.push(...batch.lines);
    count += batch.bytes;
  }
  return { lines: all, bytes: count };
}

const encode = (text: string) => new TextEncoder().encode(text);
const texts = async (text: string, sizes: number[] = [], options: SplitLinesOptions = {}) =>
  (await linesOf(encode(text), sizes, options)).lines.map((line) => line.text);

test("ends of lines: LF, CRLF, none at the end, empty lines, byte order mark", async () => {
  expect(await texts("a\nb\r\n\nc")).toEqual(["a", "b", "", "c"]);
  expect(await texts("")).toEqual([]);
  expect(await texts("\n")).toEqual([""]);
  expect(await texts("\uFEFFa\n\uFEFFb", [1, 1, 1])).toEqual(["a", "\uFEFFb"]);
});

test("a character cut by a chunk is whole, bad UTF-8 is U+FFFD", async () => {
  expect(await texts("Größe €😀\nx", Array(20).fill(1))).toEqual(["Größe €😀", "x"]);
  const { lines } = await linesOf(Uint8Array.of(0x61, 0xff, 0x62, 10, 0xe2, 0x82));
  expect(lines.map((line) => line.text)).toEqual(["a\uFFFDb", "\uFFFD"]);
});

test("a long line is cut at a whole character and marked; the next one is intact", async () => {
  const { lines, bytes } = await linesOf(encode("€€€€\nok\n"), [], { lineBytesMax: 7 });
  expect(lines).toEqual([
    { text: "€€", cut: true },
    { text: "ok", cut: false },
  ]);
  expect(bytes).toBe(16);
});

test("a line of 32 MB in chunks of 64 KiB keeps only its cap", async () => {
  async function* long() {
    for (let count = 0; count < 512; count++) yield new Uint8Array(65_536).fill(120);
    yield encode("\nlast");
  }
  const lines: Line[] = [];
  for await (const batch of splitLines(long())) lines.push(...batch.lines);
  expect(lines.map((line) => [line.text.length, line.cut])).toEqual([
    [65_536, true],
    [4, false],
  ]);
});

test("batches keep to batchRowsMax and to the order", async () => {
  const sizes: number[] = [];
  const source = chunked(encode("x\n".repeat(25)), []);
  for await (const batch of splitLines(source, { batchRowsMax: 10 }))
    sizes.push(batch.lines.length);
  expect(sizes).toEqual([10, 10, 5]);
});

test("pulls no chunk before the lines of the last one are taken", async () => {
  let pulled = 0;
  async function* source() {
    for (;;) {
      pulled += 1;
      yield encode("a\n");
    }
  }
  const lines = splitLines(source())[Symbol.asyncIterator]();
  await lines.next();
  await lines.next();
  expect(pulled).toBe(2);
  await lines.return?.(undefined);
});

test("the signal ends a wait for a chunk that never comes", async () => {
  const abort = new AbortController();
  async function* silent(): AsyncGenerator<Uint8Array> {
    yield encode("a\n");
    await new Promise(() => {});
  }
  const lines = splitLines(silent(), { signal: abort.signal })[Symbol.asyncIterator]();
  await lines.next();
  const next = lines.next();
  abort.abort();
  await expect(next).rejects.toMatchObject({ code: "CANCELLED" });
});

test("any chunking of any bytes gives the same lines and counts every byte", async () => {
  const byte = fc.oneof(
    fc.constantFrom(10, 10, 13, 0xe2, 0x82, 0xac, 0xef, 0xbb, 0xbf, 65),
    fc.nat(255),
  );
  const input = fc.uint8Array({ maxLength: 200 });
  const spiced = fc.array(byte, { maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));
  const sizes = fc.array(fc.nat(20), { maxLength: 60 });
  const property = fc.asyncProperty(
    fc.oneof(input, spiced),
    sizes,
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 30 }),
    async (bytes, cuts, lineBytesMax, batchBytesMax) => {
      const whole = await linesOf(bytes, [], { lineBytesMax });
      const pieces = await linesOf(bytes, cuts, { lineBytesMax, batchBytesMax, batchRowsMax: 3 });
      expect(pieces).toEqual(whole);
      expect(whole.bytes).toBe(bytes.length);
    },
  );
  await fc.assert(property, { seed, numRuns: 1000 });
});
