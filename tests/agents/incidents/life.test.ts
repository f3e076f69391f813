/** The life of an incident, window by window: when it is told, updated, resolved, opened again, over. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { Book } from "../../../agents/incidents/book.ts";
import type { Verdict } from "../../../agents/mod.ts";
import { MINUTE_MS, START_MS, windowAt } from "../verdict-fixtures.ts";
import { blind, fault, Life, quiet, WINDOW_MS } from "./fixtures.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

describe("one fault", () => {
  test("is told once over ten windows, resolved after three quiet ones, over after the pause", () => {
    const life = new Life();
    expect(life.see(fault(0))).toEqual(["told opened"]);
    for (let at = 1; at <= 10; at++) expect(life.see(fault(at))).toEqual([]);
    expect(life.see(quiet(11))).toEqual([]);
    expect(life.see(quiet(12))).toEqual([]);
    expect(life.see(quiet(13))).toEqual(["told resolved"]);
    for (let at = 14; at <= 37; at++) expect(life.see(quiet(at))).toEqual([]);
    expect(life.see(quiet(39))).toEqual(["closed"]);
    life.settle();
    expect(life.book.heads).toEqual([]);
  });

  test("that comes back within the time is opened again, after it is another incident", () => {
    const life = new Life();
    life.see(fault(0));
    for (const at of [1, 2, 3]) life.see(quiet(at));
    expect(life.see(fault(10))).toEqual(["told reopened"]);
    for (const at of [11, 12, 13]) life.see(quiet(at));
    const [first] = life.book.heads;
    expect(life.see(fault(13 + 2 + 24))).toEqual(["closed", "told opened"]);
    expect(life.book.heads.find(({ state }) => state === "open")?.id).not.toBe(first?.id ?? "");
  });

  test("the same window again changes nothing", () => {
    const life = new Life();
    life.see(fault(0));
    const book = life.book;
    expect(life.see(fault(0))).toEqual([]);
    expect(life.book).toBe(book);
  });

  test("seen in too few windows is told to nobody, and forgotten", () => {
    const life = new Life({ afterWindows: 3 });
    expect(life.see(fault(0))).toEqual([]);
    expect(life.see(fault(1))).toEqual([]);
    expect(life.states).toEqual(["payment-service pending"]);
    for (const at of [2, 3, 4]) expect(life.see(quiet(at))).toEqual([]);
    expect(life.book.heads).toEqual([]);
    for (const at of [5, 6]) expect(life.see(fault(at))).toEqual([]);
    expect(life.see(fault(7))).toEqual(["told opened"]);
  });

  test("windows that arrive late count, and open or resolve nothing", () => {
    const life = new Life();
    life.see(fault(5));
    expect(life.see(fault(4))).toEqual([]);
    for (const at of [1, 2, 3]) expect(life.see(quiet(at))).toEqual([]);
    expect(life.states).toEqual(["payment-service open"]);
    expect(life.book.heads[0]).toMatchObject({ windows: 2, quiet: 0 });
  });

  test("a long window that somebody asks for does not open again what it reaches back to", () => {
    for (const windows of [2, 3]) {
      const life = new Life();
      life.see(fault(0));
      for (let at = 1; at <= windows; at++) life.see(quiet(at));
      const state = life.states;
      const span = { start: windowAt(-WINDOW_MS).start, end: windowAt(4 * WINDOW_MS).start };
      expect(life.see({ ...fault(0), id: "asked", window: span })).toEqual([]);
      expect(life.states).toEqual(state);
      expect(life.book.heads[0]).toMatchObject({ windows: 2, lastWindow: windowAt() });
    }
  });

  test("short windows that somebody asks for do not make the quiet shorter that resolves", () => {
    const life = new Life();
    life.see(fault(0));
    const moment = (second: number) => new Date(START_MS + WINDOW_MS + second * 1_000);
    for (let at = 0; at < 10; at++) {
      const window = { start: moment(at).toISOString(), end: moment(at + 1).toISOString() };
      expect(life.see(quiet(1, { id: `asked-${at}`, window }))).toEqual([]);
    }
    expect(life.see(quiet(2))).toEqual([]);
    expect(life.see(quiet(3))).toEqual(["told resolved"]);
  });

  test("a look back at last week is an incident of its own, and leaves the one going on alone", () => {
    const life = new Life();
    life.see(fault(3_000));
    expect(life.see(fault(0))).toEqual(["told opened"]);
    expect(life.book.heads).toHaveLength(2);
    expect(life.see(fault(3_001))).toEqual([]);
  });
});

describe("what belongs together", () => {
  test("another mechanism of the same service, and a service it affects, are the same incident", () => {
    const life = new Life();
    life.see(fault(0));
    expect(life.see(fault(1, { mechanism: "slow responses", confidence: 0.8 }))).toEqual([]);
    expect(life.see(fault(2, { service: "order-service", affected: ["payment-service"] }))).toEqual(
      [],
    );
    expect(life.book.heads).toHaveLength(1);
    expect(life.book.heads[0]).toMatchObject({ service: "payment-service", windows: 3 });
  });

  test("an unrelated fault is another incident, and each is resolved by itself", () => {
    const life = new Life();
    life.see(fault(0));
    expect(life.see(fault(1, { service: "auth-service", affected: [] }))).toEqual(["told opened"]);
    const auth = (at: number) => fault(at, { service: "auth-service", affected: [] });
    expect(life.see(auth(2))).toEqual([]);
    expect(life.see(auth(3))).toEqual(["told resolved"]);
    expect(life.states).toEqual(["payment-service resolved", "auth-service open"]);
  });

  test("a surer cause is told, at most once in a while; a higher severity at once", () => {
    const life = new Life({ updateEveryMs: 15 * MINUTE_MS });
    life.see(fault(0, { confidence: 0.5 }));
    const surer = { service: "order-service", affected: ["payment-service"], confidence: 0.65 };
    expect(life.see(fault(1, surer))).toEqual([]);
    expect(life.see(fault(2, surer))).toEqual([]);
    expect(life.see(fault(3, surer))).toEqual(["told updated"]);
    expect(life.book.heads[0]).toMatchObject({ service: "order-service", severity: "warning" });
    expect(life.see(fault(4, { ...surer, confidence: 0.95 }))).toEqual(["told updated"]);
    expect(life.book.heads[0]).toMatchObject({ severity: "critical" });
  });

  test("what another, less sure cause adds is told with the verdict that names its own", () => {
    const other = { service: "order-service", mechanism: "slow responses", confidence: 0.7 };
    const affected = ["payment-service", "ledger-service"];
    for (const rules of [{ updateEveryMs: 0 }, { afterWindows: 2 }]) {
      const life = new Life(rules);
      const first = fault(0, { confidence: 0.65 });
      life.see(first);
      const told = life.see(fault(1, { ...other, affected }));
      expect(told).toHaveLength(1);
      const [head] = life.book.heads;
      expect(head).toMatchObject({ service: "payment-service", severity: "critical" });
      expect(head?.investigation).toBe(first.id);
    }
  });

  test("more services suffer than it remembers: those are not news again and again", () => {
    const life = new Life({ updateEveryMs: 0 });
    const affected = Array.from({ length: 30 }, (_, index) => `service-${index}`);
    expect(life.see(fault(0, { affected }))).toEqual(["told opened"]);
    const after = Array.from({ length: 20 }, (_, at) => life.see(fault(at + 1, { affected })));
    expect(after.flat()).toEqual([]);
  });

  test("hundreds of faults at once: those beyond the bound are one incident about it", () => {
    const life = new Life();
    for (let at = 0; at < 310; at++) {
      life.see(fault(0, { service: `service-${at}`, affected: [] }));
    }
    expect(life.book.heads).toHaveLength(301);
    expect(life.book.heads.at(-1)).toMatchObject({ kind: "operations", windows: 10 });
    expect(() => Book.parse(life.book)).not.toThrow();
    expect(JSON.stringify(life.book).length).toBeLessThan(900_000);
    // A look at another time finds no room even for the one that says so.
    life.see(fault(-3_000, { service: "another", affected: [] }));
    expect(() => Book.parse(life.book)).not.toThrow();
    expect(life.book.taken).toHaveLength(311);
  });

  test("with the longest names: the book stays one message of NATS, and people are told", () => {
    const life = new Life();
    const long = (name: string) => name.padEnd(200, "ü");
    for (let at = 0; at < 150; at++) {
      const affected = Array.from({ length: 19 }, (_, index) => long(`suffers-${at}-${index}`));
      life.see(fault(0, { service: long(`service-${at}`), mechanism: long("m"), affected }));
    }
    expect(Buffer.byteLength(JSON.stringify(life.book))).toBeLessThan(700 * 1024);
    expect(life.book.heads.at(-1)).toMatchObject({ kind: "operations" });
  });
});

describe("flapping", () => {
  test("is told once, and the rest when it is steady", () => {
    const life = new Life({ resolveAfterWindows: 1, flapChanges: 4, flapWithinMs: 60 * MINUTE_MS });
    const told: string[] = [];
    for (let at = 0; at < 12; at++) told.push(...life.see(at % 2 === 0 ? fault(at) : quiet(at)));
    expect(told.filter((one) => one.startsWith("told"))).toEqual([
      "told opened",
      "told resolved",
      "told reopened",
      "told resolved",
      "told flapping",
    ]);
    const after: string[] = [];
    for (let at = 12; at < 60; at++) after.push(...life.see(quiet(at)));
    // The notice that it flaps raised it once more where it was resolved: it has to be ended there.
    expect(after).toEqual(["told resolved", "closed"]);
  });

  test("does not hold back that it got worse", () => {
    const life = new Life({ resolveAfterWindows: 1, flapChanges: 4, flapWithinMs: 60 * MINUTE_MS });
    const seen = (at: number, confidence: number) =>
      life.see(at % 2 === 0 ? fault(at, { confidence }) : quiet(at));
    for (let at = 0; at < 12; at++) seen(at, 0.5);
    const worse = Array.from({ length: 12 }, (_, index) => seen(12 + index, 0.95)).flat();
    expect(worse.filter((one) => one.startsWith("told"))).toEqual(["told updated"]);
    expect(life.book.heads[0]).toMatchObject({ severity: "critical", isFlapping: true });
  });

  test("while it is silenced is told when the silence ends, and it still flaps", () => {
    const life = new Life({ resolveAfterWindows: 1, flapChanges: 4, flapWithinMs: 60 * MINUTE_MS });
    const [start, end] = [START_MS, START_MS + 12 * WINDOW_MS].map((ms) => new Date(ms));
    const times = { from: start?.toISOString() ?? "", until: end?.toISOString() ?? "" };
    const all = [{ field: "service" as const, isEqual: true, value: "*" }];
    const silence = { id: "s1", matchers: all, ...times, by: "alice", comment: "" };
    life.book = { ...life.book, silences: [silence] };
    const seen = (at: number) => life.see(at % 2 === 0 ? fault(at) : quiet(at));
    const during = Array.from({ length: 12 }, (_, at) => seen(at)).flat();
    expect(during.filter((one) => one.startsWith("told"))).toEqual([]);
    const after = Array.from({ length: 12 }, (_, index) => seen(12 + index)).flat();
    expect(after.filter((one) => one.startsWith("told"))).toEqual(["told opened"]);
  });

  test("that ends open is told as open", () => {
    const life = new Life({ resolveAfterWindows: 1, flapChanges: 4, flapWithinMs: 60 * MINUTE_MS });
    for (let at = 0; at < 12; at++) life.see(at % 2 === 0 ? fault(at) : quiet(at));
    const after: string[] = [];
    for (let at = 12; at < 40; at++) after.push(...life.see(fault(at)));
    expect(after.filter((one) => one.startsWith("told"))).toEqual(["told updated"]);
  });
});

describe("silences and maintenance", () => {
  const silence = (value: string, untilWindow: number) => ({
    id: "s1",
    matchers: [{ field: "service" as const, isEqual: true, value }],
    from: new Date(START_MS).toISOString(),
    until: new Date(START_MS + untilWindow * WINDOW_MS).toISOString(),
    by: "alice",
    comment: "we know",
  });

  test("hold a notice back; what still stands when they end is told then", () => {
    const life = new Life();
    life.book = { ...life.book, silences: [silence("payment-*", 3)] };
    expect(life.see(fault(0))).toEqual(["silenced"]);
    expect(life.see(fault(1))).toEqual([]);
    expect(life.see(fault(2))).toEqual([]);
    expect(life.see(fault(3))).toEqual(["told opened"]);
  });

  test("what is over before they end is told to nobody", () => {
    const life = new Life();
    life.book = { ...life.book, silences: [silence("payment-*", 10)] };
    life.see(fault(0));
    const changes = [1, 2, 3, 4].flatMap((at) => life.see(quiet(at)));
    expect(changes).toEqual(["resolved"]);
  });

  test("what was told as open is told as resolved in spite of them", () => {
    const life = new Life();
    life.see(fault(0));
    life.book = { ...life.book, silences: [silence("*", 10)] };
    const changes = [1, 2, 3].flatMap((at) => life.see(quiet(at)));
    expect(changes.filter((one) => one !== "silenced")).toEqual(["told resolved"]);
  });

  test("of other services do not matter", () => {
    const life = new Life();
    life.book = { ...life.book, silences: [silence("ledger-*", 10)] };
    expect(life.see(fault(0))).toEqual(["told opened"]);
  });

  test("maintenance recurs by the week, over midnight too", () => {
    const { matchers } = silence("payment-*", 1);
    // The first window is a Thursday, 08:45 to 08:50 UTC.
    const during = { days: ["wed"] as const, from: "22:00", to: "08:50", matchers, comment: "" };
    expect(new Life({}, [during]).see(fault(0))).toEqual(["silenced"]);
    const before = { ...during, to: "08:45" };
    expect(new Life({}, [before]).see(fault(0))).toEqual(["told opened"]);
    const other = { ...during, days: ["thu"] as const };
    expect(new Life({}, [other]).see(fault(0))).toEqual(["told opened"]);
  });
});

describe("sources that cannot be read", () => {
  test("one of two: an alarm of its own, of low urgency, over when it answers again", () => {
    const life = new Life();
    expect(life.see(blind(0, "failed", "quiet"))).toEqual(["told opened"]);
    expect(life.book.heads[0]).toMatchObject({ kind: "inconclusive", severity: "info" });
    expect(life.see(blind(1, "failed", "quiet"))).toEqual([]);
    expect([2, 3, 4].flatMap((at) => life.see(quiet(at)))).toEqual(["told resolved"]);
  });

  test("all of them: an operations alarm, critical", () => {
    const life = new Life();
    expect(life.see(blind(0, "failed", "timed_out"))).toEqual(["told opened"]);
    expect(life.book.heads[0]).toMatchObject({ kind: "operations", severity: "critical" });
  });

  test("for hours do not make another incident of a fault that is still there after", () => {
    const life = new Life();
    expect(life.see(fault(0))).toEqual(["told opened"]);
    for (let at = 1; at < 60; at++) life.see(blind(at, "failed", "failed"));
    expect(life.see(fault(60))).toEqual([]);
    expect(life.states).toEqual(["payment-service open", "petrel open"]);
  });

  test("never make a fault quiet", () => {
    const life = new Life();
    life.see(fault(0));
    for (let at = 1; at < 10; at++) life.see(blind(at, "failed", "quiet"));
    expect(life.states[0]).toBe("payment-service open");
  });
});

/** Any windows in any order. */
const anyWindow = fc.record({
  at: fc.nat(60),
  what: fc.constantFrom("fault", "quiet", "blind", "dark", "other"),
  confidence: fc.double({ min: 0, max: 1, noNaN: true }),
  service: fc.constantFrom("a-service", "b-service", "c-service"),
  affected: fc.subarray(["a-service", "b-service", "c-service", "d-service"]),
});

