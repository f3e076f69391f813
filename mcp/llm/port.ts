/**
 * The port to a language model: one question, one answer of a known shape.
 * Says nothing about who answers; an agent depends on this and never on a provider.
 */
import type { z } from "zod";

export interface LlmRequest<T> {
  /** Who the model is and what it must do. Written by us, never from logs. */
  readonly system: string;
  /** The material, with what comes from logs quoted as data. */
  readonly prompt: string;
  /**
   * The shape of the answer: an object whose every property is required (`.nullable()`, never
   * `.optional()`), as strict structured output demands.
   */
  readonly schema: z.ZodType<T>;
  /** Upper bound on the answer's tokens. */
  readonly maxTokens?: number;
}

export interface LlmAnswer<T> {
  readonly value: T;
  /** As the provider counted them; 0 where it does not say. */
  readonly tokens: { readonly prompt: number; readonly completion: number };
  /** The model that answered, in the provider's words. */
  readonly model: string;
}

export interface Llm {
  /** `openai:gpt-4.1`, `azure:<deployment>`. */
  readonly name: string;
  /**
   * Asks once; never tries again by itself. Rejects with UNAUTHENTICATED, OVERLOADED, UNAVAILABLE,
   * DEADLINE_EXCEEDED, CANCELLED, INCOMPLETE (the connection was cut), QUERY_REFUSED (the model or a
   * content filter refused, or the endpoint refused the request; `fields.message`), TOO_LARGE (the
   * prompt is longer than the model reads, or the answer reached `maxTokens`), or PROTOCOL_VIOLATION
   * (the answer is not of the shape; `fields.place` is the path of the first wrong value).
   */
  explain<T>(request: LlmRequest<T>, signal: AbortSignal): Promise<LlmAnswer<T>>;
}
