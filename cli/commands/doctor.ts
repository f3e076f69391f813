/** `petrel doctor`: is the configuration right, and does every system it names answer? */
import { AUDIT_STREAM } from "../../a2a/mod.ts";
import { decodeLedger, KafkaReader, ledgerTopicOf, type StoredRecord } from "../../bridge/mod.ts";
import { type Config, messageOf, PetrelError, silentLogger, systemClock } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { kafkaOf, openAudit } from "../kafka.ts";
import { redactorOf } from "../redaction.ts";
import { colour, count, oneLine } from "../render/text.ts";
import { sinksOf } from "../sinks.ts";
import {
  grafanaClient,
  llmOf,
  prometheusClient,
  splunkClient,
  splunkDefaults,
} from "../systems.ts";
import { toolsOf } from "../tools.ts";
import { openMesh } from "../wire.ts";

const OPTIONS = { ...CONFIG_OPTIONS, json: { type: "boolean" } } as const;

const NANOS_PER_DAY = 86_400 * 1e9;

interface Finding {
  readonly system: string;
  readonly state: "ok" | "failed" | "not_configured";
  readonly detail: string;
}

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const config = configFrom(values);
  const findings = await Promise.all([
    check("nats", true, () => checkNats(config)),
    check("splunk", config.splunk !== undefined, () => checkSplunk(config, signal)),
    check("prometheus", config.prometheus !== undefined, () => checkPrometheus(config, signal)),
    check("grafana", config.grafana !== undefined, () => checkGrafana(config, signal)),
    check("audit", true, () => checkAudit(config)),
    check("kafka", config.kafka !== undefined, () => checkKafka(config, signal)),
    check("alarms", sinksOf(config).length > 0, async () => sinkWords(config)),
    check("tools", config.tools.servers.length > 0, () => checkTools(config, signal)),
    check("llm", llmOf(config) !== undefined, async () => `${llmOf(config)?.name} (not called)`),
  ]);
  if (values.json) process.stdout.write(`${JSON.stringify({ systems: findings })}\n`);
  else for (const finding of findings) process.stdout.write(`${words(finding)}\n`);
  return findings.some(({ state }) => state === "failed") ? 1 : 0;
}

async function check(
  system: string,
  configured: boolean,
  ask: () => Promise<string>,
): Promise<Finding> {
  if (!configured) return { system, state: "not_configured", detail: "" };
  try {
    return { system, state: "ok", detail: await ask() };
  } catch (error) {
    const code = error instanceof PetrelError ? `${error.code}: ` : "";
    return { system, state: "failed", detail: `${code}${messageOf(error)}` };
  }
}

async function checkNats(config: Config): Promise<string> {
  const mesh = await openMesh(config, "cli", silentLogger);
  const { serverVersion } = mesh;
  await mesh.close();
  return `nats-server ${serverVersion}, JetStream on`;
}

async function checkAudit(config: Config): Promise<string> {
  const access = await openAudit(config, "cli", silentLogger);
  try {
    const { state, config: stream } = await access.jsm.streams.info(AUDIT_STREAM);
    const days = stream.max_age / NANOS_PER_DAY;
    const key = config.audit.redaction.key_file === undefined ? ", redaction without a key" : "";
    await redactorOf(config);
    return `${count(state.messages)} packs in stream ${AUDIT_STREAM}, kept ${days} days${key}`;
  } finally {
    await access.close();
  }
}

/** Whether Kafka answers, and how far the bridge is behind. */
async function checkKafka(config: Config, signal: AbortSignal): Promise<string> {
  const client = await kafkaOf(config, silentLogger);
  const reader = new KafkaReader({ client, patienceMs: config.kafka?.timeout });
  const topic = ledgerTopicOf(config.bridge.topics);
  const access = await openAudit(config, "cli", silentLogger);
  try {
    const shards = await reader.offsetsOf(topic, signal);
    const { state } = await access.jsm.streams.info(AUDIT_STREAM);
    const behind: string[] = [];
    for (const { partition } of shards) {
      const last = await reader.lastRecord(topic, partition, signal);
      behind.push(`shard ${partition}: ${last ? progressOf(last, state.last_seq) : "not begun"}`);
    }
    return `answered; ${behind.join(", ")}`;
  } finally {
    await Promise.all([reader.close(), access.close()]);
  }
}

function progressOf(last: StoredRecord, lastSeq: number): string {
  const { nextSeq, size } = decodeLedger(last.value, `${last.topic}/${last.partition}`);
  return `${count(size)} records, ${count(Math.max(0, lastSeq + 1 - nextSeq))} packs behind`;
}

async function checkSplunk(config: Config, signal: AbortSignal): Promise<string> {
  const { index } = splunkDefaults(config);
  const endMs = Math.floor(systemClock.nowMs() / 1000) * 1000;
  const window = { startMs: endMs - 60_000, endMs };
  const bounds = { rowsMax: 1, bytesMax: 64 * 1024 };
  const { rows } = await splunkClient(config).job({ index, window }, bounds, signal);
  return `search answered, ${rows.length === 0 ? "no" : "there are"} rows in index ${index} in the last minute`;
}

async function checkPrometheus(config: Config, signal: AbortSignal): Promise<string> {
  const { items } = await prometheusClient(config).labels({ limit: 1_000 }, signal);
  return `answered, ${items.length} label names`;
}

async function checkGrafana(config: Config, signal: AbortSignal): Promise<string> {
  const { hits } = await grafanaClient(config).search("", 50, signal);
  return `answered, ${hits.length} dashboards`;
}

/** Where alarms go, and from which severity on. Nothing is sent: a test alarm would wake somebody. */
function sinkWords(config: Config): string {
  const sinks = sinksOf(config).map(({ name, minSeverity }) => `${name} from ${minSeverity}`);
  return `${sinks.join(", ")} (nothing sent)`;
}

/** Whether each MCP server that the configuration names answers, and has a tool that is allowed. */
async function checkTools(config: Config, signal: AbortSignal): Promise<string> {
  const { redact } = await redactorOf(config);
  const { servers } = config.tools;
  const toolbox = await toolsOf({ ...config, tools: { ...config.tools, own: false } }, redact);
  try {
    const tools = (await toolbox?.list(signal)) ?? [];
    const counts = servers.map(({ name }) => ({
      name,
      offered: tools.filter((tool) => tool.name.startsWith(`${name}__`)).length,
    }));
    const without = counts.filter(({ offered }) => offered === 0).map(({ name }) => name);
    if (without.length > 0) {
      const message = `no allowed tool at ${without.join(", ")}: away, or nothing on its list`;
      throw new PetrelError("UNAVAILABLE", message, { servers: without.join(",") });
    }
    return counts.map(({ name, offered }) => `${name} ${offered} tools`).join(", ");
  } finally {
    await toolbox?.[Symbol.asyncDispose]();
  }
}

function words({ system, state, detail }: Finding): string {
  const mark = {
    ok: colour("green", "ok"),
    failed: colour("red", "failed"),
    not_configured: colour("grey", "not configured"),
  };
  return `${system.padEnd(11)} ${mark[state]}  ${oneLine(detail, 300)}`.trimEnd();
}
