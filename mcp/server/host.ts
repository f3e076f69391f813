/**
 * Runs tools for whoever asks: checks what goes in and what comes out, bounds how many run, how long
 * and how much they answer. Knows nothing of transports.
 */
import { z } from "zod";
import {
  type ErrorCode,
  type Logger,
  messageOf,
  PetrelError,
  silentLogger,
} from "../../core/mod.ts";
import type { Omission, ToolDefinition } from "./tool.ts";

export interface ToolHostOptions {
  /** Register tools that change something; default false. */
  readonly writes?: boolean;
  /** Longest answer of one call as JSON; default 256 KiB. */
  readonly resultBytesMax?: number;
  /** Longest run of one call; default 120 s. */
  readonly callTimeoutMs?: number;
  /** Calls running at once; default 16. One more is refused, not queued. */
  readonly callsRunningMax?: number;
  readonly logger?: Logger;
}

/** A tool as MCP lists it. */
export interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonObjectSchema;
  readonly outputSchema: JsonObjectSchema;
  readonly annotations: { readonly readOnlyHint: boolean; readonly destructiveHint: boolean };
}

export interface JsonObjectSchema {
  [key: string]: unknown;
  type: "object";
}

/** The answer to one call, in MCP's shape. */
export interface ToolAnswer {
  [key: string]: unknown;
  content: { type: "text"; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
}

export interface ToolHost {
  readonly list: readonly ListedTool[];
  /** Never rejects: a failure is an answer with `isError` and a text that says what to change. */
  call(name: string, input: unknown, signal: AbortSignal): Promise<ToolAnswer>;
}

const RESULT_BYTES_MAX = 256 * 1024;
const CALL_TIMEOUT_MS = 120_000;
const CALLS_RUNNING_MAX = 16;

/** What every output carries besides the tool's own fields. */
const Cut = {
  truncated: z.boolean().describe("True when the result was cut at a bound."),
  omitted: z
    .strictObject({
      what: z.string(),
      count: z.number().int().min(0).optional(),
      bound: z.string(),
    })
    .optional()
    .describe("What was left out, how many if known, and the bound that was reached."),
};

const ADVICE: Partial<Record<ErrorCode, string>> = {
  USAGE: "Correct the named arguments and call again.",
  QUERY_REFUSED: "Change the query as the message says; the same call will fail again.",
  TOO_LARGE: "Ask for less: a shorter window, fewer rows, or a narrower filter.",
  DEADLINE_EXCEEDED: "Ask for less (a shorter window or a narrower filter), or try again later.",
  OVERLOADED: "The call is fine; wait, then try it once more.",
  UNAVAILABLE:
    "The call is fine; the system is not reachable now. Report that it could not be read.",
  INCOMPLETE: "The answer broke off and was discarded; try the call once more.",
  UNAUTHENTICATED: "Do not try again: an operator has to correct the credentials or the rights.",
  CANCELLED: "The call was cancelled.",
};

function failure(error: PetrelError): ToolAnswer {
  const advice = ADVICE[error.code] ?? "Do not try again; report the error.";
  return {
    isError: true,
    content: [{ type: "text", text: `${error.code}: ${error.message}\n${advice}` }],
  };
}

function issuesText(error: z.ZodError): string {
  const lines = error.issues.slice(0, 10).map(({ path, message }) => {
    return `${path.map(String).join(".") || "arguments"}: ${message}`;
  });
  return lines.join("; ");
}

function objectSchema(schema: z.ZodObject, io: "input" | "output"): JsonObjectSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io });
  return { ...json, type: "object" };
}

function omissionText({ what, count, bound }: Omission): string {
  const missing = count === undefined ? `more ${what} exist` : `${count} ${what} were left out`;
  return `TRUNCATED at ${bound}: ${missing}. Narrow the query to see the rest.`;
}

