/**
 * A stand-in for a language model that listens on a real port and speaks OpenAI's chat completions,
 * at OpenAI's address (`/v1/chat/completions`) and at Azure's. It counts calls and tokens, so that a
 * test can prove that nobody asked. It never streams and never contacts anything.
 *
 * Source: https://platform.openai.com/docs/api-reference/chat, and Azure OpenAI's REST reference.
 */
import { type Context, Hono } from "hono";
import { z } from "zod";
import { neverAnswer, serveSim } from "../broken.ts";
import { answerFor, schemaInText } from "./answer.ts";

/** How the stand-in behaves. Everything but `ok` is a failure that is documented or was seen. */
export type LlmSimMode =
  | "ok"
  /** The model refuses: HTTP 200, `refusal` instead of `content`. */
  | "refuse"
  | "content_filter"
  /** Takes the request and never answers. */
  | "timeout"
  /** HTTP 200 and JSON, but not of the schema. */
  | "outside_schema"
  /** HTTP 200 and a text that is no JSON. */
  | "not_json"
  /** The answer reached the bound on tokens. */
  | "length"
  | "unauthorized"
  | "rate_limited"
  | "server_error"
  | "context_length"
  /** Breaks the connection in the middle of the body. */
  | "cut"
  /** An endpoint that knows `json_object` but not `json_schema`. */
  | "no_json_schema";

/** A request as the stand-in understood it. */
export interface LlmSimRequest {
  readonly provider: "openai" | "azure";
  readonly model: string;
  readonly system: string;
  readonly prompt: string;
  readonly format: "json_schema" | "json_object" | "text";
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly maxTokens?: number;
}

export interface LlmSimOptions {
  /** Port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number;
  /** The only key that is let in. */
  readonly apiKey: string;
  /** Models and deployments that exist. Default: every one. */
  readonly models?: readonly string[];
  /** What is answered; JSON is made of it. Default: made from the schema and the evidence ids. */
  readonly answer?: (request: LlmSimRequest) => unknown;
  /** The answer's text as it is, JSON or not; undefined: as `answer` says. */
  readonly raw?: (request: LlmSimRequest) => string | undefined;
}

/** A running stand-in. */
export interface LlmSim extends AsyncDisposable {
  /** Without a path: Azure's endpoint; OpenAI's base address is `${url}/v1`. */
  readonly url: string;
  /** May be changed at any time. */
  mode: LlmSimMode;
  /** Requests that reached the model's address, the refused ones included. */
  readonly calls: number;
  /** Tokens of all answers, as billed. */
  readonly tokens: { readonly prompt: number; readonly completion: number };
  /** The requests that were understood, in order. */
  readonly requests: readonly LlmSimRequest[];
}

const Body = z.object({
  model: z.string().optional(),
  messages: z
    .array(z.object({ role: z.string(), content: z.union([z.string(), z.array(z.unknown())]) }))
    .min(1),
  stream: z.boolean().optional(),
  max_tokens: z.number().int().min(1).optional(),
  max_completion_tokens: z.number().int().min(1).optional(),
  response_format: z
    .discriminatedUnion("type", [
      z.object({ type: z.literal("text") }),
      z.object({ type: z.literal("json_object") }),
      z.object({
        type: z.literal("json_schema"),
        json_schema: z.object({
          name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
          strict: z.boolean().optional(),
          schema: z.record(z.string(), z.unknown()),
        }),
      }),
    ])
    .optional(),
});
type Body = z.infer<typeof Body>;

interface State {
  mode: LlmSimMode;
  calls: number;
  readonly tokens: { prompt: number; completion: number };
  readonly requests: LlmSimRequest[];
}

function errorAnswer(
  status: number,
  message: string,
  code: string,
  headers: Record<string, string> = {},
): Response {
  const error = { message, type: "invalid_request_error", param: null, code };
  return Response.json({ error }, { status, headers });
}

/** The answer of a mode that fails before the request is looked at. */
function brokenAnswer(mode: LlmSimMode, signal: AbortSignal): Promise<Response> | undefined {
  switch (mode) {
    case "unauthorized":
      return Promise.resolve(
        errorAnswer(401, "Incorrect API key provided: sk-…", "invalid_api_key"),
      );
    case "rate_limited":
      return Promise.resolve(
        errorAnswer(429, "Rate limit reached for requests", "rate_limit_exceeded", {
          "retry-after": "30",
        }),
      );
    case "server_error":
      return Promise.resolve(
        errorAnswer(500, "The server had an error while processing your request", "server_error"),
      );
    case "context_length":
      return Promise.resolve(
        errorAnswer(
          400,
          "This model's maximum context length is 8192 tokens.",
          "context_length_exceeded",
        ),
      );
    case "timeout":
      return neverAnswer(signal);
    default:
      return undefined;
  }
}

function textOf(body: Body, roles: readonly string[]): string {
  return body.messages
    .filter(({ role }) => roles.includes(role))
    .map(({ content }) => (typeof content === "string" ? content : JSON.stringify(content)))
    .join("\n");
}

