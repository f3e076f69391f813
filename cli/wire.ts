/**
 * Wires the agents to the systems the configuration names: the only place that knows both sides of a
 * port. Nothing here decides anything about telemetry.
 */

import type { AgentCard } from "@a2a-js/sdk";
import type { KV } from "@nats-io/kv";
import { Mesh, signCard } from "../a2a/mod.ts";
import {
  DEPENDENCY_QUERIES,
  INCIDENTS_BUCKET,
  INCIDENTS_TTL_MS,
  INVESTIGATIONS_BUCKET,
  type LifeRules,
  type Llm,
  type LogQuerySpec,
  type LogSource,
  type Maintenance,
  METRIC_QUERIES,
  makeEchoAgent,
  makeMetricsAgent,
  makeSplunkAgent,
  parseMatcher,
  SreAgent,
  type SreEvent,
} from "../agents/mod.ts";
import type { AlarmSink } from "../alarms/mod.ts";
import { type Config, Gateway, type Logger, PetrelError } from "../core/mod.ts";
import { makeSplunkSource } from "../mcp/mod.ts";
import type { RuleSet } from "../streams/mod.ts";
import { explainerOf } from "./explainer.ts";
import { type ServedGateway, serveGateway } from "./gateway.ts";
import { fileLogs, streamLogs } from "./logs.ts";
import { dashboardsOf, metricSource } from "./ports.ts";
import { redactorOf } from "./redaction.ts";
import {
  grafanaClient,
  missing,
  prometheusClient,
  splunkClient,
  splunkDefaults,
} from "./systems.ts";
import { signingKeyOf, trustOf } from "./trust.ts";

export const ROLES = [
  "sre",
  "splunk",
  "metrics",
  "supervisor",
  "bridge",
  "gateway",
  "echo",
] as const;
export type Role = (typeof ROLES)[number];

/** Records of investigations are kept this long. */
const INVESTIGATIONS_TTL_MS = 30 * 86_400_000;
const SUPERVISE_EVERY_MS = 2_000;

/** A connection to the mesh under an agent's or a person's name. Throws as {@link Mesh.open}. */
export async function openMesh(config: Config, name: string, log: Logger): Promise<Mesh> {
  const { servers, tls, credentials } = natsOf(config);
  const { audit } = config;
  return Mesh.open({
    servers,
    name,
    log,
    auditRetentionDays: audit.retention_days,
    auditMode: audit.agents[name] ?? audit.mode,
    auditShards: audit.shards,
    ...(audit.outbox_dir === undefined ? {} : { outboxDir: audit.outbox_dir }),
    ...(tls === undefined ? {} : { tls }),
    ...credentials,
    ...(config.gateway?.public_url === undefined ? {} : { publicUrl: config.gateway.public_url }),
    ...(await trustOf(config)),
  });
}

/** How NATS is reached, by the names a2a/ gives its settings. */
export function natsOf({ nats }: Config) {
  const { servers, tls } = nats;
  return { servers, tls: tls && tlsFiles(tls), credentials: credentialsOf(nats) };
}

type Login = NonNullable<Config["audit"]["account"]>;

/** A login to NATS, by the names a2a/ gives its parts. */
export function credentialsOf({ user, password, token, credentials_file: file }: Login) {
  return {
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(token === undefined ? {} : { token }),
    ...(file === undefined ? {} : { credentialsFile: file }),
  };
}

export function tlsFiles(tls: NonNullable<Config["nats"]["tls"]>) {
  return {
    ...(tls.ca_file === undefined ? {} : { caFile: tls.ca_file }),
    ...(tls.cert_file === undefined ? {} : { certFile: tls.cert_file }),
    ...(tls.key_file === undefined ? {} : { keyFile: tls.key_file }),
  };
}

export function investigationsOf(mesh: Mesh): Promise<KV> {
  return mesh.kvm.create(INVESTIGATIONS_BUCKET, { ttl: INVESTIGATIONS_TTL_MS, history: 1 });
}

