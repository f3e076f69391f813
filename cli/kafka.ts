/** Kafka, and what the audit's records are made with, as the configuration says. */
import { AUDIT_STREAM, AuditAccess } from "../a2a/mod.ts";
import {
  type Format,
  type KafkaClient,
  kafkaClient,
  type MirrorOptions,
  makeEncoder,
  makeRecorder,
  type Recorder,
  registerSchemas,
  type SchemaIds,
  SchemaRegistry,
  type TopicOptions,
} from "../bridge/mod.ts";
import { type Config, type Logger, PetrelError, systemClock } from "../core/mod.ts";
import { redactorOf } from "./redaction.ts";
import { credentialsOf, natsOf, tlsFiles } from "./wire.ts";

/** A client of the Kafka that the configuration names; connects nothing yet. */
export function kafkaOf({ kafka }: Config, log: Logger): Promise<KafkaClient> {
  if (!kafka) {
    throw new PetrelError("CONFIG_INVALID", "configuration: kafka is not configured", {
      path: "kafka",
    });
  }
  const { brokers, client_id: clientId, timeout: timeoutMs, tls, sasl } = kafka;
  return kafkaClient({ brokers, clientId, timeoutMs, tls: tls && tlsFiles(tls), sasl }, log);
}

/** The connection to the AUDIT account, or to the mesh's own where there is none. */
export function openAudit(config: Config, name: string, log: Logger): Promise<AuditAccess> {
  const { account, retention_days: retentionDays } = config.audit;
  const { servers, tls, credentials } = natsOf(config);
  return AuditAccess.open({
    servers,
    name,
    log,
    retentionDays,
    ...(tls === undefined ? {} : { tls }),
    credentials,
    ...(account === undefined ? {} : { account: credentialsOf(account) }),
  });
}

/** The bridge's settings by the names bridge/ gives them. */
export function formatOf({ bridge }: Config): TopicOptions & Format {
  const { topics, content, encoding } = bridge;
  return { prefix: topics.prefix, layout: topics.layout, content, encoding };
}

export function mirrorOptionsOf({ audit, bridge }: Config): MirrorOptions {
  const { horizon: horizonMs, silence: silenceMs } = bridge;
  return { stream: AUDIT_STREAM, horizonMs, silenceMs, isWhole: audit.shards === 1 };
}

/** The subjects of a shard; undefined when there is but one. */
export function filterOf({ audit }: Config, shard: number): string | undefined {
  return audit.shards === 1 ? undefined : `audit.*.*.${shard}`;
}

/** Makes records as the bridge does. Asks the registry for its schemas' ids where there is one. */
export async function recorderOf(config: Config, signal: AbortSignal): Promise<Recorder> {
  const format = formatOf(config);
  const schemaIds = await schemaIdsOf(config, format, signal);
  return makeRecorder({
    redactor: await redactorOf(config),
    encode: makeEncoder({ ...format, ...(schemaIds === undefined ? {} : { schemaIds }) }),
    valueBytesMax: config.bridge.record_bytes_max,
  });
}

async function schemaIdsOf(
  { bridge }: Config,
  format: TopicOptions & Format,
  signal: AbortSignal,
): Promise<SchemaIds | undefined> {
  if (!bridge.registry) return undefined;
  const { url, user, password, timeout: timeoutMs } = bridge.registry;
  const registry = new SchemaRegistry({
    url,
    timeoutMs,
    clock: systemClock,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
  });
  return registerSchemas(registry, format, signal);
}
