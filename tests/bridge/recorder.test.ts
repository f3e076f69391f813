/** What leaves for Kafka holds no secret, wherever a peer has put it. */
import { expect, test } from "bun:test";
import type { Fact } from "../../bridge/mod.ts";
import { makeEncoder, makeRecorder } from "../../bridge/mod.ts";
import { makeRedactor } from "../../core/mod.ts";
import { record } from "./mirror/world.ts";

const CARD = "4111111111111111";
const recorder = makeRecorder({
  redactor: makeRedactor({ key: new Uint8Array(32).fill(1) }),
  encode: makeEncoder({ prefix: "p", layout: "split", content: "binary", encoding: "json" }),
  valueBytesMax: 2_000,
});
const place = { stream: "AUDIT", seq: 1, index: 0 };
const at = { place, timeMs: 1_700_000_000_000 };

const FACTS: readonly Fact[] = [
  { kind: "envelope", ...at, record: record({ id: CARD, body: `{"pan":${CARD},"cvv":"123"}` }) },
  { kind: "conflict", ...at, first: place, record: record({ id: CARD, body: `"${CARD}"` }) },
  { kind: "unconfirmed", ...at, id: CARD, side: "caller", first: place, firstMs: at.timeMs },
  { kind: "confirmed", ...at, id: CARD, side: "agent", first: place, firstMs: at.timeMs },
  {
    kind: "poison",
    ...at,
    subject: "audit.sre.i.0",
    reason: "junk",
    raw: new TextEncoder().encode(`pan=${CARD} cvv=123`),
  },
];

test.each(FACTS.map((fact) => [fact.kind, fact] as const))(
  "of a fact of kind %s",
  (_kind, fact) => {
    const { record: made } = recorder.record(fact, "AUDIT.0", 0);
    const all = [made.key, ...Object.values(made.headers), made.value.toString()].join("\n");
    expect(all).not.toContain(CARD);
    expect(all).not.toMatch(/\b123\b/);
    // A hash of what was not redacted would tell a few digits to whoever tries them all.
    const raw = fact.kind === "poison" ? fact.raw : "record" in fact ? fact.record.body : "";
    expect(all).not.toContain(Bun.SHA256.hash(raw, "hex").slice(0, 32));
  },
);

test("a body is too large by its bytes, not its characters", () => {
  const sizes = [1_999, 2_000, 2_001].map((length) => {
    const body = JSON.stringify("x".repeat(length - 2));
    return recorder.record({ kind: "envelope", ...at, record: record({ id: "a", body }) }, "t", 0)
      .body;
  });
  expect(sizes.map((body) => body?.bytes.length)).toEqual([undefined, undefined, 2_001]);
  const wide = JSON.stringify("é".repeat(1_500));
  const { body } = recorder.record(
    { kind: "envelope", ...at, record: record({ id: "a", body: wide }) },
    "t",
    0,
  );
  expect(body?.bytes.length).toBe(3_002);
});

test("a body that is small by itself and large once it is escaped is a stub as well", () => {
  const structured = makeRecorder({
    redactor: makeRedactor(),
    encode: makeEncoder({ prefix: "p", layout: "one", content: "structured", encoding: "json" }),
    valueBytesMax: 5_000,
  });
  const fact: Fact = {
    kind: "envelope",
    ...at,
    record: record({ id: "a", body: "\u0001".repeat(1_000) }),
  };
  const { record: made, body } = structured.record(fact, "t", 0);
  expect(body?.bytes.length).toBe(1_000);
  expect(made.value.length).toBeLessThan(5_000);
});
