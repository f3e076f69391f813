/**
 * What a system offers to models: one typed definition per tool, independent of any MCP SDK.
 * Holds no state and talks to nothing.
 */
import type { z } from "zod";

/** What was left out of a result that reached a bound. */
export interface Omission {
  /** What is missing, in the plural: `rows`, `series`, `dashboards`. */
  readonly what: string;
  /** How many are missing; undefined when the rest was not read. */
  readonly count?: number;
  /** The bound that was reached, by the name the caller can change: `rowsMax 100`. */
  readonly bound: string;
}

export interface ToolResult<Output> {
  /** Must satisfy the definition's `output` schema; checked before it is sent. */
  readonly output: Output;
  /** Set when the result was cut at a bound. */
  readonly omitted?: Omission;
  /** One or two sentences a model reads before the data. */
  readonly text?: string;
}

/** One tool. The server adds `truncated` and `omitted` to the output; do not define them. */
export interface ToolDefinition<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodObject = z.ZodObject,
> {
  /** snake_case, unique in a server: `query_splunk`. */
  readonly name: string;
  readonly title: string;
  /** When to use it, what it answers, in which units; for a model. */
  readonly description: string;
  /** Best a `z.strictObject`, so that a misspelt argument is an error and not ignored. */
  readonly input: Input;
  readonly output: Output;
  /** False for a tool that changes something; it is registered only where writes are enabled. */
  readonly readOnly: boolean;
  /** Gets what `input` parsed. Rejects with a PetrelError; stops when `signal` aborts. */
  run(input: z.output<Input>, signal: AbortSignal): Promise<ToolResult<z.input<Output>>>;
}

/** Types a definition by its own schemas, as an element of a list of tools. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): ToolDefinition {
  return definition;
}
