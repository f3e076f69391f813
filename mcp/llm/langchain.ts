/**
 * LangChain's OpenAI and Azure OpenAI chat models, set so that only the named endpoint is ever
 * contacted. The library is loaded on first use: an agent that never asks a model should not pay for
 * its memory and its start.
 * Never counts tokens through the library (`getNumTokens` fetches tables from the internet), and never
 * lets it retry: a schema-invalid answer would be billed again.
 */
import type { BaseMessageLike } from "@langchain/core/messages";
import type { LlmEndpoint } from "./options.ts";
import type { LlmTransport } from "./transport.ts";

/** How the shape of the answer is asked for. */
export type ResponseFormat =
  | {
      readonly type: "json_schema";
      readonly json_schema: {
        readonly name: string;
        readonly strict: true;
        readonly schema: Record<string, unknown>;
      };
    }
  | { readonly type: "json_object" };

export interface ChatCall {
  readonly endpoint: LlmEndpoint;
  readonly messages: readonly (readonly ["system" | "human", string])[];
  readonly format: ResponseFormat;
  readonly maxTokens: number;
  readonly timeoutMs: number;
  readonly transport: LlmTransport;
  readonly signal: AbortSignal;
}

/**
 * LangChain looks at these by itself and would send or print prompts, which hold log lines. Any value
 * of LANGCHAIN_TRACING counts as "on", so they are removed rather than set to false.
 */
const TRACING_VARIABLES = [
  "LANGSMITH_TRACING",
  "LANGSMITH_TRACING_V2",
  "LANGCHAIN_TRACING",
  "LANGCHAIN_TRACING_V2",
  "LANGCHAIN_VERBOSE",
];

async function load() {
  for (const name of TRACING_VARIABLES) delete process.env[name];
  return import("@langchain/openai");
}

let library: ReturnType<typeof load> | undefined;

async function makeModel({ endpoint, maxTokens, timeoutMs, transport }: ChatCall) {
  library ??= load();
  const { AzureChatOpenAICompletions, ChatOpenAICompletions } = await library;
  const fields = {
    apiKey: endpoint.apiKey,
    // Azure too: without a model's name the library takes a default of its own.
    model: endpoint.model,
    maxTokens,
    maxRetries: 0,
    // Our own deadline comes first; this one only keeps the SDK from waiting for its default.
    timeout: timeoutMs + 1_000,
    __includeRawResponse: true,
    // Everything the SDK would otherwise take from the environment is said here.
    configuration: {
      baseURL: endpoint.baseUrl,
      organization: null,
      project: null,
      logLevel: "off" as const,
      fetch: transport.fetch,
    },
  };
  if (endpoint.azure === undefined) return new ChatOpenAICompletions(fields);
  return new AzureChatOpenAICompletions({
    ...fields,
    azureOpenAIApiKey: endpoint.apiKey,
    azureOpenAIBasePath: endpoint.azure.basePath,
    azureOpenAIApiDeploymentName: endpoint.azure.deployment,
    azureOpenAIApiVersion: endpoint.azure.apiVersion,
  });
}

/** Asks once and returns the endpoint's answer as it came, not yet checked. Rejects as the SDK does. */
export async function askOnce(call: ChatCall): Promise<unknown> {
  const model = await makeModel(call);
  const messages: BaseMessageLike[] = call.messages.map(([role, text]) => [role, text]);
  const message = await model.invoke(messages, {
    response_format: call.format,
    signal: call.signal,
  });
  return message.additional_kwargs["__raw_response"];
}
