/**
 * Which model is asked, and where: OpenAI, Azure OpenAI, or anything that speaks OpenAI's protocol.
 * Checks the options and gives them one form; reads no environment and sends nothing.
 */
import { PetrelError } from "../../core/mod.ts";

/** The keys carry the names of the environment variables they usually come from, in our spelling. */
export interface LlmOptions {
  /** OPENAI_API_KEY. A local endpoint usually takes any. */
  readonly openaiApiKey?: string;
  /** OPENAI_BASE_URL; default `https://api.openai.com/v1`. */
  readonly openaiBaseUrl?: string;
  /** OPENAI_MODEL. */
  readonly openaiModel?: string;
  /** AZURE_OPENAI_API_KEY. When it is set, Azure is asked. */
  readonly azureApiKey?: string;
  /** AZURE_OPENAI_ENDPOINT: `https://<resource>.openai.azure.com`. */
  readonly azureEndpoint?: string;
  /** AZURE_OPENAI_API_INSTANCE_NAME: the resource; used when there is no endpoint. */
  readonly azureInstanceName?: string;
  /** AZURE_OPENAI_DEPLOYMENT or AZURE_OPENAI_API_DEPLOYMENT_NAME. */
  readonly azureDeployment?: string;
  /** AZURE_OPENAI_API_VERSION, such as `2024-10-21`. */
  readonly azureApiVersion?: string;
  /** The model behind the deployment, such as `gpt-4.1`; default: the deployment's name. */
  readonly azureModel?: string;
  /** For one call, reading included. Default 60,000. */
  readonly timeoutMs?: number;
  /** Bound on the answer's tokens where a request names none. Default 2,000. */
  readonly maxTokens?: number;
}

/** One endpoint, complete. `baseUrl` is what `/chat/completions` is appended to. */
export interface LlmEndpoint {
  readonly provider: "openai" | "azure";
  readonly name: string;
  readonly apiKey: string;
  readonly baseUrl: string;
  readonly model: string;
  /** Azure only. */
  readonly azure?: {
    readonly basePath: string;
    readonly deployment: string;
    readonly apiVersion: string;
  };
}

const OPENAI_BASE_URL = "https://api.openai.com/v1";
const OPENAI_MODEL = "gpt-4.1-mini";
/** The last general API version with strict structured output (since 2024-08-01-preview). */
const AZURE_API_VERSION = "2024-10-21";

function invalid(path: string, what: string): PetrelError {
  return new PetrelError("CONFIG_INVALID", `${path}: ${what}`, { path });
}

function addressOf(path: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" && url?.protocol !== "http:") {
    throw invalid(path, "is not an http(s) URL");
  }
  return text.replace(/\/+$/, "");
}

function azureEndpoint(options: LlmOptions, apiKey: string): LlmEndpoint {
  const { azureInstanceName: instance, azureDeployment: deployment } = options;
  if (instance !== undefined && !/^[A-Za-z0-9-]{1,64}$/.test(instance)) {
    throw invalid("llm.azureInstanceName", "is not the name of an Azure resource");
  }
  const host =
    options.azureEndpoint ??
    (instance === undefined ? undefined : `https://${instance}.openai.azure.com`);
  if (host === undefined) {
    throw invalid("llm.azureEndpoint", "Azure needs an endpoint or an instance name");
  }
  if (!deployment) throw invalid("llm.azureDeployment", "Azure needs the name of a deployment");
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(deployment)) {
    throw invalid("llm.azureDeployment", "is not the name of a deployment");
  }
  const basePath = `${addressOf("llm.azureEndpoint", host)}/openai/deployments`;
  return {
    provider: "azure",
    name: `azure:${deployment}`,
    apiKey,
    baseUrl: `${basePath}/${deployment}`,
    model: options.azureModel ?? deployment,
    azure: { basePath, deployment, apiVersion: options.azureApiVersion ?? AZURE_API_VERSION },
  };
}

/**
 * The endpoint the options name; undefined when they name none, which is a supported way to run.
 * Azure wins where both are given. Throws CONFIG_INVALID; `fields.path` names the key.
 */
export function endpointOf(options: LlmOptions): LlmEndpoint | undefined {
  if (options.azureApiKey) return azureEndpoint(options, options.azureApiKey);
  // A local endpoint needs no key, but the protocol has a place for one that must not be empty.
  const apiKey = options.openaiApiKey || (options.openaiBaseUrl ? "none" : undefined);
  if (apiKey === undefined) return undefined;
  const model = options.openaiModel ?? OPENAI_MODEL;
  return {
    provider: "openai",
    name: `openai:${model}`,
    apiKey,
    baseUrl: addressOf("llm.openaiBaseUrl", options.openaiBaseUrl || OPENAI_BASE_URL),
    model,
  };
}
