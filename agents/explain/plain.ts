/** The words of the statistics: the same verdict gives the same text, and no model is asked. */
import { explainVerdict } from "../../streams/mod.ts";
import type { Verdict } from "../sre/records.ts";
import type { Explains } from "./ports.ts";
import { Explanation } from "./record.ts";

/** What is said without a model, and when a model's words do not hold. */
export function plainWords(verdict: Verdict): Explanation {
  const { title, text, next } = explainVerdict(verdict);
  return Explanation.parse({
    by: "statistics",
    title: title.slice(0, 300),
    text: text.slice(0, 4_000),
    next: next.slice(0, 10).map((step) => step.slice(0, 500)),
  });
}

/** Explains without a model. */
export const PlainWords: Explains = {
  explain: async (verdict) => plainWords(verdict),
};
