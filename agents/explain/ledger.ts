/**
 * What a day (UTC) may cost, over all SRE processes: one record in KV, changed by compare-and-set. The most
 * a call may cost is reserved before it is made and settled after. A process that dies between the two
 * leaves its reservation: a day may count too much, never too little. A store that is away, or a record
 * that cannot be read, refuses: nothing is spent that nobody counts.
 */
import type { KV } from "@nats-io/kv";
import { z } from "zod";
import { type Clock, type Logger, messageOf, PetrelError, unlessAborted } from "../../core/mod.ts";
import { isWrongSequence } from "../replies.ts";
import { type Prices, type TokenUse, usdOf } from "./budget.ts";

/** Of one day, over all processes. */
export interface DayLimits {
  readonly calls: number;
  readonly tokens: number;
  readonly usd: number;
}

export type Reservation =
  | { readonly isGranted: true; settle(used: TokenUse): Promise<void> }
  /** `why` ends a sentence: `the day's 200 calls are used up`. */
  | { readonly isGranted: false; readonly why: string };

export interface DayBudget {
  /** Takes the most a call may cost out of the day. Rejects only when `signal` aborts. */
  reserve(most: TokenUse, signal: AbortSignal): Promise<Reservation>;
}

/** Key `spend.<yyyy-mm-dd>`. */
export const Spend = z.strictObject({
  calls: z.number().int().min(0),
  tokens: z.number().int().min(0),
  usd: z.number().min(0),
});
export type Spend = z.infer<typeof Spend>;

export interface DayLedgerOptions {
  readonly kv: Pick<KV, "get" | "create" | "update">;
  readonly limits: DayLimits;
  readonly prices?: Prices;
  readonly clock: Clock;
  readonly log: Logger;
}

const NOTHING: Spend = { calls: 0, tokens: 0, usd: 0 };
/** Each round one of those who compete gets through. */
const ROUNDS_MAX = 200;
const PAUSE_MS_MAX = 20;
const STORE_MS_MAX = 5_000;

export class DayLedger implements DayBudget {
  readonly #options: DayLedgerOptions;

  constructor(options: DayLedgerOptions) {
    this.#options = options;
  }

  async reserve(most: TokenUse, signal: AbortSignal): Promise<Reservation> {
    const { clock, limits, log, prices } = this.#options;
    const key = `spend.${new Date(clock.nowMs()).toISOString().slice(0, 10)}`;
    const wanted = { calls: 1, tokens: sum(most), usd: usdOf(most, prices) };
    let lacking: string | undefined;
    try {
      await this.#change(key, signal, (spend) => {
        const after = add(spend, wanted);
        lacking = lackOf(after, limits);
        return lacking === undefined ? after : undefined;
      });
    } catch (error) {
      signal.throwIfAborted();
      log.warn("llm.ledger_away", { error });
      return { isGranted: false, why: "what the day has cost cannot be read or written" };
    }
    if (lacking !== undefined) return { isGranted: false, why: `the day's ${lacking} are used up` };
    return { isGranted: true, settle: (used) => this.#settle(key, wanted, used) };
  }

  /** What a day has cost so far, reservations included. Throws when the store is away. */
  async spent(day: string): Promise<Spend> {
    const entry = await this.#options.kv.get(`spend.${day}`);
    return entry?.operation === "PUT" ? Spend.parse(JSON.parse(entry.string())) : NOTHING;
  }

  /** Replaces the reservation by what was used. What fails leaves the reservation. */
  async #settle(key: string, reserved: Spend, used: TokenUse): Promise<void> {
    const { log, prices } = this.#options;
    const change = {
      calls: 0,
      tokens: sum(used) - reserved.tokens,
      usd: usdOf(used, prices) - reserved.usd,
    };
    await this.#change(key, undefined, (spend) => add(spend, change)).catch((error: unknown) => {
      log.warn("llm.not_settled", { error: messageOf(error) });
    });
  }

  /** Changes a day's record as `next` says, or not at all if it says nothing. Throws when it cannot. */
  async #change(
    key: string,
    stop: AbortSignal | undefined,
    next: (spend: Spend) => Spend | undefined,
  ): Promise<void> {
    const { kv, clock } = this.#options;
    const late = AbortSignal.timeout(STORE_MS_MAX);
    const signal = stop ? AbortSignal.any([stop, late]) : late;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const entry = await unlessAborted(kv.get(key), signal);
      const isThere = entry?.operation === "PUT";
      const after = next(isThere ? Spend.parse(JSON.parse(entry.string())) : NOTHING);
      if (after === undefined) return;
      const text = JSON.stringify(after);
      try {
        await unlessAborted(
          isThere ? kv.update(key, text, entry.revision) : kv.create(key, text),
          signal,
        );
        return;
      } catch (error) {
        if (!isWrongSequence(error)) throw error;
      }
      await clock.sleep(Math.random() * PAUSE_MS_MAX, signal);
    }
    throw new PetrelError("CONFLICT", "the day's budget is changed by too many at once");
  }
}

function sum({ prompt, completion }: TokenUse): number {
  return Math.ceil(prompt + completion);
}

/** Never below nothing: a day ends with what was used, whoever reserved too little. */
function add(spend: Spend, change: Spend): Spend {
  return {
    calls: Math.max(0, spend.calls + change.calls),
    tokens: Math.max(0, spend.tokens + change.tokens),
    usd: Math.max(0, spend.usd + change.usd),
  };
}

function lackOf(after: Spend, limits: DayLimits): string | undefined {
  if (after.calls > limits.calls) return `${limits.calls} calls`;
  if (after.tokens > limits.tokens) return `${limits.tokens} tokens`;
  if (after.usd > limits.usd) return `${limits.usd} USD`;
  return undefined;
}
