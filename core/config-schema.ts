/**
 * The configuration's schema: every key, its type, its default. Unknown keys are refused throughout.
 * docs/configuration.md says the same in words, and a test holds the two together.
 */
import { z } from "zod";
import { Alarms } from "./config-alarms.ts";
import { Audit, Bridge, Kafka } from "./config-audit.ts";
import { Gateway } from "./config-gateway.ts";
import { Llm } from "./config-llm.ts";
import { Cards, Webhooks } from "./config-mesh.ts";
import { Tools } from "./config-tools.ts";
import { Duration, Label, Path, Secret, Tls, Url } from "./config-types.ts";

const Nats = z
  .strictObject({
    servers: z
      .array(z.url({ protocol: /^(nats|tls|ws|wss)$/ }))
      .min(1)
      .default(["nats://127.0.0.1:4222"]),
    user: z.string().optional(),
    password: Secret.optional(),
    token: Secret.optional(),
    credentials_file: Path.optional(),
    tls: Tls.optional(),
  })
  .refine(
    (nats) => (nats.user === undefined) === (nats.password === undefined),
    "user and password go together",
  );

const Splunk = z
  .strictObject({
    url: Url,
    token: Secret.optional(),
    user: z.string().optional(),
    password: Secret.optional(),
    /** For links; the web interface, not the management port. */
    web_url: Url.optional(),
    ca_file: Path.optional(),
    index: z.string().min(1).default("main"),
    search: z.string().max(2_000).optional(),
    /** The field that holds a service's name. */
    service_field: Label.default("service"),
    timeout: Duration.default(240_000),
  })
  .refine(
    ({ token, user, password }) =>
      token === undefined ? user !== undefined && password !== undefined : true,
    "needs a token, or user and password",
  );

const Logs = z
  .strictObject({
    /** Paths or globs of log files; `.gz` and `.zst` are unpacked. */
    files: z.array(Path).min(1).max(1_000).optional(),
    /** A JetStream stream whose messages are log events. */
    nats_stream: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,255}$/)
      .optional(),
  })
  .refine(
    (logs) => (logs.files === undefined) !== (logs.nats_stream === undefined),
    "needs files or nats_stream, and not both",
  );

const MetricQuery = z.strictObject({
  metric: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/),
  promql: z.string().min(1).max(4_000),
  unit: z.string().max(40),
});

/** Calls by two labels, beside those Petrel asks for by itself. */
const DependencyQuery = z.strictObject({
  promql: z.string().min(1).max(4_000),
  caller: Label,
  callee: Label,
});

const Prometheus = z
  .strictObject({
    url: Url,
    token: Secret.optional(),
    user: z.string().optional(),
    password: Secret.optional(),
    ca_file: Path.optional(),
    timeout: Duration.default(30_000),
    step: Duration.default(60_000),
    range: Duration.default(120_000),
    lookback: Duration.default(3_600_000),
    /** How far back the memory of days begins, when nothing is remembered yet. */
    history: Duration.default(86_400_000),
    /** Alarmed windows a day for every 50 services that are accepted on healthy systems. */
    false_alarms_per_day: z.number().positive().max(288).default(1),
    service_labels: z.array(Label).min(1).default(["service", "application", "app", "job"]),
    /** Beside the catalogue; one of the same `metric` replaces it. */
    queries: z.array(MetricQuery).max(100).default([]),
    dependencies: z.array(DependencyQuery).max(20).default([]),
  })
  .refine(
    ({ user, password }) => (user === undefined) === (password === undefined),
    "user and password go together",
  );

const Grafana = z.strictObject({
  url: Url,
  token: Secret.optional(),
  ca_file: Path.optional(),
  timeout: Duration.default(10_000),
});

const Thresholds = z.strictObject({
  http_500_count_max: z.number().min(0).optional(),
  http_500_per_minute_max: z.number().min(0).optional(),
  latency_mean_ms_max: z.number().min(0).optional(),
  jvm_memory_percent_max: z.number().min(0).max(100).optional(),
});

const Rules = z.strictObject({
  defaults: Thresholds.prefault({}),
  services: z.record(z.string().min(1), Thresholds).default({}),
});

const ServiceName = z.string().min(1).max(200);

const Sre = z.strictObject({
  every: Duration.default(300_000),
  /** Wait after a window's end until its logs have arrived. */
  settle: Duration.default(20_000),
  timeout: Duration.default(240_000),
  baseline_windows: z.number().int().min(0).max(20).default(3),
  catch_up_windows: z.number().int().min(1).max(288).default(3),
  in_flight_max: z.number().int().min(1).max(1_000).default(256),
  /** Who calls whom, where neither traces nor metrics tell. */
  dependencies: z
    .array(z.strictObject({ caller: ServiceName, callee: ServiceName }))
    .max(2_000)
    .default([]),
});

const Mcp = z.strictObject({
  /** Tools that change something, such as Grafana annotations. */
  writes: z.boolean().default(false),
  port: z.number().int().min(0).max(65_535).default(8_722),
  host: z.string().default("127.0.0.1"),
  token: Secret.optional(),
});

/** The whole configuration; docs/configuration.md tells of every key. */
export const ConfigSchema = z
  .strictObject({
    nats: Nats.prefault({}),
    splunk: Splunk.optional(),
    logs: Logs.optional(),
    prometheus: Prometheus.optional(),
    grafana: Grafana.optional(),
    rules: Rules.prefault({}),
    sre: Sre.prefault({}),
    alarms: Alarms.prefault({}),
    llm: Llm.prefault({}),
    audit: Audit.prefault({}),
    kafka: Kafka.optional(),
    bridge: Bridge.prefault({}),
    mcp: Mcp.prefault({}),
    tools: Tools.prefault({}),
    gateway: Gateway.optional(),
    webhooks: Webhooks.prefault({}),
    cards: Cards.prefault({}),
    log: z
      .strictObject({ level: z.enum(["debug", "info", "warn", "error"]).default("info") })
      .prefault({}),
  })
  .refine((config) => !(config.splunk && config.logs), {
    message: "splunk and logs exclude each other: the log agent reads one of them",
    path: ["logs"],
  })
  .refine((config) => !(config.alarms.grafana && !config.grafana), {
    message: "the section grafana says where; it is missing",
    path: ["alarms", "grafana"],
  });
export type Config = z.infer<typeof ConfigSchema>;
