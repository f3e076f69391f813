/** Explaining a verdict: from the statistics, or from a model whose every word is checked. */
export type { InvestigationLimits, Prices } from "./budget.ts";
export { type ExplainContext, Explainer, type ExplainerOptions } from "./explainer.ts";
export { type DayBudget, DayLedger, type DayLedgerOptions, type DayLimits } from "./ledger.ts";
export { plainWords } from "./plain.ts";
export type { Llm, ToolAnswer, Tools, ToolWords } from "./ports.ts";
export { type QuestionOptions, questionOf } from "./prompt.ts";
export { Explanation } from "./record.ts";
export { loadTokenCounter } from "./tokens.ts";
