/**
 * A language model behind the {@link Llm} port: asks once, checks the answer against the schema itself,
 * and names every failure. Asks again only where the endpoint says that it does not know JSON Schema:
 * nothing was generated or billed then.
 */
import { z } from "zod";
import { asPetrelError, PetrelError } from "../../core/mod.ts";
import { askOnce, type ResponseFormat } from "./langchain.ts";
import { endpointOf, type LlmEndpoint, type LlmOptions } from "./options.ts";
import type { Llm, LlmAnswer, LlmRequest } from "./port.ts";
import { checkAnswer, type JsonSchema, strictJsonSchema } from "./schema.ts";
import { makeTransport } from "./transport.ts";

const TIMEOUT_MS_DEFAULT = 60_000;
const MAX_TOKENS_DEFAULT = 2_000;
const SYSTEM = "llm";
const FORMAT_NAME = "answer";

/** https://platform.openai.com/docs/api-reference/chat/object, as far as it is used. */
const Completion = z.object({
  model: z.string().default("unknown"),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: z
    .object({
      prompt_tokens: z.number().int().min(0).default(0),
      completion_tokens: z.number().int().min(0).default(0),
    })
    .nullish(),
});
type Completion = z.infer<typeof Completion>;

function refused(message: string): PetrelError {
  const text = message.replace(/\s+/g, " ").slice(0, 500);
  return new PetrelError("QUERY_REFUSED", `llm: the model refused: ${text}`, {
    system: SYSTEM,
    message: text,
  });
}

function tokensReached(maxTokens: number): PetrelError {
  const text = `llm: the answer reached ${maxTokens} tokens before it was complete`;
  return new PetrelError("TOO_LARGE", text, { system: SYSTEM, limit: maxTokens });
}

/** The text of an answer that is whole. Throws QUERY_REFUSED, TOO_LARGE or PROTOCOL_VIOLATION. */
function contentOf(completion: Completion, maxTokens: number): string {
  const choice = completion.choices[0];
  if (choice?.finish_reason === "length") throw tokensReached(maxTokens);
  if (choice?.finish_reason === "content_filter") throw refused("content filter");
  const { content, refusal } = choice?.message ?? {};
  if (refusal) throw refused(refusal);
  if (content) return content;
  throw new PetrelError("PROTOCOL_VIOLATION", "llm: the answer is empty", {
    system: SYSTEM,
    place: "content",
  });
}

/** The SDK reads `finish_reason` and JSON by itself; its errors are known by their names. */
function nameOf(error: unknown, answered: boolean, maxTokens: number): PetrelError {
  if (!answered) return asPetrelError(error, "INTERNAL", "llm: the question was not sent");
  if (error instanceof PetrelError) return error;
  const name = error instanceof Error ? error.constructor.name : "";
  if (name === "LengthFinishReasonError") return tokensReached(maxTokens);
  if (name === "ContentFilterFinishReasonError") return refused("content filter");
  if (error instanceof SyntaxError) {
    const fields = { system: SYSTEM, place: "content" };
    return new PetrelError("PROTOCOL_VIOLATION", "llm: the answer is not JSON", fields, error);
  }
  // An answer in an unknown shape trips the SDK somewhere; its message may quote the answer.
  const fields = { system: SYSTEM, place: "body" };
  const text = "llm: the answer is not as documented";
  return new PetrelError("PROTOCOL_VIOLATION", text, fields, error);
}

/** True when the endpoint refused the request for its JSON Schema format alone. */
function isFormatRefusal(error: unknown): boolean {
  if (!(error instanceof PetrelError) || error.code !== "QUERY_REFUSED") return false;
  const { status, message } = error.fields;
  return (
    (status === 400 || status === 422) && /response_format|json_schema/i.test(String(message ?? ""))
  );
}

function formatOf(schema: JsonSchema, knowsSchema: boolean): ResponseFormat {
  if (!knowsSchema) return { type: "json_object" };
  return { type: "json_schema", json_schema: { name: FORMAT_NAME, strict: true, schema } };
}

/** Without the format, the schema stands in the instructions. */
function systemText(system: string, schema: JsonSchema, knowsSchema: boolean): string {
  if (knowsSchema) return system;
  return `${system}\n\nAnswer with one JSON object and nothing else. JSON Schema:\n${JSON.stringify(schema)}`;
}

interface Settings {
  readonly endpoint: LlmEndpoint;
  readonly timeoutMs: number;
  readonly maxTokens: number;
}

async function ask<T>(
  settings: Settings,
  request: LlmRequest<T>,
  knowsSchema: boolean,
  signal: AbortSignal,
): Promise<LlmAnswer<T>> {
  const schema = strictJsonSchema(request.schema);
  const { endpoint, timeoutMs } = settings;
  const maxTokens = request.maxTokens ?? settings.maxTokens;
  const transport = makeTransport(timeoutMs, signal);
  try {
    const raw = await askOnce({
      endpoint,
      messages: [
        ["system", systemText(request.system, schema, knowsSchema)],
        ["human", request.prompt],
      ],
      format: formatOf(schema, knowsSchema),
      maxTokens,
      timeoutMs,
      transport,
      signal,
    });
    const completion = Completion.parse(raw);
    const value = checkAnswer(contentOf(completion, maxTokens), request.schema, SYSTEM);
    const { prompt_tokens: prompt = 0, completion_tokens = 0 } = completion.usage ?? {};
    return { value, tokens: { prompt, completion: completion_tokens }, model: completion.model };
  } catch (error) {
    if (signal.aborted) {
      throw new PetrelError("CANCELLED", "llm: the call was cancelled", { system: SYSTEM }, error);
    }
    throw transport.failure() ?? nameOf(error, transport.answered(), maxTokens);
  }
}

/**
 * Makes the model the options name; undefined when they name none. Throws CONFIG_INVALID
 * (`fields.path`). Loads no library and sends nothing before the first question.
 */
export function makeLlm(options: LlmOptions): Llm | undefined {
  const endpoint = endpointOf(options);
  if (endpoint === undefined) return undefined;
  const settings: Settings = {
    endpoint,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS_DEFAULT,
    maxTokens: options.maxTokens ?? MAX_TOKENS_DEFAULT,
  };
  let knowsSchema = true;
  return {
    name: endpoint.name,
    explain: async (request, signal) => {
      try {
        return await ask(settings, request, knowsSchema, signal);
      } catch (error) {
        if (!knowsSchema || !isFormatRefusal(error)) throw error;
        knowsSchema = false;
        return ask(settings, request, knowsSchema, signal);
      }
    },
  };
}
