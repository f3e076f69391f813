/**
 * Turns a verdict into words. Without a model, or where nothing is wrong, they are the statistics'. With
 * one, it is told a bounded digest, may dig, and each of its statements is held against the evidence; what
 * fails is struck and kept for the record. The title is the statistics' whatever a model says.
 */
import type { SeenBefore, ToolUse } from "../../alarms/mod.ts";
import { type Clock, type Logger, messageOf } from "../../core/mod.ts";
import type { Verdict } from "../sre/records.ts";
import { type InvestigationLimits, type Prices, Purse } from "./budget.ts";
import { converse, type Heard } from "./conversation.ts";
import { Digger } from "./dig.ts";
import { groundOf, type ToolResult } from "./facts.ts";
import type { DayBudget } from "./ledger.ts";
import { plainWords } from "./plain.ts";
import type { Llm, Tools } from "./ports.ts";
import type { Explanation, Statement } from "./record.ts";
import { oneLine } from "./text.ts";
import { loadTokenCounter } from "./tokens.ts";
import { type Verified, verify } from "./verify.ts";

export interface ExplainerOptions {
  readonly llm?: Llm;
  /** What a model may ask for. Without, it explains from the digest alone. */
  readonly tools?: Tools;
  readonly budget: InvestigationLimits;
  /** The day's, over all processes. */
  readonly day: DayBudget;
  readonly prices?: Prices;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redact: (text: string) => string;
  /** Of the first question: instructions, digest and schema. */
  readonly promptTokensMax: number;
  readonly answerTokensMax: number;
  /** Longest call of a tool. Default 20 s. */
  readonly toolTimeoutMs?: number;
}

export interface ExplainContext {
  readonly seenBefore: readonly SeenBefore[];
  /** Hears of every tool that was called, as it was. */
  readonly onToolUse?: (use: ToolUse) => void;
}

const TOOL_TIMEOUT_MS = 20_000;
const TEXT_CHARS_MAX = 4_000;

export class Explainer {
  readonly #options: ExplainerOptions;

  constructor(options: ExplainerOptions) {
    this.#options = options;
  }

  /** Asks nobody about a verdict that is not an incident. Rejects only when `signal` aborts. */
  async explain(
    verdict: Verdict,
    context: ExplainContext,
    signal: AbortSignal,
  ): Promise<Explanation> {
    const plain = plainWords(verdict);
    const { llm, log } = this.#options;
    if (!llm || verdict.outcome !== "incident") return plain;
    try {
      return await this.#asked(llm, verdict, context, plain, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.error("explain.failed", { windowId: verdict.id, error: messageOf(error) });
      return { ...plain, remarks: ["The model could not be asked."] };
    }
  }

  async #asked(
    llm: Llm,
    verdict: Verdict,
    { seenBefore, onToolUse = () => {} }: ExplainContext,
    plain: Explanation,
    signal: AbortSignal,
  ): Promise<Explanation> {
    const options = this.#options;
    const count = await loadTokenCounter();
    const purse = new Purse(options.budget, options.prices, options.clock);
    const digger = this.#digger(purse, onToolUse);
    const heard = await converse({
      llm,
      verdict,
      seenBefore,
      options,
      purse,
      digger,
      count,
      signal,
    });
    const words = this.#words(verdict, heard, digger?.results ?? [], plain);
    return { ...words, tools: (digger?.uses ?? []).slice(0, 50), cost: purse.cost };
  }

  #digger(purse: Purse, onToolUse: (use: ToolUse) => void): Digger | undefined {
    const { tools, clock, redact, toolTimeoutMs = TOOL_TIMEOUT_MS } = this.#options;
    return tools && new Digger({ tools, clock, redact, toolTimeoutMs, onToolUse }, purse);
  }

  #words(
    verdict: Verdict,
    { answer, model, remarks }: Heard,
    results: readonly ToolResult[],
    plain: Explanation,
  ): Explanation {
    const { redact, log } = this.#options;
    if (!answer) return { ...plain, remarks: remarks.slice(0, 10) };
    const verified = verify(answer, groundOf(verdict, results), redact);
    const struck = [...verified.struck];
    if (struck.length > 0) {
      log.warn("llm.struck", { windowId: verdict.id, model, struck: struck.length });
    }
    if (!verified.stands) {
      const told = [
        ...remarks,
        "Nothing the model said of what happened held against the evidence.",
      ];
      return { ...plain, struck, remarks: told.slice(0, 10) };
    }
    const { kept, text } = joined(verified.statements);
    return {
      ...plain,
      by: oneLine(redact(model), 200) || "model",
      text,
      next: verified.next.length > 0 ? verified.next.slice(0, 10) : plain.next,
      statements: kept,
      struck,
      remarks: [...differing(verdict, verified), ...remarks].slice(0, 10),
      // Never surer than the statistics, whatever the model thinks of itself.
      confidence: Math.min(answer.confidence, verified.cause?.confidence ?? 1, verdict.confidence),
    };
  }
}

/** What fits into the text, each sentence with what it cites. */
function joined(statements: readonly Statement[]): { kept: Statement[]; text: string } {
  const kept: Statement[] = [];
  let text = "";
  for (const statement of statements) {
    const marks = statement.evidence.map((id) => `[${id}]`).join("");
    const sentence = `${statement.text.replace(/[.\s]+$/, "")} ${marks}.`;
    if (text.length + 1 + sentence.length > TEXT_CHARS_MAX) continue;
    kept.push(statement);
    text = text === "" ? sentence : `${text} ${sentence}`;
  }
  return { kept, text };
}

/** Names are the verdict's, not the model's spelling of them. */
function differing(verdict: Verdict, { cause }: Verified): string[] {
  const [first] = verdict.causes;
  if (!cause || !first || cause === first) return [];
  const [model, ours] = [cause, first].map((one) => `${one.service} (${one.mechanism})`);
  return [`The model names ${model}; the statistics name ${ours}.`.slice(0, 500)];
}
