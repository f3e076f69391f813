/**
 * The configuration of the language model that explains incidents: whether it is asked, how much it is
 * told, and what it may cost. Which model it is, the environment says (docs/llm.md).
 */
import { z } from "zod";
import { Duration } from "./config-types.ts";

const Count = z.number().int();

/** Whatever is reached first ends the asking; what is known by then is told. */
const LlmBudget = z.strictObject({
  /** Of one investigation. */
  calls: Count.min(1).max(20).default(4),
  tool_calls: Count.min(0).max(50).default(6),
  /** Prompt and completion of all its calls. */
  tokens: Count.min(1_000).max(1_000_000).default(20_000),
  time: Duration.default(90_000),
  usd: z.number().min(0).max(1_000).default(0.1),
  /** Of a day (UTC), over all SRE processes. */
  calls_per_day: Count.min(0).max(1_000_000).default(200),
  tokens_per_day: Count.min(0).max(10_000_000_000).default(2_000_000),
  usd_per_day: z.number().min(0).max(1_000_000).default(10),
});

const LlmPrice = z.strictObject({
  /** USD for a million tokens. */
  prompt_per_million: z.number().min(0).max(100_000),
  completion_per_million: z.number().min(0).max(100_000),
});

export const Llm = z.strictObject({
  enabled: z.boolean().default(true),
  timeout: Duration.default(60_000),
  /** Tokens an answer may have. */
  tokens_max: Count.min(100).max(8_000).default(1_500),
  /** Tokens the first question may have: instructions, digest and schema together. */
  prompt_tokens_max: Count.min(2_500).max(100_000).default(4_000),
  /** Whether it may ask for more through tools before it concludes. */
  dig: z.boolean().default(true),
  budget: LlmBudget.prefault({}),
  price: LlmPrice.optional(),
});
