/**
 * Wires what explains incidents: the model if there is one, the tools it may ask for, and what it may
 * cost. Connects to nothing before the first incident.
 */
import type { KV } from "@nats-io/kv";
import { DayLedger, Explainer, type Explains, type Llm } from "../agents/mod.ts";
import type { Clock, Config, Logger, Redactor } from "../core/mod.ts";
import { toolsOf } from "./tools.ts";

export interface ExplainerWiring {
  readonly llm: Llm | undefined;
  /** Where the day's spending is counted, for all SRE processes. */
  readonly kv: KV;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redact: Redactor["redact"];
}

export interface WiredExplainer {
  readonly explainer: Explains;
  stop(): Promise<void>;
}

/** Without a model it explains in the statistics' words. Throws as {@link toolsOf}. */
export async function explainerOf(
  config: Config,
  { llm, kv, clock, log, redact }: ExplainerWiring,
): Promise<WiredExplainer> {
  const { budget, price, dig, prompt_tokens_max, tokens_max } = config.llm;
  const tools = llm && dig ? await toolsOf(config, redact, { log, clock }) : undefined;
  const prices = price && {
    promptPerMillion: price.prompt_per_million,
    completionPerMillion: price.completion_per_million,
  };
  const limits = {
    calls: budget.calls_per_day,
    tokens: budget.tokens_per_day,
    usd: budget.usd_per_day,
  };
  const explainer = new Explainer({
    budget: {
      calls: budget.calls,
      toolCalls: budget.tool_calls,
      tokens: budget.tokens,
      timeMs: budget.time,
      usd: budget.usd,
    },
    day: new DayLedger({ kv, limits, clock, log, ...(prices ? { prices } : {}) }),
    clock,
    log,
    redact,
    promptTokensMax: prompt_tokens_max,
    answerTokensMax: tokens_max,
    ...(llm ? { llm } : {}),
    ...(tools ? { tools } : {}),
    ...(prices ? { prices } : {}),
  });
  return { explainer, stop: async () => tools?.[Symbol.asyncDispose]() };
}
