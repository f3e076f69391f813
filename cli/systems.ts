/**
 * A client of each system the configuration names, with the credentials it gives. Nothing here talks to
 * anybody yet.
 */
import { readFileSync } from "node:fs";
import type { Llm } from "../agents/mod.ts";
import { type Config, llmEnvironment, messageOf, PetrelError } from "../core/mod.ts";
import {
  type GrafanaClient,
  type LlmOptions,
  makeGrafanaClient,
  makeLlm,
  makePrometheusClient,
  makeSplunkClient,
  type PrometheusClient,
  type SplunkClient,
} from "../mcp/mod.ts";

/** The LLM of the environment, if there is one and it is not switched off. */
export function llmOf(config: Config): Llm | undefined {
  const env = config.llm.enabled ? llmEnvironment() : undefined;
  return (
    env &&
    makeLlm({ ...llmOptions(env), timeoutMs: config.llm.timeout, maxTokens: config.llm.tokens_max })
  );
}

/** The variables by the names mcp/ gives them. */
function llmOptions(env: Readonly<Record<string, string>>): LlmOptions {
  const names = {
    openaiApiKey: env.OPENAI_API_KEY,
    openaiBaseUrl: env.OPENAI_BASE_URL,
    openaiModel: env.OPENAI_MODEL,
    azureApiKey: env.AZURE_OPENAI_API_KEY,
    azureEndpoint: env.AZURE_OPENAI_ENDPOINT,
    azureInstanceName: env.AZURE_OPENAI_API_INSTANCE_NAME,
    azureDeployment: env.AZURE_OPENAI_DEPLOYMENT ?? env.AZURE_OPENAI_API_DEPLOYMENT_NAME,
    azureApiVersion: env.AZURE_OPENAI_API_VERSION,
    azureModel: env.AZURE_OPENAI_MODEL,
  };
  return Object.fromEntries(Object.entries(names).filter(([, value]) => value !== undefined));
}

export function splunkClient(config: Config): SplunkClient {
  const { splunk } = config;
  if (!splunk) throw missing("splunk");
  const { token, user = "", password = "" } = splunk;
  return makeSplunkClient({
    url: splunk.url,
    auth: token === undefined ? { kind: "basic", user, password } : { kind: "token", token },
    timeoutMs: splunk.timeout,
    ...(splunk.web_url === undefined ? {} : { webUrl: splunk.web_url }),
    ...tlsOf(splunk.ca_file),
  });
}

export function prometheusClient(config: Config): PrometheusClient {
  const { prometheus } = config;
  if (!prometheus) throw missing("prometheus");
  const { url, token, user, password, timeout } = prometheus;
  return makePrometheusClient({
    url,
    timeoutMs: timeout,
    ...(token === undefined ? {} : { auth: { bearerToken: token } }),
    ...(user === undefined ? {} : { auth: { username: user, password: password ?? "" } }),
    ...tlsOf(prometheus.ca_file),
  });
}

export function grafanaClient(config: Config): GrafanaClient {
  const { grafana } = config;
  if (!grafana) throw missing("grafana");
  return makeGrafanaClient({
    url: grafana.url,
    token: grafana.token ?? "",
    timeoutMs: grafana.timeout,
    writes: config.mcp.writes,
    ...tlsOf(grafana.ca_file),
  });
}

function tlsOf(caFile: string | undefined): { tls?: { ca: string } } {
  return caFile === undefined ? {} : { tls: { ca: readCertificate(caFile) } };
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new PetrelError(
      "CONFIG_INVALID",
      `ca_file: ${messageOf(error)}`,
      { path: "ca_file" },
      error,
    );
  }
}

export function missing(section: string): PetrelError {
  return new PetrelError("CONFIG_INVALID", `configuration: ${section} is not configured`, {
    path: section,
  });
}

/** Where a query that names no index looks. */
export function splunkDefaults(config: Config): { index: string; serviceField: string } {
  const { index = "main", service_field: serviceField = "service" } = config.splunk ?? {};
  return { index, serviceField };
}
