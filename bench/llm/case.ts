/**
 * `llm-tokens`: the tokens of the first question about a window of a thousand, a million and ten million
 * lines, counted over all that is sent. Run once each: it is a bound that is looked for, not a time.
 */
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { type BenchContext, checkWork, Run } from "../run.ts";
import type { TokensTask } from "./worker.ts";

const ROWS = [1_000, 1_000_000, 10_000_000] as const;
const RUN_TIMEOUT_MS = 600_000;

/** Half of the lines say what no other line says, so that what could grow with them does. */
export async function benchLlmTokens(
  context: BenchContext,
  counts: readonly number[] = ROWS,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const rows of counts) {
    context.onProgress(`llm-tokens: ${rows} lines`);
    const task: TokensTask = { rows };
    await using child = startChild("llm/worker.ts", task, context.signal);
    const run = await child.next(Run, RUN_TIMEOUT_MS);
    checkWork("llm-tokens", run, { ...run.work, rows });
    const name = `${rows.toLocaleString("en-US")} lines`;
    figures.push(...figuresOf("llm-tokens", [{ name, unit: "tokens", of: "prompt" }], [run]));
  }
  return figures;
}
