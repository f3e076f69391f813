/**
 * Wires the bridge: the AUDIT account on one side, Kafka on the other. One bridge per shard, all of them
 * on standby where another process is already at work.
 */
import type { AuditAccess } from "../a2a/mod.ts";
import {
  type BridgeOptions,
  batchBytesMaxOf,
  bodyStore,
  CheckpointWriter,
  ensureTopics,
  type Fact,
  type KafkaClient,
  KafkaReader,
  KafkaSink,
  kafkaTrail,
  ledgerTopicOf,
  loadSigner,
  originOf,
  postJson,
  renderMetrics,
  runBridge,
  type SignTree,
  Status,
  type StatusSnapshot,
  signCheckpoint,
  stateStore,
  type TopicSpec,
  topicsOf,
  watchLag,
} from "../bridge/mod.ts";
import { type Config, isRetryable, type Logger, newId, systemClock } from "../core/mod.ts";
import { filterOf, formatOf, kafkaOf, mirrorOptionsOf, openAudit, recorderOf } from "./kafka.ts";
import { lineWriter } from "./sinks.ts";

/** A holder that did not renew for this long has lost its shard. */
const LEASE_TERM_MS = 6_000;
const BATCH_BYTES_MAX = 8 * 1024 * 1024;
const IDLE_MS = 10_000;
const STATE_EVERY_MS = 15_000;
const LAG_EVERY_MS = 5_000;
const SETUP_RETRY_MS = 5_000;

export interface ServedBridge {
  /** One per shard. */
  readonly status: () => readonly StatusSnapshot[];
  /** Where Prometheus reads, when it may. */
  readonly metricsUrl: string | undefined;
  /** Resolves when the bridge has stopped; rejects with what no retry can mend. */
  readonly done: Promise<void>;
}

/** What the parts of a bridge have in common. */
interface Parts {
  readonly config: Config;
  readonly log: Logger;
  readonly access: AuditAccess;
  readonly client: KafkaClient;
  readonly reader: KafkaReader;
  readonly topics: ReadonlyMap<string, number>;
  readonly signal: AbortSignal;
}

/**
 * Starts the bridge; it carries until `signal` aborts. Throws CONFIG_INVALID for topics, keys and schemas
 * that do not fit, and what the AUDIT account answers. Kafka may be away: then it waits.
 */
export async function serveBridge(
  config: Config,
  log: Logger,
  options: { readonly resumeFrom?: number },
  signal: AbortSignal,
): Promise<ServedBridge> {
  const client = await kafkaOf(config, log);
  const sign = await signerOf(config);
  if (!sign) log.warn("bridge.unsigned", { path: "bridge.checkpoint.key_file" });
  const statuses = Array.from({ length: config.audit.shards }, (_, shard) => new Status(shard));
  const access = await openAudit(config, "bridge", log);
  const metrics = serveMetrics(config, statuses);
  const carrying = async () => {
    const reader = new KafkaReader({ client });
    try {
      const topics = await readyTopics(config, client, log, signal);
      if (!topics) return;
      const parts = { config, log, access, client, reader, topics, signal };
      await carryAll(parts, statuses, sign, options.resumeFrom);
    } finally {
      await reader.close();
      await access.close();
      await metrics?.stop(true);
    }
  };
  return {
    status: () => statuses.map(({ snapshot }) => snapshot),
    metricsUrl: metrics && `http://${metrics.hostname}:${metrics.port}/metrics`,
    done: carrying(),
  };
}

async function carryAll(
  parts: Parts,
  statuses: readonly Status[],
  sign: SignTree | undefined,
  resumeFrom: number | undefined,
): Promise<void> {
  const { config, access, log, signal } = parts;
  const { recorder, kv, bodies, states } = await storesOf(parts);
  const failed = new AbortController();
  const running = AbortSignal.any([signal, failed.signal]);
  const writers: CheckpointWriter[] = [];
  const instance = newId();
  const shards = statuses.map(async (status, shard) => {
    const checkpoints = checkpointWriter(config, sign, log);
    writers.push(checkpoints);
    const filter = filterOf(config, shard);
    const options: BridgeOptions = {
      js: access.js,
      jsm: access.jsm,
      kv,
      shard,
      ...(filter === undefined ? {} : { filter }),
      ...(resumeFrom === undefined ? {} : { resumeFrom }),
      instance,
      leaseTermMs: LEASE_TERM_MS,
      newSink: () => newSink(parts, shard),
      trail: kafkaTrail(parts.reader, formatOf(config), config.audit.shards),
      ledgerTopic: ledgerTopicOf(config.bridge.topics),
      recorder,
      bodies,
      states,
      stateEveryMs: STATE_EVERY_MS,
      checkpoints,
      mirror: mirrorOptionsOf(config),
      status,
      batchRecords: config.bridge.batch_records,
      batchBytes: BATCH_BYTES_MAX,
      lingerMs: config.bridge.linger,
      idleMs: Math.min(IDLE_MS, config.bridge.checkpoint.every),
      onAlarm: (fact) => alarm(config, log, running, fact),
      clock: systemClock,
      log: log.with({ shard }),
    };
    const low = (lag: object) => alarm(config, log, running, { kind: "headroom", shard, ...lag });
    const watch = { jsm: access.jsm, status, everyMs: LAG_EVERY_MS, onLow: low };
    const watching = watchLag({ ...watch, clock: systemClock, log }, running);
    try {
      await runBridge(options, running);
    } finally {
      failed.abort();
      await watching;
    }
  });
  const ended = await Promise.allSettled(shards);
  await Promise.all(writers.map((writer) => writer.close()));
  for (const outcome of ended) if (outcome.status === "rejected") throw outcome.reason;
}

