/**
 * Calls the tools a model asks for: those that are listed, one after the other, each with a deadline and
 * for no longer than the budget lasts. Every call that was asked for is told of, also those that were
 * not made. What comes back is data: redacted, cut, and cited as t1, t2, …
 */

import { ToolUse } from "../../alarms/mod.ts";
import { asPetrelError, type Clock, unlessAborted } from "../../core/mod.ts";
import type { Asked } from "./answer.ts";
import type { Purse } from "./budget.ts";
import { deadline } from "./deadline.ts";
import type { ToolResult } from "./facts.ts";
import type { ToolAnswer, Tools, ToolWords } from "./ports.ts";
import { oneLine } from "./text.ts";

export interface DiggerOptions {
  readonly tools: Tools;
  readonly clock: Clock;
  readonly redact: (text: string) => string;
  /** Longest call. */
  readonly toolTimeoutMs: number;
  readonly onToolUse: (use: ToolUse) => void;
}

const ARGUMENTS_CHARS_MAX = 4_000;
const RESULT_CHARS_MAX = 4_000;
const READ_CHARS_MAX = 64_000;
const LIST_MS_MAX = 5_000;

/** The tools of one investigation, and what they brought. */
export class Digger {
  readonly #options: DiggerOptions;
  readonly #purse: Purse;
  readonly results: ToolResult[] = [];
  readonly uses: ToolUse[] = [];

  constructor(options: DiggerOptions, purse: Purse) {
    this.#options = options;
    this.#purse = purse;
  }

  /** What can be called now. A list that fails or is late is an empty one. Rejects when `signal` aborts. */
  async list(signal: AbortSignal): Promise<readonly ToolWords[]> {
    const late = deadline(LIST_MS_MAX);
    const within = AbortSignal.any([signal, late.signal]);
    try {
      return await unlessAborted(this.#options.tools.list(within), within);
    } catch {
      signal.throwIfAborted();
      return [];
    } finally {
      late.stop();
    }
  }

  /** Calls what is asked for; true when anything came back. Rejects only when `signal` aborts. */
  async dig(
    asked: readonly Asked[],
    listed: readonly ToolWords[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const before = this.results.length;
    for (const one of asked) {
      if (this.#purse.toolCallsLeft < 1 || this.#purse.leftMs <= 0) {
        this.#told(one, { outcome: "refused", text: "The budget is used up." }, 0);
        continue;
      }
      const startedMs = this.#options.clock.nowMs();
      const answer = await this.#answerTo(one, listed, signal);
      this.#told(one, answer, Math.max(0, this.#options.clock.nowMs() - startedMs));
    }
    return this.results.length > before;
  }

  async #answerTo(
    { tool, arguments: text }: Asked,
    listed: readonly ToolWords[],
    signal: AbortSignal,
  ): Promise<ToolAnswer> {
    const known = listed.find(({ name }) => name === tool);
    if (!known) return { outcome: "refused", text: "There is no such tool in the list." };
    const args = argumentsOf(text);
    if (args === undefined) return { outcome: "error", text: "The arguments are no JSON object." };
    this.#purse.spendToolCall();
    return this.#call(known.name, args, signal);
  }

  async #call(name: string, args: object, signal: AbortSignal): Promise<ToolAnswer> {
    const { tools, toolTimeoutMs } = this.#options;
    const late = deadline(Math.min(toolTimeoutMs, this.#purse.leftMs));
    const within = AbortSignal.any([signal, late.signal]);
    try {
      return await unlessAborted(tools.call(name, args, within), within);
    } catch (error) {
      signal.throwIfAborted();
      const { code } = asPetrelError(error, "INTERNAL", name);
      const text = late.signal.aborted ? "No answer in time." : `It failed: ${code}.`;
      return { outcome: "error", text };
    } finally {
      late.stop();
    }
  }

  /** Writes a call down; a result gets the id it is cited by. */
  #told({ tool, arguments: args }: Asked, { outcome, text }: ToolAnswer, tookMs: number): void {
    const { redact, onToolUse } = this.#options;
    const clean = (raw: string, charsMax: number) =>
      oneLine(redact(raw.slice(0, READ_CHARS_MAX)), charsMax);
    const use = ToolUse.parse({
      tool: clean(tool, 200),
      arguments: clean(args, 1_000),
      outcome,
      note: clean(text, 500),
      tookMs,
    });
    this.uses.push(use);
    if (outcome === "ok") {
      const id = `t${this.results.length + 1}`;
      this.results.push({ id, tool: use.tool, text: clean(text, RESULT_CHARS_MAX) });
    }
    onToolUse(use);
  }
}

function argumentsOf(text: string): object | undefined {
  if (text.length > ARGUMENTS_CHARS_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(text.trim() === "" ? "{}" : text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
