/**
 * What explaining one incident may cost: calls, tool calls, tokens, time, money. Counts, and says what is
 * used up; whoever asks it decides. Never lets a call begin that it could not pay if it came out as dear
 * as it may.
 */
import type { Clock } from "../../core/mod.ts";

export interface InvestigationLimits {
  readonly calls: number;
  readonly toolCalls: number;
  /** Prompt and completion, of all calls. */
  readonly tokens: number;
  readonly timeMs: number;
  readonly usd: number;
}

/** USD for a million tokens. */
export interface Prices {
  readonly promptPerMillion: number;
  readonly completionPerMillion: number;
}

export interface TokenUse {
  readonly prompt: number;
  readonly completion: number;
}

/** USD of a call; 0 where no prices are configured. */
export function usdOf({ prompt, completion }: TokenUse, prices: Prices | undefined): number {
  if (!prices) return 0;
  return (prompt * prices.promptPerMillion + completion * prices.completionPerMillion) / 1e6;
}

/** The budget of one investigation, from the moment it is made. */
export class Purse {
  readonly #limits: InvestigationLimits;
  readonly #prices: Prices | undefined;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #calls = 0;
  #toolCalls = 0;
  #prompt = 0;
  #completion = 0;

  constructor(limits: InvestigationLimits, prices: Prices | undefined, clock: Clock) {
    this.#limits = limits;
    this.#prices = prices;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
  }

  get callsLeft(): number {
    return this.#limits.calls - this.#calls;
  }

  get toolCallsLeft(): number {
    return this.#limits.toolCalls - this.#toolCalls;
  }

  get leftMs(): number {
    return this.#startedMs + this.#limits.timeMs - this.#clock.nowMs();
  }

  /** What there is too little of for a call that takes at most so much; undefined: it may be made. */
  lacks(most: TokenUse): string | undefined {
    const { calls, tokens, timeMs, usd } = this.#limits;
    if (this.callsLeft < 1) return `${calls} calls`;
    if (this.#prompt + this.#completion + most.prompt + most.completion > tokens)
      return `${tokens} tokens`;
    if (this.leftMs <= 0) return `${Math.round(timeMs / 1_000)} seconds`;
    if (this.cost.usd + usdOf(most, this.#prices) > usd) return `${usd} USD`;
    return undefined;
  }

  spend(used: TokenUse): void {
    this.#calls += 1;
    this.#prompt += used.prompt;
    this.#completion += used.completion;
  }

  spendToolCall(): void {
    this.#toolCalls += 1;
  }

  get cost() {
    const used = { prompt: this.#prompt, completion: this.#completion };
    return {
      calls: this.#calls,
      toolCalls: this.#toolCalls,
      promptTokens: used.prompt,
      completionTokens: used.completion,
      usd: usdOf(used, this.#prices),
    };
  }
}
