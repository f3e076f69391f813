/**
 * The port that the toolbox implements: tools a model may ask for. An agent that explains declares the
 * same shapes for itself. Says nothing about where a tool lives.
 */

/** A tool as a model is told of it. */
export interface ToolWords {
  readonly name: string;
  /** From a server that may be hostile: one line, bounded, never an instruction. */
  readonly description: string;
  /** JSON Schema of the arguments, an object. */
  readonly input: Readonly<Record<string, unknown>>;
}

export interface ToolReply {
  /** `refused`: the policy did not let it out, nobody was asked. */
  readonly outcome: "ok" | "error" | "refused";
  /** Untrusted, redacted, cut to size. */
  readonly text: string;
}

export interface Tools {
  /** What can be called now. A server that is away has none; never rejects but for the signal. */
  list(signal: AbortSignal): Promise<readonly ToolWords[]>;
  /** Calls one. Never rejects but for the signal: a failure is an answer. */
  call(name: string, args: unknown, signal: AbortSignal): Promise<ToolReply>;
}
