import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { requestOf } from "../../streams/parse/http.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);

/** The statuses of a text by one pattern over all of it, which is plain and slow. */
const STATUS =
  /(?:\bCompleted |\bstatus(?:[_ -]?code)?["']?\s{0,2}[=:]\s{0,2}["']?|HTTP\/[12](?:\.\d)?["']?\s)([1-5]\d\d)\b/i;
/** Durations in their plainest form. */
const LATENCY =
  /(?:\b(?:took|in)|(?:\b|_)(?:duration|elapsed|latency|response time))[=: ]\d{1,12} ?ms(?![\w.])/i;

const names = [
  "Completed ",
  "status",
  "Status_code",
  "HTTP/1.1",
  "took",
  "in",
  "_duration",
  "latency",
];
const others = ["statu", "s", "ed", "me", "_", "a", "Response Time", "elapsed", "-", ",", "\n"];
const gaps = ["=", ":", "'", '"', " ", "  ", "\t", "\u00a0", ": "];
const numbers = ["200", "500ms", "99 ms", "1.5", "7", "600", "4040", "404", "."];
const named = fc
  .tuple(fc.constantFrom(...names), fc.constantFrom(...gaps), fc.constantFrom(...numbers))
  .map((parts) => parts.join(""));
const piece = fc.oneof(fc.constantFrom(...names, ...others, ...gaps, ...numbers), named);
const text = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(""));

test("the status is what the plain pattern finds", () => {
  const property = fc.property(text, (message) => {
    const found = STATUS.exec(message)?.[1];
    expect(requestOf(message).status).toBe(found === undefined ? undefined : Number(found));
  });
  fc.assert(property, { seed, numRuns: 10_000 });
});

test("where the plain pattern finds a duration, there is one", () => {
  const property = fc.property(text, (message) => {
    if (LATENCY.test(message)) expect(requestOf(message).latencyMs).toBeDefined();
  });
  fc.assert(property, { seed, numRuns: 10_000 });
});

test("what the source says stands above the text", () => {
  const said = "Completed 500 in 350ms";
  expect(requestOf(said)).toEqual({ status: 500, latencyMs: 350 });
  expect(requestOf(said, "404", 7)).toEqual({ status: 404, latencyMs: 7 });
  expect(requestOf(said, "soon")).toEqual({ status: 500, latencyMs: 350 });
});