function requestOf(body: Body, provider: "openai" | "azure", model: string): LlmSimRequest {
  const format = body.response_format;
  const system = textOf(body, ["system", "developer"]);
  const schema = format?.type === "json_schema" ? format.json_schema.schema : schemaInText(system);
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  return {
    provider,
    model,
    system,
    prompt: textOf(body, ["user"]),
    format: format?.type ?? "text",
    ...(schema === undefined ? {} : { schema }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
  };
}

/** About four characters a token, as for English. */
function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}

interface Spoken {
  readonly content: string | null;
  readonly refusal: string | null;
  readonly finishReason: "stop" | "length" | "content_filter";
}

function speak(mode: LlmSimMode, request: LlmSimRequest, options: LlmSimOptions): Spoken {
  if (mode === "refuse") {
    const refusal = "I'm sorry, I can't assist with that request.";
    return { content: null, refusal, finishReason: "stop" };
  }
  if (mode === "content_filter") {
    return { content: "", refusal: null, finishReason: "content_filter" };
  }
  const text =
    options.raw?.(request) ??
    JSON.stringify(
      options.answer?.(request) ??
        (request.schema === undefined ? {} : answerFor(request.schema, request.prompt)),
    );
  if (mode === "length") {
    return { content: text.slice(0, text.length >> 1), refusal: null, finishReason: "length" };
  }
  if (mode === "not_json") return { content: "All is well.", refusal: null, finishReason: "stop" };
  const content = mode === "outside_schema" ? JSON.stringify({ unasked: true }) : text;
  return { content, refusal: null, finishReason: "stop" };
}

function completion(request: LlmSimRequest, spoken: Spoken, state: State): Response {
  const prompt = tokensOf(request.system) + tokensOf(request.prompt);
  const answered = tokensOf(spoken.content ?? spoken.refusal ?? "");
  state.tokens.prompt += prompt;
  state.tokens.completion += answered;
  return Response.json({
    id: `chatcmpl-${state.calls}`,
    object: "chat.completion",
    created: 1_700_000_000,
    model: request.model,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: spoken.content, refusal: spoken.refusal },
        logprobs: null,
        finish_reason: spoken.finishReason,
      },
    ],
    usage: { prompt_tokens: prompt, completion_tokens: answered, total_tokens: prompt + answered },
  });
}

async function answerChat(
  c: Context,
  provider: "openai" | "azure",
  state: State,
  options: LlmSimOptions,
): Promise<Response> {
  state.calls += 1;
  const broken = brokenAnswer(state.mode, c.req.raw.signal);
  if (broken) return broken;
  const key =
    provider === "azure" ? c.req.header("api-key") : c.req.header("authorization")?.slice(7);
  if (key !== options.apiKey) {
    const text =
      provider === "azure"
        ? "Access denied due to invalid subscription key."
        : "Incorrect API key provided.";
    return errorAnswer(401, text, provider === "azure" ? "401" : "invalid_api_key");
  }
  const parsed = Body.safeParse(await c.req.json().catch(() => undefined));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return errorAnswer(400, `${issue?.path.join(".")}: ${issue?.message}`, "invalid_value");
  }
  const body = parsed.data;
  const model = provider === "azure" ? c.req.param("deployment") : body.model;
  if (!model || (options.models !== undefined && !options.models.includes(model))) {
    return errorAnswer(404, `The model \`${model ?? ""}\` does not exist.`, "model_not_found");
  }
  if (body.stream) return errorAnswer(400, "stream is not supported here", "unsupported_value");
  if (state.mode === "no_json_schema" && body.response_format?.type === "json_schema") {
    const text =
      "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.";
    return errorAnswer(400, text, "unsupported_value");
  }
  const request = requestOf(body, provider, model);
  state.requests.push(request);
  return completion(request, speak(state.mode, request, options), state);
}

/** Starts the stand-in; dispose it to stop. */
export function startLlmSim(options: LlmSimOptions): LlmSim {
  const state: State = {
    mode: "ok",
    calls: 0,
    tokens: { prompt: 0, completion: 0 },
    requests: [],
  };
  const app = new Hono();
  app.post("/v1/chat/completions", (c) => answerChat(c, "openai", state, options));
  app.post("/openai/deployments/:deployment/chat/completions", (c) =>
    c.req.query("api-version")
      ? answerChat(c, "azure", state, options)
      : errorAnswer(404, "Resource not found", "404"),
  );
  app.notFound(() => errorAnswer(404, "Invalid URL", "not_found"));
  const server = serveSim(app, options.port, () => state.mode === "cut");
  return {
    url: `http://127.0.0.1:${server.port}`,
    get mode() {
      return state.mode;
    },
    set mode(mode) {
      state.mode = mode;
    },
    get calls() {
      return state.calls;
    },
    tokens: state.tokens,
    requests: state.requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
