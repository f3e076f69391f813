import { describe, expect, test } from "bun:test";
import { detectEntries } from "../../streams/detect/entries.ts";
import type { LogSummary } from "../../streams/mod.ts";
import { SummaryBuilder, WINDOW } from "./detect-fixtures.ts";

const TEXT = { redact: (text: string) => text, known: new Set(["shop", "price"]) };

interface Shape {
  /** Of all requests of the shop, how many price answers for with a line. */
  readonly answered: number;
  readonly requests: number;
  /** The statement of the shop from which price is called. */
  readonly from?: string;
  /** The first statement of price. */
  readonly to?: string;
  /** Whether the shop writes its next line. */
  readonly goesOn?: boolean;
}

/** Requests that run shop#1, shop#from, price#to, shop#3. */
function requests({ answered, requests: all, from = "2", to = "7", goesOn = true }: Shape) {
  const builder = new SummaryBuilder();
  for (let at = 0; at < all; at++) {
    const startMs = WINDOW.startMs + 20_000 + at * 100;
    const line = (service: string, place: string, afterMs: number) => {
      const options = {
        logger: `x.${service}#${place}`,
        traceId: `t${at}`,
        timeMs: startMs + afterMs,
      };
      builder.line(service, `${service} at ${place}`, options);
    };
    line("shop", "1", 0);
    line("shop", from, 1);
    if (at < answered) line("price", to, 2);
    if (goesOn) line("shop", "3", 3);
  }
  // The window's edges: traces near them are not counted whole.
  builder.line("idle", "first", { logger: "x.idle#1", traceId: "a", timeMs: WINDOW.startMs });
  builder.line("idle", "last", { logger: "x.idle#1", traceId: "z", timeMs: WINDOW.endMs - 1 });
  return builder.build();
}

const usual = requests({ answered: 35, requests: 35 });
const found = (current: LogSummary, before = usual) => detectEntries(current, before, TEXT);

describe("requests lost before the callee's first line", () => {
  test("are a finding of the callee, with the place where they should have begun", () => {
    const [finding, ...others] = found(requests({ answered: 5, requests: 30 }));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      kind: "path_change",
      service: "price",
      codeLocation: "price#7",
      anomalous: true,
      direction: "down",
    });
    expect(finding?.summary).toBe(
      "After shop#2 of shop price#7 follows in 5 of 30 traces, before in 35 of 35: requests are lost before its first line.",
    );
  });

  test("count for less when the caller stops there too: it may be the one that fails", () => {
    const [alone] = found(requests({ answered: 5, requests: 30 }));
    const [both] = found(requests({ answered: 5, requests: 30, goesOn: false }));
    expect(both?.score ?? 0).toBeLessThan(alone?.score ?? 0);
    expect(both?.score ?? 0).toBeGreaterThan(0);
  });

  test.each<[string, Shape]>([
    ["less traffic", { answered: 9, requests: 9 }],
    ["a callee that words its first line anew", { answered: 30, requests: 30, to: "8" }],
    ["a caller that calls from another line", { answered: 30, requests: 30, from: "22" }],
    ["a few that are lost as ever", { answered: 28, requests: 30 }],
    ["no request at all", { answered: 0, requests: 0 }],
  ])("%s is none", (_what, shape) => {
    expect(found(requests(shape))).toEqual([]);
  });

  test("windows without traces say nothing", () => {
    const plain = new SummaryBuilder().line("shop", "hello").build();
    expect(found(plain)).toEqual([]);
    expect(found(usual, plain)).toEqual([]);
  });
});
