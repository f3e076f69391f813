/** What people read about a verdict: from the statistics alone, or from a model whose every word was checked. */
import { z } from "zod";
import { Cost, ToolUse } from "../../alarms/mod.ts";

/** What a statement is about, in the order it is told. */
export const STATEMENT_KINDS = ["what", "cause", "chain", "blast", "against"] as const;
export type StatementKind = (typeof STATEMENT_KINDS)[number];

/** A statement that held: every id it cites exists, and says so. */
export const Statement = z.strictObject({
  kind: z.enum(STATEMENT_KINDS),
  text: z.string().min(1).max(600),
  evidence: z.array(z.string().max(20)).min(1).max(10),
});
export type Statement = z.infer<typeof Statement>;

/** A statement that did not hold; kept for the incident's record, never told as true. */
export const Struck = z.strictObject({ text: z.string().max(600), why: z.string().max(300) });
export type Struck = z.infer<typeof Struck>;

/** Key `x.<investigation>`: created once, so that no verdict is explained, or paid for, twice. */
export const Explanation = z.strictObject({
  /** `statistics`, or the model's name. */
  by: z.string().max(200),
  title: z.string().max(300),
  /** The statements as one text, or the plain words. Evidence is cited as `[e1]`. */
  text: z.string().max(4_000),
  next: z.array(z.string().max(500)).max(10),
  /** Empty where the words are the statistics'. */
  statements: z.array(Statement).max(20).default([]),
  struck: z.array(Struck).max(20).default([]),
  /** What a reader has to know: out of budget, the model was away, or it names another cause. */
  remarks: z.array(z.string().max(500)).max(10).default([]),
  /** The model's own confidence, in [0, 1]; null where it gave none or the words are the statistics'. */
  confidence: z.number().min(0).max(1).nullable().default(null),
  tools: z.array(ToolUse).max(50).default([]),
  cost: Cost.default({
    calls: 0,
    toolCalls: 0,
    promptTokens: 0,
    completionTokens: 0,
    usd: 0,
  }),
});
export type Explanation = z.infer<typeof Explanation>;
