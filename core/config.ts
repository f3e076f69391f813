/**
 * The configuration: the only file that reads it. A YAML file, `${NAME}` in it replaced from the
 * environment, checked by one schema that refuses unknown keys. Secrets are only ever named, never shown.
 */
import { existsSync, readFileSync } from "node:fs";
import { type Config, ConfigSchema } from "./config-schema.ts";
import { messageOf, PetrelError } from "./errors.ts";

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
