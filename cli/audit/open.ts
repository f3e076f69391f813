/** Where the audit commands read from: Kafka or JetStream, as the configuration and the words say. */
import type { AuditAccess } from "../../a2a/mod.ts";
import {
  KafkaReader,
  KafkaTrail,
  ledgerTopicOf,
  readJetStream,
  type TrailEntry,
  topicsOf,
  type Unreadable,
} from "../../bridge/mod.ts";
import { type Config, messageOf, PetrelError, silentLogger } from "../../core/mod.ts";
import { kafkaOf, mirrorOptionsOf, openAudit, recorderOf } from "../kafka.ts";
import { colour, oneLine } from "../render/text.ts";

/** Every partition is read at once, two blocks each. */
const BLOCK_BYTES_MAX = 512 * 1024;

export const SOURCE_OPTIONS = {
  "from-kafka": { type: "boolean" },
  "from-jetstream": { type: "boolean" },
} as const;

export interface SourceValues {
  readonly "from-kafka"?: boolean | undefined;
  readonly "from-jetstream"?: boolean | undefined;
}

/** The trail, from wherever it is read. */
export interface Source {
  readonly kind: "kafka" | "jetstream";
  /** For people: `Kafka 127.0.0.1:9092 petrel.audit.* (read_committed)`. */
  readonly words: string;
  /** All records, from the beginning; each call reads anew. */
  read(): AsyncIterable<TrailEntry | Unreadable>;
  readonly kafka?: KafkaTrail;
  close(): Promise<void>;
}

/** How long brokers may take to answer: before JetStream is read instead, and before we give up. */
const REACHABLE_MS = 3_000;
const PATIENCE_MS = 8_000;

/**
 * Opens the source that was asked for; without a word Kafka where it is configured and answers, else
 * JetStream, saying on standard error why.
 */
export async function openSource(
  config: Config,
  values: SourceValues,
  signal: AbortSignal,
): Promise<Source> {
  const [fromKafka, fromJetStream] = [values["from-kafka"], values["from-jetstream"]];
  if (fromKafka && fromJetStream)
    throw new PetrelError("USAGE", "--from-kafka and --from-jetstream exclude each other");
  if (fromJetStream) return jetStreamSource(config, signal);
  if (fromKafka) return kafkaSource(config, signal);
  if (!config.kafka) return jetStreamSource(config, signal);
  try {
    return await kafkaSource(config, signal, REACHABLE_MS);
  } catch (error) {
    signal.throwIfAborted();
    const why = oneLine(messageOf(error), 300);
    process.stderr.write(`${colour("yellow", "petrel:")} reading JetStream instead: ${why}\n`);
    return jetStreamSource(config, signal);
  }
}

async function kafkaSource(
  config: Config,
  signal: AbortSignal,
  patienceMs = PATIENCE_MS,
): Promise<Source> {
  const kafka = await openKafka(config, signal, patienceMs);
  const { prefix, layout } = config.bridge.topics;
  const brokers = config.kafka?.brokers.join(", ") ?? "";
  const topics = layout === "one" ? prefix : `${prefix}.*`;
  return {
    kind: "kafka",
    words: `Kafka ${oneLine(brokers, 200)} · ${topics} · read_committed`,
    read: () => kafka.entries(),
    kafka,
    close: () => kafka.close(),
  };
}

async function jetStreamSource(config: Config, signal: AbortSignal): Promise<Source> {
  const recorder = await recorderOf(withoutRegistry(config), signal);
  const access = await openAuditStream(config);
  const { js, jsm } = access;
  const mirror = mirrorOptionsOf(config);
  return {
    kind: "jetstream",
    words: `JetStream ${oneLine(access.nc.getServer(), 200)} · AUDIT`,
    read: () => readJetStream({ js, jsm, recorder, mirror, signal }),
    close: () => access.close(),
  };
}

/**
 * The trail in Kafka. Throws CONFIG_INVALID when there is no kafka in the configuration, UNAVAILABLE when
 * no broker answers within `patienceMs`, and what Kafka says of topics that are not there.
 */
export async function openKafka(
  config: Config,
  signal: AbortSignal,
  patienceMs = PATIENCE_MS,
): Promise<KafkaTrail> {
  const client = await kafkaOf(config, silentLogger);
  const { topics } = config.bridge;
  const ledgerTopic = ledgerTopicOf(topics);
  const probe = new KafkaReader({ client, patienceMs });
  try {
    await probe.offsetsOf(ledgerTopic, signal);
  } finally {
    await probe.close();
  }
  return new KafkaTrail({
    newReader: () => new KafkaReader({ client, blockBytesMax: BLOCK_BYTES_MAX }),
    topics: topicsOf(topics),
    ledgerTopic,
    checkpointTopic: `${topics.prefix}.checkpoints`,
    signal,
  });
}

/** The account that owns the stream. Throws as AuditAccess.open does. */
export function openAuditStream(config: Config): Promise<AuditAccess> {
  return openAudit(config, "cli", silentLogger);
}

/** The form of a record does not matter here, so that no registry is asked. */
function withoutRegistry(config: Config): Config {
  const { registry: _, ...bridge } = config.bridge;
  return { ...config, bridge: { ...bridge, content: "binary", encoding: "json" } };
}
