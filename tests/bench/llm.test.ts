/** The case `llm-tokens` at a small size: the question is asked, and within its bound. */
import { expect, test } from "bun:test";
import { benchLlmTokens } from "../../bench/llm/case.ts";

test("llm-tokens: tokens of the first question", async () => {
  const context = {
    rounds: 1,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  };
  const [small, larger] = await benchLlmTokens(context, [1_000, 20_000]);
  expect([small?.metric, larger?.metric]).toEqual(["1,000 lines", "20,000 lines"]);
  for (const figure of [small, larger]) {
    expect(figure?.ours).toBeGreaterThan(800);
    expect(figure?.ours).toBeLessThanOrEqual(4_000);
    expect(figure?.unit).toBe("tokens");
  }
}, 60_000);
