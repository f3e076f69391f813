/** What explaining needs of the world. cli/ passes in what mcp/ provides. */
import type { z } from "zod";
import type { SeenBefore, ToolUse } from "../../alarms/mod.ts";
import type { Verdict } from "../sre/records.ts";
import type { Explanation } from "./record.ts";

/** A language model that answers in a schema. Rejects with a PetrelError. */
export interface Llm {
  readonly name: string;
  explain<T>(
    request: { system: string; prompt: string; schema: z.ZodType<T>; maxTokens?: number },
    signal: AbortSignal,
  ): Promise<{ value: T; tokens: { prompt: number; completion: number }; model: string }>;
}

/** A tool as a model is told of it. */
export interface ToolWords {
  readonly name: string;
  /** For a model; from a server that may be hostile, so bounded and one line. */
  readonly description: string;
  /** JSON Schema of the arguments, an object. */
  readonly input: Readonly<Record<string, unknown>>;
}

export interface ToolAnswer {
  /** `refused`: the policy did not let it out, nobody was asked. */
  readonly outcome: "ok" | "error" | "refused";
  /** Untrusted, redacted, cut to size. */
  readonly text: string;
}

/** The tools a model may ask for: read-only, allow-listed, their queries checked before they are sent. */
export interface Tools {
  /** What can be called now. A server that is away has none; never rejects but for the signal. */
  list(signal: AbortSignal): Promise<readonly ToolWords[]>;
  /** Calls one. Never rejects but for the signal: a failure is an answer. */
  call(name: string, args: unknown, signal: AbortSignal): Promise<ToolAnswer>;
}

/** Turns a verdict into words. Rejects only when the signal aborts: the plain words always stand. */
export interface Explains {
  explain(
    verdict: Verdict,
    context: {
      readonly seenBefore: readonly SeenBefore[];
      /** Hears of every tool that was called, as it was. */
      readonly onToolUse?: (use: ToolUse) => void;
    },
    signal: AbortSignal,
  ): Promise<Explanation>;
}
