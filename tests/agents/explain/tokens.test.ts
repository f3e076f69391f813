import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as fc from "fast-check";
import { loadTokenCounter } from "../../../agents/explain/tokens.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const count = await loadTokenCounter();

describe("tokens", () => {
  test("of plain text are those of o200k_base", () => {
    expect(count("")).toBe(0);
    expect(count("hello world")).toBe(2);
    // Text that looks like a token of the tokenizer's own is text.
    expect(count("<|endoftext|>")).toBeGreaterThan(3);
  });

  // Each takes the tokenizer seconds to minutes as it is: 100,000 halves of pairs two minutes.
  test.each([
    ["a", "a".repeat(100_000)],
    ["spaces", " ".repeat(100_000)],
    ["signs", "!".repeat(100_000)],
    ["halves of pairs", "\ud800".repeat(100_000)],
    ["pairs", "\u{1f600}".repeat(50_000)],
    ["Chinese", "中".repeat(100_000)],
    ["newlines", "\r\n".repeat(50_000)],
    ["five megabytes", "x".repeat(5_000_000)],
  ])("of %s are counted, and no fewer than a long run has", (_what, text) => {
    const tokens = count(text);
    expect(tokens).toBeGreaterThan(100);
    expect(tokens).toBeLessThanOrEqual(Buffer.byteLength(text.toWellFormed()));
  });

  test("of any text are at most its bytes, and of two texts at least nearly those of both", () => {
    const text = fc.string({ unit: "binary", maxLength: 2_000 });
    fc.assert(
      fc.property(text, text, (one, two) => {
        expect(count(one)).toBeLessThanOrEqual(Buffer.byteLength(one.toWellFormed()));
        expect(count(one + two)).toBeLessThanOrEqual(count(one) + count(two) + 4);
      }),
      { seed, numRuns: 100 },
    );
  });
});

test("the table is not loaded before somebody counts", async () => {
  const file = join(import.meta.dir, "../../../agents/explain/explainer.ts");
  const script = `await import(${JSON.stringify(file)}); const used = Object.keys(require.cache).filter((one) => one.includes("gpt-tokenizer")); console.log(used.length)`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  expect((await new Response(child.stdout).text()).trim()).toBe("0");
});
