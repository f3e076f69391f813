/**
 * The topics of the audit: made when they may be, and checked in any case. What exists is never changed: a
 * topic that does not fit is the operator's to decide about.
 */
import type { Admin, ConfigResourceTypes } from "kafkajs";
import { type Clock, PetrelError, systemClock, withRetry } from "../../core/mod.ts";
import { kafkaCodeOf, kafkaError, TOPIC_ALREADY_EXISTS } from "./errors.ts";

export interface TopicSpec {
  readonly topic: string;
  /** A key's partition follows from it: it must be what is found, and never changes. */
  readonly partitions: number;
  /** Largest body of a record that goes there. */
  readonly recordBytesMax: number;
  /** How long records stay in a topic that is made here. Default: for ever. */
  readonly retentionMs?: number | undefined;
}

export interface EnsureOptions {
  /** Makes what is missing; otherwise that is an error. */
  readonly create: boolean;
  /** Replicas of a topic that is made here. Default: the brokers' own. */
  readonly replication?: number | undefined;
  /** Milliseconds for brokers that are not ready. Default 30 s. */
  readonly patienceMs?: number | undefined;
  readonly signal: AbortSignal;
  readonly clock?: Clock | undefined;
}

/** What was done, and what an operator should know. */
export interface TopicsReport {
  readonly created: readonly string[];
  /** One sentence each, naming the topic. */
  readonly warnings: readonly string[];
}

/** Kafka's own default of max.message.bytes. */
const MESSAGE_BYTES_DEFAULT = 1_048_588;
/** A record's headers and key beside its body; and what a compressor may add to what it cannot compress. */
const OVERHEAD_BYTES = 65_536;
const PATIENCE_MS = 30_000;
const RETRY = { firstMs: 100, capMs: 1_000, attemptsMax: 1_000 };
const FOR_EVER = -1;
/** What a reader of ours can undo. */
const CODECS_READ = new Set(["producer", "uncompressed", "gzip", "zstd"]);
const CHECKED = [
  "cleanup.policy",
  "compression.type",
  "max.message.bytes",
  "message.timestamp.type",
  "min.insync.replicas",
  "retention.bytes",
  "retention.ms",
] as const;
type Setting = (typeof CHECKED)[number];
/** The value of a setting as the broker tells it. */
type Settings = (setting: Setting) => string;

/** Largest batch of one send when no record's body is larger: the sink's `batchBytesMax`. */
export function batchBytesMaxOf(recordBytesMax: number): number {
  return Math.max(MESSAGE_BYTES_DEFAULT, recordBytesMax + 2 * OVERHEAD_BYTES) - OVERHEAD_BYTES;
}

/** What a topic's max.message.bytes must allow. */
function messageBytesMaxOf(recordBytesMax: number): number {
  return batchBytesMaxOf(recordBytesMax) + OVERHEAD_BYTES;
}

/**
 * Makes the topics that are missing and checks all of them. Throws CONFIG_INVALID naming the topic, what was
 * found and what is expected: another number of partitions, compaction, a broker's own timestamps, a codec or
 * a size that does not fit; and naming all that are missing when none may be made. Throws UNAUTHENTICATED for
 * what an ACL refuses, UNAVAILABLE when the brokers are not ready in time.
 */
export async function ensureTopics(
  admin: Admin,
  specs: readonly TopicSpec[],
  options: EnsureOptions,
): Promise<TopicsReport> {
  const clock = options.clock ?? systemClock;
  const deadlineMs = clock.nowMs() + (options.patienceMs ?? PATIENCE_MS);
  const { signal } = options;
  const retrying = <T>(work: () => Promise<T>) =>
    withRetry(RETRY, { clock, signal, deadlineMs }, work);
  const there = new Set(
    await retrying(() => asked("listing topics", undefined, () => admin.listTopics())),
  );
  const missing = specs.filter(({ topic }) => !there.has(topic));
  if (missing.length > 0 && !options.create) throw allMissing(missing);
  const created: string[] = [];
  for (const spec of missing) {
    if (await retrying(() => create(admin, spec, options))) created.push(spec.topic);
  }
  const warnings: string[] = [];
  for (const spec of specs) {
    // A new topic is known to all brokers a moment later.
    warnings.push(...(await retrying(() => check(admin, spec))));
  }
  return { created, warnings };
}

