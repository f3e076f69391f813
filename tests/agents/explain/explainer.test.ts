import { describe, expect, test } from "bun:test";
import { plainWords } from "../../../agents/explain/plain.ts";
import { Explanation } from "../../../agents/explain/record.ts";
import { PetrelError } from "../../../core/mod.ts";
import { type LlmSimMode, startLlmSim } from "../../../sim/mod.ts";
import { incident } from "../verdict-fixtures.ts";
import {
  ANSWER,
  BUDGET,
  explain,
  explainerWith,
  KEY,
  llmOf,
  modelThat,
  never,
  openDay,
  poolVerdict,
} from "./fixtures.ts";

const plain = plainWords(poolVerdict());

describe("words", () => {
  test("without a model are the statistics'", async () => {
    const got = await explain(poolVerdict(), {});
    expect(got).toEqual(plain);
    expect(got.title).toContain("payment-service: database connection pool exhausted");
    expect(got.cost.calls).toBe(0);
  });

  test("of a model stand when the evidence says so; the title is the statistics'", async () => {
    const { llm, calls } = modelThat(ANSWER);
    const { day, settled } = openDay();
    const prices = { promptPerMillion: 2, completionPerMillion: 10 };
    const got = await explain(poolVerdict(), { llm, day, prices });
    expect(Explanation.parse(got)).toEqual(got);
    expect(got).toMatchObject({
      by: "model-1",
      title: plain.title,
      text: "payment-service ran out of database connections and its pool is exhausted [e1][e2]. Requests wait for a connection, so latency rises to 1.2 s and 150 requests end with HTTP 500 [e3][e4]. order-service and api-gateway suffer from it [e1].",
      next: [ANSWER.next[0]?.text],
      struck: [],
      remarks: [],
      confidence: 0.8,
      cost: { calls: 1, toolCalls: 0, promptTokens: 100, completionTokens: 20, usd: 0.0004 },
    });
    expect(calls[0]?.maxTokens).toBe(1_500);
    expect(settled).toEqual([{ prompt: 100, completion: 20 }]);
  });

  test("that do not hold are struck, the others stay", async () => {
    const invented = { kind: "cause", text: "Hackers exhausted the pool.", evidence: ["e1"] };
    const { llm } = modelThat({ ...ANSWER, statements: [invented, ...ANSWER.statements] });
    const got = await explain(poolVerdict(), { llm });
    expect(got.struck).toEqual([{ text: invented.text, why: expect.stringContaining("attack") }]);
    expect(got.text).not.toContain("Hackers");
    expect(got.by).toBe("model-1");
  });

  test("without what happened or why leave the plain words, and say so", async () => {
    const headline = { text: "Hackers exhausted the pool.", evidence: ["e1"] };
    const { llm } = modelThat({ ...ANSWER, headline });
    const got = await explain(poolVerdict(), { llm });
    expect(got).toMatchObject({ by: "statistics", text: plain.text, next: plain.next });
    expect(got.remarks).toEqual([expect.stringContaining("held against the evidence")]);
    expect(got.struck).toHaveLength(1);
    expect(got.cost.calls).toBe(1);
  });

  test("are never surer than the statistics", async () => {
    const { llm } = modelThat({ ...ANSWER, confidence: 1 });
    expect((await explain(poolVerdict({ confidence: 0.6 }), { llm })).confidence).toBe(0.6);
  });

  test("that name another ranked cause are told with a remark", async () => {
    const rootCause = { service: "ledger-service", mechanism: "slow responses", evidence: ["e5"] };
    const headline = {
      text: "ledger-service responds slower: 300 ms instead of 40 ms.",
      evidence: ["e5"],
    };
    const { llm } = modelThat({ ...ANSWER, headline, rootCause });
    const got = await explain(poolVerdict(), { llm });
    expect(got.title).toBe(plain.title);
    expect(got.confidence).toBe(0.3);
    expect(got.remarks).toEqual([
      "The model names ledger-service (slow responses); the statistics name payment-service (database connection pool exhausted).",
    ]);
  });

  test("on a quiet or inconclusive window ask nobody, not even for tools or budget", async () => {
    for (const outcome of ["quiet", "inconclusive"] as const) {
      const { llm, calls } = modelThat(ANSWER);
      const { day, reserved } = openDay();
      const tools = {
        list: () => Promise.reject(new Error("asked")),
        call: () => Promise.reject(new Error("asked")),
      };
      const verdict = incident("w", { outcome, rootCause: null, causes: [], evidence: [] });
      const got = await explain(verdict, { llm, day, tools });
      expect([got.by, got.cost.calls, calls.length, reserved.length]).toEqual([
        "statistics",
        0,
        0,
        0,
      ]);
    }
  });
});

