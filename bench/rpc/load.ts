/**
 * The load both sides of the RPC case get: calls one after another, then many at once. Every answer
 * must be the text that was sent; the texts differ, so that an answer to another call is seen.
 */
import { PetrelError } from "../../core/mod.ts";
import { percentile } from "../figure.ts";
import type { Run } from "../run.ts";

/** Sends a text and resolves with the text that came back. */
export type Echo = (text: string) => Promise<string>;

export interface Load {
  /** Calls before anything is measured. */
  readonly warmUpCalls: number;
  readonly sequentialCalls: number;
  readonly concurrentCalls: number;
  readonly callers: number;
  /** Length of each text, ASCII. */
  readonly textBytes: number;
}

/** p50 and p99 of the sequential calls in ms; requests a second of the concurrent ones. */
export async function runLoad(echo: Echo, load: Load): Promise<Run> {
  const caller = new Caller(echo, load.textBytes);
  await caller.sequential(load.warmUpCalls);
  const latenciesMs = await caller.sequential(load.sequentialCalls);
  const startMs = performance.now();
  await caller.concurrent(load.concurrentCalls, load.callers);
  const seconds = (performance.now() - startMs) / 1_000;
  return {
    work: { answered: caller.answered, echoedBytes: caller.echoedBytes },
    cost: {
      p50: percentile(latenciesMs, 0.5),
      p99: percentile(latenciesMs, 0.99),
      throughput: load.concurrentCalls / seconds,
    },
  };
}

/** What a run of `load` has to have done. */
export function workOf(load: Load): { answered: number; echoedBytes: number } {
  const answered = load.warmUpCalls + load.sequentialCalls + load.concurrentCalls;
  return { answered, echoedBytes: answered * load.textBytes };
}

class Caller {
  answered = 0;
  echoedBytes = 0;
  readonly #echo: Echo;
  readonly #textBytes: number;
  #sent = 0;

  constructor(echo: Echo, textBytes: number) {
    this.#echo = echo;
    this.#textBytes = textBytes;
  }

  /** Each call's time in ms. */
  async sequential(calls: number): Promise<number[]> {
    const latenciesMs: number[] = [];
    for (let call = 0; call < calls; call++) {
      const startMs = performance.now();
      await this.#call();
      latenciesMs.push(performance.now() - startMs);
    }
    return latenciesMs;
  }

  async concurrent(calls: number, callers: number): Promise<void> {
    let left = calls;
    const work = async () => {
      while (left-- > 0) await this.#call();
    };
    await Promise.all(Array.from({ length: callers }, work));
  }

  async #call(): Promise<void> {
    const text = `${this.#sent++} `.padEnd(this.#textBytes, "x");
    const echoed = await this.#echo(text);
    if (echoed !== text) {
      throw new PetrelError(
        "PROTOCOL_VIOLATION",
        `call ${text.slice(0, 20)}: another text came back`,
      );
    }
    this.answered++;
    this.echoedBytes += echoed.length;
  }
}
