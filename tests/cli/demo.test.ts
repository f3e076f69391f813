/** The demo as a user runs it: every fault named, the quiet window quiet, nothing missing in the audit. */
import { expect, test } from "bun:test";
import type { Verdict } from "../../agents/mod.ts";
import { programForTests } from "../support/runtime.ts";
import { petrel } from "./command.ts";

interface Answer {
  readonly verdicts: readonly Verdict[];
  readonly envelopes: number;
  readonly llm: { readonly calls: number; readonly tokens: number };
}

async function demo(args: readonly string[]) {
  await Promise.all([programForTests("nats-server"), programForTests("prometheus")]);
  return petrel(["demo", ...args]);
}

const NAMED = [
  ["ts-contacts-service", "returns wrong data"],
  undefined,
  ["ts-travel2-service", "throws exceptions"],
  ["ts-contacts-service", "cpu contention"],
  ["ts-verification-code-service", "network delay"],
  ["ts-route-service", "network delay"],
  ["payment-service", "database connection pool exhausted"],
];

test("demo --json: one object on the last line, and every verdict is right", async () => {
  const { code, out, err } = await demo(["--json"]);
  expect([code, err]).toEqual([0, ""]);
  const answer: Answer = JSON.parse(out.trim().split("\n").at(-1) ?? "");
  const named = answer.verdicts.map(({ outcome, rootCause }) =>
    outcome === "quiet" ? undefined : [rootCause?.service, rootCause?.mechanism],
  );
  expect(named).toEqual(NAMED);
  for (const { window, outcome, evidence, sources, confidence } of answer.verdicts) {
    expect(Date.parse(window.start)).toBeLessThan(Date.parse(window.end));
    expect(Object.keys(sources).sort()).toEqual(["metrics", "splunk"]);
    expect(evidence.length > 0).toBe(outcome === "incident");
    expect(confidence).toBeGreaterThan(0.5);
  }
  expect(answer.envelopes).toBeGreaterThan(50);
  expect(answer.llm).toEqual({ calls: 0, tokens: 0 });
}, 60_000);

test("demo --llm: the model is asked about incidents only, and its words are checked", async () => {
  const { code, out } = await demo(["--llm"]);
  expect(code).toBe(0);
  expect(out).toMatch(
    /7 windows · 6 incidents · 1 quiet · [\d,]+ envelopes audited, 0 missing · 6 LLM calls/,
  );
  expect(out).toContain("● quiet   (0 LLM calls)");
}, 60_000);
