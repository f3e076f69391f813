/** What looks alike is found again, with what people said of it. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { recorded } from "../../../agents/incidents/compose.ts";
import { featuresOf, IncidentMemory, similarity } from "../../../agents/incidents/memory.ts";
import type { Incident } from "../../../agents/mod.ts";
import { type FaultWords, fault, Life } from "./fixtures.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

/** The record of an incident that begins with window `at`. */
function record(id: string, at: number, words: FaultWords = {}): Incident {
  const verdict = fault(at, words);
  const life = new Life();
  life.see(verdict);
  const [head] = life.book.heads;
  const [change] = head?.pending ?? [];
  if (!head || !change) throw new Error("nothing was decided");
  const told = { verdict, explanation: undefined, seenBefore: [], sinks: [] };
  return { ...recorded(undefined, head, change, told), id };
}

function likeness(words: FaultWords = {}) {
  const { service = "payment-service", mechanism = "connection pool exhausted" } = words;
  return { service, mechanism, features: featuresOf(fault(0, words).evidence) };
}

const LATER = "2027-01-01T00:00:00.000Z";

describe("memory", () => {
  test("finds the same fault again, the confirmed one first, and says its cause", () => {
    const memory = new IncidentMemory();
    const judgement = { isConfirmed: true, by: "alice", at: LATER, cause: "a lock in the ledger" };
    memory.take({ ...record("one", 0), judgement });
    memory.take(record("two", 100));
    expect(memory.like(likeness(), "new", LATER)).toEqual([
      expect.objectContaining({
        incident: "one",
        isConfirmed: true,
        cause: "a lock in the ledger",
      }),
      expect.objectContaining({ incident: "two", isConfirmed: false, similarity: 1 }),
    ]);
  });

  test("knows what a rejected one really was, or that it was not this", () => {
    const memory = new IncidentMemory();
    const rejected = { isConfirmed: false, by: "bob", at: LATER };
    memory.take({ ...record("one", 0), judgement: { ...rejected, cause: "a bad release" } });
    memory.take({ ...record("two", 100), judgement: { ...rejected, cause: "" } });
    const [one, two] = memory.like(likeness(), "new", LATER);
    expect(one).toMatchObject({ cause: "a bad release", isConfirmed: true });
    expect(two?.cause).toStartWith("not payment-service");
  });

  test("passes over what came later, itself, and what only shares a word", () => {
    const memory = new IncidentMemory();
    memory.take(record("later", 100));
    memory.take(record("own", 0));
    memory.take(record("other", 0, { service: "auth-service", template: "token expired" }));
    expect(memory.like(likeness(), "own", "2026-01-29T09:00:00.000Z")).toEqual([]);
  });

  test("another service with the same statements is alike, less", () => {
    const memory = new IncidentMemory();
    memory.take(record("one", 0));
    const [found] = memory.like({ ...likeness(), mechanism: "slow responses" }, "new", LATER);
    expect(found).toMatchObject({ incident: "one", similarity: 0.7 });
  });
});

test("similarity is symmetric, in [0, 1], and 1 for the same", () => {
  const any = fc
    .record({
      service: fc.constantFrom("a", "b"),
      mechanism: fc.constantFrom("x", "y"),
      features: fc.array(fc.constantFrom("1", "2", "3", "4"), { minLength: 1 }),
    })
    .map(({ features, ...rest }) => ({ ...rest, features: new Set(features) }));
  const property = fc.property(any, any, (one, other) => {
    const value = similarity(one, other);
    expect(value).toBeCloseTo(similarity(other, one), 10);
    expect(value >= 0 && value <= 1).toBe(true);
    expect(similarity(one, one)).toBeCloseTo(1, 10);
  });
  fc.assert(property, { seed });
});
