/**
 * The configuration: the only file that reads it. A YAML file, `${NAME}` in it replaced from the
 * environment, checked by one schema that refuses unknown keys. Secrets are only ever named, never shown.
 */
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf, PetrelError } from "./errors.ts";
import { parseDurationMs } from "./window.ts";

/** A timer counts to 2^31 - 1 ms, nearly 25 days; a longer wait would end at once. */
const DURATION_MS_MAX = 20 * 86_400_000;

const Duration = z
  .string()
  .refine(isDuration, "must be a duration such as 30s, 5m or 1h, at most 20d")
  .transform((text) => parseDurationMs(text));
const Url = z.url({ protocol: /^https?$/ });
const Label = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be a Prometheus label name");
const Secret = z.string().min(1);
const Path = z.string().min(1);

const Tls = z.strictObject({
  ca_file: Path.optional(),
  cert_file: Path.optional(),
  key_file: Path.optional(),
});

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
    lookback: Duration.default(1_800_000),
    service_labels: z.array(Label).min(1).default(["service", "application", "app", "job"]),
    /** Beside the catalogue; one of the same `metric` replaces it. */
    queries: z.array(MetricQuery).max(100).default([]),
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

const Sre = z.strictObject({
  every: Duration.default(300_000),
  /** Wait after a window's end until its logs have arrived. */
  settle: Duration.default(20_000),
  timeout: Duration.default(240_000),
  baseline_windows: z.number().int().min(0).max(20).default(3),
  catch_up_windows: z.number().int().min(1).max(288).default(3),
  in_flight_max: z.number().int().min(1).max(1_000).default(256),
  /** The same cause again after a pause this long is a new incident. */
  reopen_after: Duration.default(1_800_000),
});

const Alarms = z.strictObject({
  /** Where JSON lines go: `-` for standard output, or a file that is appended to. */
  jsonl: z.string().optional(),
  webhook: z
    .strictObject({
      url: Url,
      timeout: Duration.default(10_000),
      headers: z.record(z.string(), z.string()).default({}),
    })
    .optional(),
});

const Llm = z.strictObject({
  enabled: z.boolean().default(true),
  timeout: Duration.default(60_000),
  tokens_max: z.number().int().min(100).max(8_000).default(1_500),
});

const Audit = z.strictObject({ retention_days: z.number().int().min(1).max(3_660).default(30) });

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
    mcp: Mcp.prefault({}),
    log: z
      .strictObject({ level: z.enum(["debug", "info", "warn", "error"]).default("info") })
      .prefault({}),
  })
  .refine((config) => !(config.splunk && config.logs), {
    message: "splunk and logs exclude each other: the log agent reads one of them",
    path: ["logs"],
  });
export type Config = z.infer<typeof ConfigSchema>;

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that may come from the environment alone: `[variable, path]`. */
const FROM_ENVIRONMENT = [
  ["PETREL_NATS_URL", ["nats", "servers"]],
  ["SPLUNK_URL", ["splunk", "url"]],
  ["SPLUNK_TOKEN", ["splunk", "token"]],
  ["PROMETHEUS_URL", ["prometheus", "url"]],
  ["GRAFANA_URL", ["grafana", "url"]],
  ["GRAFANA_TOKEN", ["grafana", "token"]],
] as const;

const DEFAULT_FILE = "petrel.yaml";

/**
 * Loads the configuration of `file`, else of $PETREL_CONFIG, else of ./petrel.yaml if it is there, else
 * the defaults. Throws CONFIG_INVALID naming the file, the key and what was expected.
 */
export function loadConfig(options: { file?: string; env?: Environment } = {}): Config {
  const env = options.env ?? process.env;
  const named = options.file ?? (env.PETREL_CONFIG || undefined);
  const file = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  return parseConfig(file === undefined ? "" : readText(file), env, file ?? "configuration");
}

/** Checks one configuration text. `source` is what errors call it. */
export function parseConfig(text: string, env: Environment, source: string): Config {
  const raw = readYaml(text, source) ?? {};
  if (typeof raw !== "object" || Array.isArray(raw)) {
    throw new PetrelError("CONFIG_INVALID", `${source}: must be a mapping of keys`, { path: "" });
  }
  const merged = withEnvironment(expand(raw, env, source, []), env);
  const parsed = ConfigSchema.safeParse(merged);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].join(".");
  const what = unknown === undefined ? (issue?.message ?? "invalid") : "unknown key";
  throw new PetrelError("CONFIG_INVALID", `${source}: ${path || "(root)"}: ${what}`, {
    path,
    source,
  });
}

/** The LLM's settings, from the variables its own tools use. Undefined when none is set. */
export function llmEnvironment(env: Environment = process.env): Record<string, string> | undefined {
  const names = [
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_MODEL",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_API_INSTANCE_NAME",
    "AZURE_OPENAI_DEPLOYMENT",
    "AZURE_OPENAI_API_DEPLOYMENT_NAME",
    "AZURE_OPENAI_API_VERSION",
    "AZURE_OPENAI_MODEL",
  ];
  const set = names.flatMap((name) => (env[name] ? [[name, env[name]]] : []));
  return set.length > 0 ? Object.fromEntries(set) : undefined;
}

function isDuration(text: string): boolean {
  try {
    const ms = parseDurationMs(text);
    return ms > 0 && ms <= DURATION_MS_MAX;
  } catch {
    return false;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new PetrelError(
      "CONFIG_INVALID",
      `${file}: ${messageOf(error)}`,
      { path: "", source: file },
      error,
    );
  }
}

function readYaml(text: string, source: string): unknown {
  try {
    return text.trim() === "" ? {} : Bun.YAML.parse(text);
  } catch (error) {
    throw new PetrelError(
      "CONFIG_INVALID",
      `${source}: not YAML: ${messageOf(error)}`,
      { path: "", source },
      error,
    );
  }
}

/** The schema is four levels deep; a YAML alias may hold itself. */
const DEPTH_MAX = 20;

/** Replaces `${NAME}` in every string; a name that is not set is an error that names the key. */
function expand(
  value: unknown,
  env: Environment,
  source: string,
  path: readonly string[],
): unknown {
  if (path.length > DEPTH_MAX) {
    const key = path.slice(0, 3).join(".");
    throw new PetrelError("CONFIG_INVALID", `${source}: ${key}: nested too deeply`, {
      path: key,
      source,
    });
  }
  if (typeof value === "string") {
    return value.replace(/\$\{([A-Z_][A-Z0-9_]*)\}/g, (_match, name: string) => {
      const found = env[name];
      if (found !== undefined) return found;
      const key = path.join(".");
      throw new PetrelError("CONFIG_INVALID", `${source}: ${key}: the environment has no ${name}`, {
        path: key,
        source,
      });
    });
  }
  if (Array.isArray(value))
    return value.map((item, index) => expand(item, env, source, [...path, String(index)]));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, expand(item, env, source, [...path, key])]),
  );
}

/** Adds what the environment sets and the file leaves out. */
function withEnvironment(value: unknown, env: Environment): unknown {
  const config: Record<string, unknown> = { ...(typeof value === "object" ? value : {}) };
  for (const [name, [section, key]] of FROM_ENVIRONMENT) {
    const set = env[name];
    if (!set) continue;
    const current = config[section];
    if (current !== undefined && (typeof current !== "object" || current === null)) continue;
    const given = key === "servers" ? set.split(",").map((server) => server.trim()) : set;
    config[section] = { [key]: given, ...current };
  }
  return config;
}
