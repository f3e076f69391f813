/**
 * Wires the agents to the systems the configuration names. The only place that knows both sides of a
 * port. Nothing here decides anything about telemetry.
 */
import { readFileSync } from "node:fs";
import type { KV } from "@nats-io/kv";
import { Mesh } from "../a2a/mod.ts";
import {
  type AlarmSink,
  type Dashboards,
  INVESTIGATIONS_BUCKET,
  type Llm,
  type LogQuerySpec,
  type LogSource,
  METRIC_QUERIES,
  type MetricSource,
  makeMetricsAgent,
  makeSplunkAgent,
  SreAgent,
  type SreEvent,
} from "../agents/mod.ts";
import {
  type Config,
  type Logger,
  llmEnvironment,
  messageOf,
  PetrelError,
  redact,
} from "../core/mod.ts";
import {
  type GrafanaClient,
  type LlmOptions,
  makeGrafanaClient,
  makeLlm,
  makePrometheusClient,
  makeSplunkClient,
  makeSplunkSource,
  type PrometheusClient,
  type SplunkClient,
} from "../mcp/mod.ts";
import type { RuleSet } from "../streams/mod.ts";
import { fileLogs, streamLogs } from "./logs.ts";

export const ROLES = ["sre", "splunk", "metrics"] as const;
export type Role = (typeof ROLES)[number];

/** Records of investigations are kept this long. */
const INVESTIGATIONS_TTL_MS = 30 * 86_400_000;
const SUPERVISE_EVERY_MS = 2_000;

/** A connection to the mesh under an agent's or a person's name. Throws as {@link Mesh.open}. */
export function openMesh(config: Config, name: string, log: Logger): Promise<Mesh> {
  const { servers, user, password, token, credentials_file: credentialsFile, tls } = config.nats;
  return Mesh.open({
    servers,
    name,
    log,
    auditRetentionDays: config.audit.retention_days,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(token === undefined ? {} : { token }),
    ...(credentialsFile === undefined ? {} : { credentialsFile }),
    ...(tls === undefined ? {} : { tls: tlsFiles(tls) }),
  });
}

function tlsFiles(tls: NonNullable<Config["nats"]["tls"]>) {
  return {
    ...(tls.ca_file === undefined ? {} : { caFile: tls.ca_file }),
    ...(tls.cert_file === undefined ? {} : { certFile: tls.cert_file }),
    ...(tls.key_file === undefined ? {} : { keyFile: tls.key_file }),
  };
}

export function investigationsOf(mesh: Mesh): Promise<KV> {
  return mesh.kvm.create(INVESTIGATIONS_BUCKET, { ttl: INVESTIGATIONS_TTL_MS, history: 1 });
}

/** Serves one evidence agent on its own connection, so that it has a name of its own in every subject. */
export async function serveEvidence(
  config: Config,
  role: EvidenceRole,
  log: Logger,
): Promise<Mesh> {
  const mesh = await openMesh(config, role, log);
  try {
    const kv = await investigationsOf(mesh);
    const common = { kv, clock: mesh.clock, rules: rulesOf(config) };
    const agent =
      role === "splunk"
        ? makeSplunkAgent({
            ...common,
            source: logSource(config, mesh),
            query: logQuery(config),
            redact,
          })
        : makeMetricsAgent({ ...common, ...metricSettings(config) });
    await mesh.serve(agent);
    return mesh;
  } catch (error) {
    await mesh.close();
    throw error;
  }
}

export interface ServedSre {
  readonly mesh: Mesh;
  readonly sre: SreAgent;
  stop(): Promise<void>;
}

export interface SreWiring {
  /** The agents asked about every window. */
  readonly sources: readonly EvidenceRole[];
  readonly sinks: readonly AlarmSink[];
  readonly llm?: Llm;
  readonly onEvent?: (event: SreEvent) => void;
}

/** Serves the SRE agent; the caller decides whether it watches or investigates. */
export async function serveSre(config: Config, log: Logger, wiring: SreWiring): Promise<ServedSre> {
  const mesh = await openMesh(config, "sre", log);
  const sre = new SreAgent({
    mesh,
    kv: await investigationsOf(mesh),
    log: mesh.log.with({ agent: "sre" }),
    timeoutMs: config.sre.timeout,
    baselineWindows: config.sre.baseline_windows,
    inFlightMax: config.sre.in_flight_max,
    superviseEveryMs: SUPERVISE_EVERY_MS,
    reopenAfterMs: config.sre.reopen_after,
    llmTokensMax: config.llm.tokens_max,
    redact,
    ...wiring,
  });
  await mesh.serve(sre.definition);
  await sre.start();
  return {
    mesh,
    sre,
    stop: async () => {
      await sre.stop();
      await mesh.close();
    },
  };
}