describe("a model that fails leaves the plain words and a remark in our words", () => {
  const FAILURES: [LlmSimMode, string][] = [
    ["refuse", "refused"],
    ["content_filter", "refused"],
    ["outside_schema", "shape"],
    ["not_json", "shape"],
    ["length", "too long"],
    ["context_length", "too long"],
    ["cut", "broke off"],
    ["unauthorized", "key"],
    ["rate_limited", "busy"],
    ["server_error", "did not answer"],
    ["timeout", "in time"],
  ];
  test.each(FAILURES)("%s", async (mode, words) => {
    await using sim = startLlmSim({ apiKey: KEY });
    sim.mode = mode;
    const budget = { ...BUDGET, timeMs: mode === "timeout" ? 100 : 30_000 };
    const got = await explain(poolVerdict(), { llm: llmOf(sim), budget });
    expect(got).toMatchObject({
      ...plain,
      remarks: [expect.stringContaining(words)],
      cost: { calls: 1 },
    });
    expect(sim.calls).toBe(1);
    // What may have been billed is counted as if it was.
    const isUnbilled = ["unauthorized", "rate_limited", "server_error"].includes(mode);
    expect(got.cost.promptTokens > 0).toBe(!isUnbilled);
  });

  test("also one that answers out of shape, throws oddly, or never comes back", async () => {
    for (const said of [
      { ...ANSWER, more: 1 },
      new TypeError("odd"),
      new PetrelError("INTERNAL", "x"),
    ]) {
      const got = await explain(poolVerdict(), { llm: modelThat(said).llm });
      expect([got.by, got.remarks.length]).toEqual(["statistics", 1]);
    }
    const deaf = { name: "deaf", explain: () => new Promise<never>(() => {}) };
    const late = await explain(poolVerdict(), { llm: deaf, budget: { ...BUDGET, timeMs: 50 } });
    expect(late.remarks).toEqual(["The model did not answer in time."]);
  });
});

describe("budgets", () => {
  test.each([
    ["calls", { calls: 0 }, "0 calls"],
    ["tokens", { tokens: 1_000 }, "1000 tokens"],
    ["USD", { usd: 0.0001 }, "0.0001 USD"],
    ["time", { timeMs: 0 }, "0 seconds"],
  ])("%s: a call that might not be paid is not made", async (_what, limit, words) => {
    const { llm, calls } = modelThat(ANSWER);
    const prices = { promptPerMillion: 2, completionPerMillion: 10 };
    const got = await explain(poolVerdict(), { llm, prices, budget: { ...BUDGET, ...limit } });
    expect(calls).toHaveLength(0);
    expect(got.by).toBe("statistics");
    expect(got.remarks).toEqual([expect.stringContaining(words)]);
  });
});

test("rejects when its signal aborts, and only then", async () => {
  const stop = new AbortController();
  const deaf = { name: "deaf", explain: () => new Promise<never>(() => {}) };
  const waiting = explainerWith({ llm: deaf }).explain(
    poolVerdict(),
    { seenBefore: [] },
    stop.signal,
  );
  stop.abort(new Error("stopping"));
  expect(waiting).rejects.toThrow("stopping");
  await explainerWith({ llm: modelThat(new Error("x")).llm }).explain(
    poolVerdict(),
    { seenBefore: [] },
    never(),
  );
});