/** Settles with `work`, or rejects as soon as the caller or the deadline says stop. */
async function untilStopped<T>(
  work: Promise<T>,
  caller: AbortSignal,
  deadline: AbortSignal,
): Promise<T> {
  const either = AbortSignal.any([caller, deadline]);
  const { promise: stop, reject } = Promise.withResolvers<never>();
  const onStop = () => reject(either.reason);
  either.addEventListener("abort", onStop, { once: true });
  if (either.aborted) onStop();
  try {
    return await Promise.race([work, stop]);
  } catch (error) {
    // Whatever a stopped tool throws, the reason is that it was stopped.
    if (caller.aborted) throw new PetrelError("CANCELLED", "the call was cancelled", {}, error);
    if (!deadline.aborted) throw error;
    throw new PetrelError("DEADLINE_EXCEEDED", "the call took too long", {}, error);
  } finally {
    either.removeEventListener("abort", onStop);
    work.catch(() => undefined); // it lost the race; its failure has been answered
  }
}

function listed(tool: ToolDefinition): ListedTool {
  return {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: objectSchema(tool.input, "input"),
    outputSchema: objectSchema(tool.output.extend(Cut), "output"),
    annotations: { readOnlyHint: tool.readOnly, destructiveHint: false },
  };
}

async function runTool(
  tool: ToolDefinition,
  input: unknown,
  signal: AbortSignal,
  options: ToolHostOptions,
): Promise<ToolAnswer> {
  const parsed = tool.input.safeParse(input ?? {});
  if (!parsed.success) {
    throw new PetrelError("USAGE", `arguments of ${tool.name}: ${issuesText(parsed.error)}`);
  }
  const deadline = AbortSignal.timeout(options.callTimeoutMs ?? CALL_TIMEOUT_MS);
  const work = tool.run(parsed.data, AbortSignal.any([signal, deadline]));
  const result = await untilStopped(work, signal, deadline);
  const checked = tool.output.extend(Cut).safeParse({
    ...result.output,
    truncated: result.omitted !== undefined,
    ...(result.omitted === undefined ? {} : { omitted: result.omitted }),
  });
  if (!checked.success) {
    throw new PetrelError("INTERNAL", `${tool.name} answered what it does not declare`, {
      place: issuesText(checked.error),
    });
  }
  const json = JSON.stringify(checked.data);
  const limit = options.resultBytesMax ?? RESULT_BYTES_MAX;
  if (Buffer.byteLength(json) > limit) {
    throw new PetrelError("TOO_LARGE", `the answer is longer than ${limit} bytes`, { limit });
  }
  const notes = [result.text, result.omitted && omissionText(result.omitted)];
  const text = [...notes.filter((note) => note !== undefined), json].join("\n");
  return { content: [{ type: "text", text }], structuredContent: checked.data };
}

/**
 * Makes a host for `tools`. Throws CONFIG_INVALID when two have one name or a name is malformed.
 * One host serves any number of connections; its bounds hold across them.
 */
export function makeToolHost(
  tools: readonly ToolDefinition[],
  options: ToolHostOptions = {},
): ToolHost {
  const logger = options.logger ?? silentLogger;
  const byName = new Map<string, ToolDefinition>();
  for (const tool of tools) {
    if (!/^[a-z][a-z0-9_]{0,63}$/.test(tool.name) || byName.has(tool.name)) {
      const text = `tool "${tool.name}": the name must be unique and in snake_case`;
      throw new PetrelError("CONFIG_INVALID", text, { path: "tools" });
    }
    if (tool.readOnly || options.writes === true) byName.set(tool.name, tool);
  }
  let running = 0;
  const call: ToolHost["call"] = async (name, input, signal) => {
    try {
      const tool = byName.get(name);
      if (tool === undefined) throw new PetrelError("USAGE", `no tool "${name.slice(0, 100)}"`);
      if (running >= (options.callsRunningMax ?? CALLS_RUNNING_MAX)) {
        throw new PetrelError("OVERLOADED", "too many calls are running here");
      }
      running++;
      try {
        return await runTool(tool, input, signal, options);
      } finally {
        running--;
      }
    } catch (error) {
      if (error instanceof PetrelError) return failure(error);
      logger.error("mcp.tool_defect", { tool: name.slice(0, 100), error: messageOf(error) });
      return failure(new PetrelError("INTERNAL", "a defect of the tool server"));
    }
  };
  return { list: [...byName.values()].map(listed), call };
}