/** False when another was quicker. */
async function create(
  admin: Admin,
  { topic, partitions, recordBytesMax, retentionMs = FOR_EVER }: TopicSpec,
  { replication }: EnsureOptions,
): Promise<boolean> {
  const settings = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "max.message.bytes": messageBytesMaxOf(recordBytesMax),
    "message.timestamp.type": "CreateTime",
    "retention.bytes": FOR_EVER,
    "retention.ms": retentionMs,
    ...(replication !== undefined && replication >= 3 ? { "min.insync.replicas": 2 } : {}),
  };
  const wanted = {
    topic,
    numPartitions: partitions,
    ...(replication === undefined ? {} : { replicationFactor: replication }),
    configEntries: Object.entries(settings).map(([name, value]) => ({ name, value: `${value}` })),
  };
  try {
    return await asked("creating", topic, () =>
      admin.createTopics({ topics: [wanted], waitForLeaders: false }),
    );
  } catch (error) {
    if (kafkaCodeOf(error) === TOPIC_ALREADY_EXISTS) return false;
    throw error;
  }
}

/** Throws when the topic does not fit; returns what is only worth knowing. */
async function check(admin: Admin, spec: TopicSpec): Promise<readonly string[]> {
  const { topic, partitions } = spec;
  const { topics } = await asked("describing", topic, () =>
    admin.fetchTopicMetadata({ topics: [topic] }),
  );
  const found = topics.find(({ name }) => name === topic)?.partitions ?? [];
  if (found.length !== partitions) {
    throw unfit(
      topic,
      "partitions",
      `${found.length}`,
      `${partitions}: a key must keep its partition`,
    );
  }
  const settings = await settingsOf(admin, topic);
  checkSettings(spec, settings);
  const replicas = Math.min(...found.map((partition) => partition.replicas.length));
  return warningsOf(topic, settings, replicas);
}

interface ResourceTypes {
  readonly resourceTypes: { readonly TOPIC: ConfigResourceTypes.TOPIC };
}

async function settingsOf(admin: Admin, topic: string): Promise<Settings> {
  const { resourceTypes }: ResourceTypes = await import("./kafkajs-parts.ts");
  const { resources } = await asked("describing the configuration of", topic, () =>
    admin.describeConfigs({
      resources: [{ type: resourceTypes.TOPIC, name: topic, configNames: [...CHECKED] }],
      includeSynonyms: false,
    }),
  );
  const entries = resources[0]?.configEntries ?? [];
  return (setting) => entries.find(({ configName }) => configName === setting)?.configValue ?? "";
}

function checkSettings({ topic, recordBytesMax }: TopicSpec, settings: Settings): void {
  const policy = settings("cleanup.policy");
  if (policy.includes("compact")) {
    throw unfit(topic, "cleanup.policy", policy, "delete: compaction removes records");
  }
  const time = settings("message.timestamp.type");
  if (time !== "CreateTime") {
    throw unfit(
      topic,
      "message.timestamp.type",
      time,
      "CreateTime: a record's time is part of its proof",
    );
  }
  const codec = settings("compression.type");
  if (!CODECS_READ.has(codec)) {
    throw unfit(topic, "compression.type", codec, "producer: others are not read by Petrel");
  }
  const bytes = settings("max.message.bytes");
  const needed = messageBytesMaxOf(recordBytesMax);
  if (Number(bytes) < needed) throw unfit(topic, "max.message.bytes", bytes, `at least ${needed}`);
}

function warningsOf(topic: string, settings: Settings, replicas: number): readonly string[] {
  const warnings: string[] = [];
  const warn = (setting: Setting, why: string) => {
    warnings.push(`${topic}: ${setting} is ${settings(setting)}: ${why}`);
  };
  if (Number(settings("retention.ms")) >= 0) warn("retention.ms", "older records leave Kafka");
  if (Number(settings("retention.bytes")) >= 0) warn("retention.bytes", "the oldest leave Kafka");
  if (replicas >= 3 && Number(settings("min.insync.replicas")) < 2) {
    warn(
      "min.insync.replicas",
      "a record may be acknowledged by one broker alone, and lost with it",
    );
  }
  return warnings;
}

async function asked<T>(
  doing: string,
  topic: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw kafkaError(error, { doing, topic });
  }
}

function allMissing(specs: readonly TopicSpec[]): PetrelError {
  const names = specs.map(({ topic }) => topic).join(", ");
  const message = `kafka: topics that are missing, or not visible to this user: ${names}; create them or set bridge.topics.create`;
  return new PetrelError("CONFIG_INVALID", message, {
    path: "bridge.topics.create",
    topics: names,
  });
}

function unfit(topic: string, setting: string, found: string, expected: string): PetrelError {
  const message = `kafka: ${topic}: ${setting} is ${found}, expected ${expected}`;
  return new PetrelError("CONFIG_INVALID", message, { topic, setting, found, expected });
}
