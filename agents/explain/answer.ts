/**
 * The shape of a model's answer. Every property is required, as strict structured output demands. Lengths
 * are not part of it: one text that is too long is struck by verify.ts, and the others stay.
 */
import { z } from "zod";
import { STATEMENT_KINDS } from "./record.ts";

const Ids = z.array(z.string()).max(10);
const Cited = z.strictObject({ text: z.string(), evidence: Ids });

export const Answer = z.strictObject({
  /** What happened, in one sentence. */
  headline: Cited,
  /** One of the ranked causes; null: the model cannot tell. */
  rootCause: z
    .strictObject({ service: z.string(), mechanism: z.string(), evidence: Ids })
    .nullable(),
  statements: z
    .array(z.strictObject({ kind: z.enum(STATEMENT_KINDS), text: z.string(), evidence: Ids }))
    .max(10),
  next: z.array(Cited).max(6),
  confidence: z.number().min(0).max(1),
  /** Tools to call before concluding; empty: this is the conclusion. */
  ask: z
    .array(
      z.strictObject({
        tool: z.string(),
        /** An object, as JSON text: the arguments differ from tool to tool. */
        arguments: z.string(),
        why: z.string(),
      }),
    )
    .max(3),
});
export type Answer = z.infer<typeof Answer>;
export type Asked = Answer["ask"][number];
