import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { childSpan, formatTraceparent, newTrace, parseTraceparent } from "../../core/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test("what is written is read back", () => {
  const trace = newTrace();
  expect(parseTraceparent(formatTraceparent(trace))).toEqual(trace);
  expect(formatTraceparent({ traceId: TRACE, spanId: SPAN })).toBe(`00-${TRACE}-${SPAN}-01`);
});

test("a child stays in its parent's trace with a span of its own", () => {
  const parent = newTrace();
  const child = childSpan(parent);
  expect(child.traceId).toBe(parent.traceId);
  expect(child.spanId).not.toBe(parent.spanId);
});

test("anything malformed counts as absent", () => {
  const malformed = [
    undefined,
    "",
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01 `,
    `00-${TRACE}-${SPAN}-01\n`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-1`,
    `zz-${TRACE}-${SPAN}-01`,
  ];
  for (const header of malformed) expect(parseTraceparent(header), String(header)).toBeUndefined();
});

test("no text makes it throw, and what it accepts is well formed", () => {
  const piece = fc.constantFrom("0", "a", "f", "G", "-", TRACE, SPAN, "00-", "-01", "\n");
  const property = fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const trace = parseTraceparent(pieces.join(""));
    if (trace === undefined) return;
    expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/);
  });
  fc.assert(property, { seed, numRuns: 500 });
});