async function storesOf({ config, access, log, signal }: Parts) {
  const [recorder, kv, bodies, snapshots] = await Promise.all([
    recorderOf(config, signal),
    access.leases(),
    access.bodies(),
    access.snapshots(),
  ]);
  return { recorder, kv, bodies: bodyStore(bodies), states: stateStore(snapshots, log) };
}

function newSink({ config, client, topics, log }: Parts, shard: number): KafkaSink {
  return new KafkaSink({
    client,
    transactionalId: `${config.bridge.topics.prefix}.bridge.${shard}`,
    topics,
    batchBytesMax: batchBytesMaxOf(config.bridge.record_bytes_max),
    logger: log,
  });
}

/** The topics and their partitions, once Kafka has them; undefined when we are stopped before. */
async function readyTopics(
  config: Config,
  client: KafkaClient,
  log: Logger,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number> | undefined> {
  const specs = specsOf(config);
  const { create, replication } = config.bridge.topics;
  while (!signal.aborted) {
    try {
      const report = await client.withAdmin(
        (admin) => ensureTopics(admin, specs, { create, replication, signal }),
        signal,
      );
      for (const topic of report.created) log.info("kafka.topic_made", { topic });
      for (const warning of report.warnings) log.warn("kafka.topic", { warning });
      return new Map(specs.map(({ topic, partitions }) => [topic, partitions]));
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!isRetryable(error)) throw error;
      log.warn("kafka.away", { error });
      await systemClock.sleep(SETUP_RETRY_MS, signal).catch(() => {});
    }
  }
  return undefined;
}

function specsOf(config: Config): TopicSpec[] {
  const { topics, record_bytes_max: recordBytesMax } = config.bridge;
  const { partitions } = topics;
  const records = topicsOf(topics).map((topic) => ({ topic, partitions, recordBytesMax }));
  const shards = config.audit.shards;
  const ledger = { topic: ledgerTopicOf(topics), partitions: shards, recordBytesMax };
  const checkpoints = { topic: `${topics.prefix}.checkpoints`, partitions: 1, recordBytesMax };
  return [...records, ledger, checkpoints];
}

async function signerOf({ bridge }: Config): Promise<SignTree | undefined> {
  const file = bridge.checkpoint.key_file;
  if (file === undefined) return undefined;
  const signer = await loadSigner(file);
  return ({ tree, size, root, timeMs: atMs, nextSeq }) =>
    signCheckpoint({ origin: originOf(tree), size, root, atMs, nextSeq }, [signer]);
}

function checkpointWriter(
  { bridge }: Config,
  sign: SignTree | undefined,
  log: Logger,
): CheckpointWriter {
  const { every: everyMs, file, webhook } = bridge.checkpoint;
  return new CheckpointWriter({
    topic: `${bridge.topics.prefix}.checkpoints`,
    sign,
    everyMs,
    ...(file === undefined ? {} : { file }),
    ...(webhook === undefined ? {} : { webhook: { ...webhook, timeoutMs: webhook.timeout } }),
    clock: systemClock,
    log,
  });
}

/** Says that the audit is not whole: in the log, and wherever the configuration sends alarms. */
function alarm(
  { alarms }: Config,
  log: Logger,
  signal: AbortSignal,
  what: Fact | { readonly kind: "headroom"; readonly shard: number },
): void {
  const { kind, ...fields } = what;
  const told = { type: "petrel.audit.alarm/v1", kind, ...plain(fields) };
  log.error("audit.alarm", { kind, ...plain(fields) });
  const undelivered = (error: unknown) => log.error("alarm.undelivered", { kind, error });
  try {
    if (alarms.jsonl !== undefined) lineWriter(alarms.jsonl)(`${JSON.stringify(told)}\n`);
  } catch (error) {
    // The audit goes on; a full disk has been logged.
    undelivered(error);
  }
  if (!alarms.webhook) return;
  const webhook = { ...alarms.webhook, timeoutMs: alarms.webhook.timeout };
  postJson(webhook, told, { clock: systemClock, signal }).catch(undelivered);
}

/** The fields that may leave: no body, no nested thing. */
function plain(fields: object): Record<string, string | number | boolean> {
  const entries = Object.entries(fields).filter(([, value]) =>
    /^(?:str|num|boo)/.test(typeof value),
  );
  return Object.fromEntries(entries);
}

function serveMetrics({ bridge }: Config, statuses: readonly Status[]) {
  if (!bridge.metrics) return undefined;
  const { host: hostname, port } = bridge.metrics;
  return Bun.serve({
    hostname,
    port,
    fetch: (request) => {
      if (new URL(request.url).pathname !== "/metrics") return new Response("", { status: 404 });
      const text = renderMetrics(statuses.map(({ snapshot }) => snapshot));
      return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4" } });
    },
  });
}