/** The roles that read a system, and so have to be configured where they run. */
export const EVIDENCE_ROLES = ["splunk", "metrics"] as const;
export type EvidenceRole = (typeof EVIDENCE_ROLES)[number];

/** The evidence agents whose systems are configured. Throws CONFIG_INVALID when there is none. */
export function configuredSources(config: Config): EvidenceRole[] {
  const sources: EvidenceRole[] = [];
  if (config.splunk || config.logs) sources.push("splunk");
  if (config.prometheus) sources.push("metrics");
  if (sources.length > 0) return sources;
  throw new PetrelError(
    "CONFIG_INVALID",
    "configuration: neither splunk nor prometheus is configured, nor logs",
    {
      path: "splunk",
    },
  );
}

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

function missing(section: string): PetrelError {
  return new PetrelError("CONFIG_INVALID", `configuration: ${section} is not configured`, {
    path: section,
  });
}

function rulesOf(config: Config): RuleSet {
  const names = (set: Config["rules"]["defaults"]) => ({
    http500CountMax: set.http_500_count_max,
    http500PerMinuteMax: set.http_500_per_minute_max,
    latencyMeanMsMax: set.latency_mean_ms_max,
    jvmMemoryPercentMax: set.jvm_memory_percent_max,
  });
  const services = Object.entries(config.rules.services).map(([service, set]) => [
    service,
    names(set),
  ]);
  return { defaults: names(config.rules.defaults), services: Object.fromEntries(services) };
}

function logQuery(config: Config): LogQuerySpec {
  const { search } = config.splunk ?? {};
  return search === undefined ? {} : { search };
}

function logSource(config: Config, mesh: Mesh): LogSource {
  if (config.logs?.files) return fileLogs(config.logs.files);
  if (config.logs?.nats_stream) return streamLogs(mesh, config.logs.nats_stream);
  return makeSplunkSource(splunkClient(config), splunkDefaults(config));
}

/** Where a query that names no index looks. */
export function splunkDefaults(config: Config): { index: string; serviceField: string } {
  const { index = "main", service_field: serviceField = "service" } = config.splunk ?? {};
  return { index, serviceField };
}

function metricSettings(config: Config) {
  const { prometheus, grafana } = config;
  if (!prometheus) throw missing("prometheus");
  const own = new Set(prometheus.queries.map((query) => query.metric));
  return {
    source: metricSource(prometheusClient(config)),
    queries: [...METRIC_QUERIES.filter((query) => !own.has(query.metric)), ...prometheus.queries],
    serviceLabels: prometheus.service_labels,
    stepMs: prometheus.step,
    rangeMs: prometheus.range,
    lookbackMs: prometheus.lookback,
    ...(grafana ? { dashboards: dashboardsOf(grafanaClient(config)) } : {}),
  };
}

const LINK_CHARS_MAX = 2_000;

function metricSource(client: PrometheusClient): MetricSource {
  return {
    name: "prometheus",
    range: async (promql, range, signal) => {
      const { series, seriesTotal } = await client.range(promql, range, signal);
      const read = series.map(({ labels, timesMs, values }) => ({
        labels,
        samples: timesMs.map((timeMs, at) => ({ timeMs, value: values[at] ?? Number.NaN })),
      }));
      return { series: read, cut: seriesTotal > series.length };
    },
    link: (promql, window) => {
      const link = client.graphLink(promql, window);
      return link.length <= LINK_CHARS_MAX ? link : undefined;
    },
  };
}

const DASHBOARDS_MAX = 5;

function dashboardsOf(client: GrafanaClient): Dashboards {
  return {
    links: async (services, window, signal) => {
      const { hits } = await client.search("", 50, signal);
      const named = hits.filter(({ title, tags }) =>
        services.some((service) => title.includes(service) || tags.includes(service)),
      );
      return [...named, ...hits.filter((hit) => !named.includes(hit))]
        .slice(0, DASHBOARDS_MAX)
        .map(({ uid, title }) => ({
          title: `Grafana: ${title}`,
          url: client.dashboardLink({ uid, window }),
        }));
    },
  };
}
