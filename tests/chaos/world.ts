/** What a run stands on: a Kafka, a nats-server, the keys and the configuration of the bridge. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuditAccess } from "../../a2a/mod.ts";
import {
  generateKey,
  type KafkaClient,
  kafkaClient,
  type MirrorOptions,
  makeEncoder,
  makeRecorder,
  newKeyring,
  type Recorder,
  saveKey,
} from "../../bridge/mod.ts";
import { makeRedactor, silentLogger, systemClock } from "../../core/mod.ts";
import { type KafkaServer, type KafkaTestOptions, startKafka } from "../support/kafka.ts";
import { type NatsServer, startNats } from "../support/nats.ts";

const REDACTION_KEY = "a key of a chaos run, thirty-two bytes and more";
/** Short, so that what depends on the time that passes happens within a run. */
const HORIZON_MS = 5_000;
const SILENCE_MS = 30_000;
const RECORD_BYTES_MAX = 524_288;

export const TOPICS = { prefix: "petrel.audit", layout: "split" } as const;
/** As bridge/records makes them, and as the bridge is configured. */
const FORMAT = { ...TOPICS, content: "binary", encoding: "json" } as const;

export const MIRROR: MirrorOptions = {
  stream: "AUDIT",
  horizonMs: HORIZON_MS,
  silenceMs: SILENCE_MS,
  isWhole: true,
};

export interface World extends AsyncDisposable {
  /** Configuration, keys, logs, outboxes. */
  readonly dir: string;
  readonly kafka: KafkaServer;
  readonly nats: NatsServer;
  readonly client: KafkaClient;
  readonly keyring: string;
  readonly checkpoints: string;
  access(): Promise<AuditAccess>;
  /** The run was good: `dir` need not stay. */
  drop(): void;
}

export async function makeWorld(options: KafkaTestOptions = {}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "petrel-chaos-"));
  let isKept = true;
  stack.defer(async () => {
    if (!isKept) await rm(dir, { recursive: true, force: true });
  });
  const [kafka, nats] = await Promise.all([startKafka(options), startNats()]);
  stack.use(kafka);
  stack.use(nats);
  const checkpoints = join(dir, "checkpoints.jsonl");
  const keyring = await writeKeys(dir);
  await writeFile(join(dir, "petrel.yaml"), configuration(dir, nats.url, kafka.brokers));
  const client = await kafkaClient({
    brokers: kafka.brokers,
    clientId: "petrel-chaos",
    timeoutMs: 10_000,
  });
  const rest = stack.move();
  return {
    dir,
    kafka,
    nats,
    client,
    keyring,
    checkpoints,
    access: () =>
      AuditAccess.open({ servers: [nats.url], name: "cli", log: silentLogger, retentionDays: 30 }),
    drop: () => {
      isKept = false;
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** Makes records as the bridge of this world does. */
export function recorderOf(): Recorder {
  return makeRecorder({
    redactor: makeRedactor({ key: Buffer.from(REDACTION_KEY), keyId: "k1" }),
    encode: makeEncoder(FORMAT),
    valueBytesMax: RECORD_BYTES_MAX,
  });
}

async function writeKeys(dir: string): Promise<string> {
  await writeFile(join(dir, "redaction.key"), REDACTION_KEY);
  const key = generateKey("petrel/chaos");
  await saveKey(join(dir, "signing.key"), key);
  const keyring = join(dir, "keyring.json");
  await writeFile(keyring, newKeyring(key.vkey, systemClock.nowMs() - 60_000));
  return keyring;
}

function configuration(dir: string, natsUrl: string, brokers: readonly string[]): string {
  const file = (name: string) => JSON.stringify(join(dir, name));
  return `nats: { servers: ["${natsUrl}"] }
kafka: { brokers: ${JSON.stringify(brokers)} }
audit: { redaction: { key_file: ${file("redaction.key")} } }
bridge:
  topics: { prefix: ${TOPICS.prefix}, layout: ${TOPICS.layout} }
  batch_records: 500
  record_bytes_max: ${RECORD_BYTES_MAX}
  horizon: ${HORIZON_MS / 1_000}s
  silence: ${SILENCE_MS / 1_000}s
  checkpoint: { key_file: ${file("signing.key")}, file: ${file("checkpoints.jsonl")}, every: 2s }
`;
}