type AnyWindow = typeof anyWindow extends fc.Arbitrary<infer Value> ? Value : never;

function verdictOf(one: AnyWindow, index: number): Verdict {
  const { at, what, confidence, service, affected } = one;
  const made = {
    fault: () => fault(at, { service, affected, confidence }),
    other: () => fault(at, { service, affected, confidence, mechanism: "slow responses" }),
    quiet: () => quiet(at),
    blind: () => blind(at, "timed_out", "quiet"),
    dark: () => blind(at, "failed", "failed"),
  }[what as "fault"]();
  return { ...made, id: `${made.id}-${index}` };
}

test("whatever comes in whatever order: sinks are told open and resolved in turn, and the book is valid", () => {
  const property = fc.property(
    fc.array(anyWindow, { maxLength: 60 }),
    fc.boolean(),
    (all, flaps) => {
      const life = new Life({
        resolveAfterWindows: 1 + (all.length % 3),
        flapChanges: flaps ? 2 : 9,
      });
      const open = new Set<string>();
      for (const [index, one] of all.entries()) {
        life.see(verdictOf(one, index));
        expect(() => Book.parse(life.book)).not.toThrow();
        for (const { id, pending } of life.book.heads) {
          for (const { kind, isTold } of pending) {
            if (!isTold) continue;
            if (kind === "opened" || kind === "reopened") {
              expect(open.has(id)).toBe(false);
              open.add(id);
            } else if (kind === "resolved") {
              expect(open.delete(id)).toBe(true);
            } else if (kind === "flapping") {
              open.add(id);
            } else {
              expect(open.has(id)).toBe(true);
            }
          }
          const seqs = pending.map(({ seq }) => seq);
          expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
        }
        life.settle();
      }
    },
  );
  fc.assert(property, { seed, numRuns: 300 });
});

test("what goes on without news is told again after a day, as an update", () => {
  const life = new Life();
  life.see(fault(0));
  const told: string[] = [];
  for (let at = 1; at <= 2 * 288; at++) {
    told.push(...life.see(fault(at)).map((one) => `${at} ${one}`));
    life.settle();
  }
  expect(told).toEqual(["288 told updated", "576 told updated"]);
});

test("a window that somebody asked for: a fault is one, and nothing else is told or quiet", () => {
  const life = new Life();
  expect(life.see(blind(0, "failed", "timed_out"), true)).toEqual([]);
  expect(life.see(fault(1), true)).toEqual(["told opened"]);
  for (let at = 2; at < 10; at++) expect(life.see(quiet(at), true)).toEqual([]);
  expect(life.states).toEqual(["payment-service open"]);
});