export function incidentsOf(mesh: Mesh): Promise<KV> {
  return mesh.kvm.create(INCIDENTS_BUCKET, { ttl: INCIDENTS_TTL_MS, history: 1 });
}

function lifeOf({ alarms }: Config): LifeRules {
  return {
    afterWindows: alarms.after_windows,
    resolveAfterWindows: alarms.resolve_after_windows,
    reopenWithinMs: alarms.reopen_within,
    updateEveryMs: alarms.update_every,
    remindEveryMs: alarms.remind_every,
    flapChanges: alarms.flap_changes,
    flapWithinMs: alarms.flap_within,
  };
}

function maintenanceOf({ alarms }: Config): Maintenance[] {
  return alarms.maintenance.map((one, at) => ({
    ...one,
    matchers: one.matchers.map((text, place) =>
      parseMatcher(text, `alarms.maintenance.${at}.matchers.${place}`),
    ),
  }));
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
    const { redact } = await redactorOf(config);
    const common = {
      kv,
      clock: mesh.clock,
      log: mesh.log.with({ agent: role }),
      rules: rulesOf(config),
    };
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

/** Serves the agent of docs/write-an-agent.md, to try the mesh with. */
export async function serveEcho(config: Config, log: Logger): Promise<Mesh> {
  const mesh = await openMesh(config, "echo", log);
  try {
    await mesh.serve(makeEchoAgent(mesh.clock));
    return mesh;
  } catch (error) {
    await mesh.close();
    throw error;
  }
}

/** Serves every agent of the mesh over HTTP, as `gateway` says. Throws as {@link serveGateway}. */
export async function openGateway(
  config: Config,
  log: Logger,
  signal: AbortSignal,
): Promise<ServedGateway> {
  // On this host alone, for whoever configures nothing.
  const settings = config.gateway ?? Gateway.parse({});
  const mesh = await openMesh(config, settings.name, log);
  try {
    const key = await signingKeyOf(config);
    const sign = key ? { sign: (card: AgentCard) => signCard(card, [key]) } : {};
    const served = await serveGateway(settings, mesh, log, signal, sign);
    return { ...served, stop: () => served.stop().then(() => mesh.close()) };
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
  const { redact } = await redactorOf(config);
  const mesh = await openMesh(config, "sre", log);
  const { clock } = mesh;
  const own = mesh.log.with({ agent: "sre" });
  const incidentsKv = await incidentsOf(mesh);
  const needs = { llm: wiring.llm, kv: incidentsKv, clock, log: own, redact };
  const explaining = await explainerOf(config, needs);
  const sre = new SreAgent({
    mesh,
    kv: await investigationsOf(mesh),
    incidentsKv,
    log: own,
    timeoutMs: config.sre.timeout,
    baselineWindows: config.sre.baseline_windows,
    inFlightMax: config.sre.in_flight_max,
    superviseEveryMs: SUPERVISE_EVERY_MS,
    rules: lifeOf(config),
    maintenance: maintenanceOf(config),
    retryForMs: config.alarms.retry_for,
    dependencies: config.sre.dependencies,
    explainer: explaining.explainer,
    ...wiring,
  });
  await mesh.serve(sre.definition);
  await sre.start();
  return {
    mesh,
    sre,
    stop: async () => {
      await sre.stop();
      await explaining.stop();
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

function metricSettings(config: Config) {
  const { prometheus, grafana } = config;
  if (!prometheus) throw missing("prometheus");
  const own = new Set(prometheus.queries.map((query) => query.metric));
  return {
    source: metricSource(prometheusClient(config)),
    queries: [...METRIC_QUERIES.filter((query) => !own.has(query.metric)), ...prometheus.queries],
    dependencies: [...DEPENDENCY_QUERIES, ...prometheus.dependencies],
    serviceLabels: prometheus.service_labels,
    stepMs: prometheus.step,
    rangeMs: prometheus.range,
    lookbackMs: prometheus.lookback,
    historyMs: prometheus.history,
    falseAlarmsPerDay: prometheus.false_alarms_per_day,
    ...(grafana ? { dashboards: dashboardsOf(grafanaClient(config)) } : {}),
  };
}
