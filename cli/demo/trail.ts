/**
 * The audit of the demo in a real Kafka: a broker of its own, the bridge, keys made on the spot; and at
 * the end what a consumer sees, and a proof that it is all there.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateKey, newKeyring, saveKey, topicsOf } from "../../bridge/mod.ts";
import {
  type Config,
  PetrelError,
  parseConfig,
  silentLogger,
  systemClock,
} from "../../core/mod.ts";
import {
  ensureProgram,
  type KafkaCluster,
  localKafka,
  type OnProgress,
  startKafka,
} from "../../deploy/mod.ts";
import { run as verify } from "../audit/verify.ts";
import { type ServedBridge, serveBridge } from "../bridge.ts";
import { openAudit } from "../kafka.ts";
import type { Output } from "../output.ts";
import { colour, oneLine } from "../render/text.ts";

export interface DemoTrail {
  /** The demo's configuration, with Kafka, the bridge and its keys. */
  readonly config: Config;
  /** The same as a file, for the commands of another terminal. */
  readonly configFile: string;
  readonly versions: { readonly kafka: string };
  /** Starts to carry; ends with `signal`. */
  carry(signal: AbortSignal): Promise<ServedBridge>;
  /** Waits until all is in Kafka and signed; shows it. True when it is proven. */
  show(bridge: ServedBridge, output: Output, signal: AbortSignal): Promise<boolean>;
  stop(): Promise<void>;
}

const CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const ARRIVED_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 50;
const RECORDS_SHOWN = 2;
const LINE_CHARS_MAX = 1_500;

export async function startTrail(options: {
  readonly dir: string;
  readonly toolsDir: string;
  readonly base: Config;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}): Promise<DemoTrail> {
  const { dir, base, signal } = options;
  const program = await ensureProgram("kafka", options);
  const runner = localKafka(program);
  const kafka = await startKafka({ runner, dir: join(dir, "kafka"), signal });
  const keyring = join(dir, "keyring.json");
  const configFile = join(dir, "petrel.yaml");
  const checkpoints = join(dir, "checkpoints.jsonl");
  const key = generateKey("petrel/demo");
  const keyFile = join(dir, "checkpoint.key");
  const redactionKey = join(dir, "redaction.key");
  await saveKey(keyFile, key);
  await writeFile(keyring, newKeyring(key.vkey, systemClock.nowMs()));
  await writeFile(redactionKey, crypto.getRandomValues(new Uint8Array(32)), { mode: 0o600 });
  const settings = {
    nats: { servers: base.nats.servers },
    kafka: { brokers: kafka.brokers },
    audit: { outbox_dir: base.audit.outbox_dir, redaction: { key_file: redactionKey } },
    bridge: {
      checkpoint: { every: "1s", key_file: keyFile, keyring_file: keyring, file: checkpoints },
    },
  };
  const text = JSON.stringify(settings, undefined, 2);
  await writeFile(configFile, text);
  const { kafka: broker, audit, bridge } = parseConfig(text, {}, configFile);
  const config = { ...base, kafka: broker, audit, bridge };
  const files = { configFile, keyring, checkpoints };
  return {
    config,
    configFile,
    versions: { kafka: program.version },
    carry: (until) => serveBridge(config, silentLogger, {}, until),
    show: (served, output, until) => show({ kafka, config, ...files }, served, output, until),
    stop: async () => kafka[Symbol.asyncDispose](),
  };
}

interface Shown {
  readonly kafka: KafkaCluster;
  readonly config: Config;
  readonly configFile: string;
  readonly keyring: string;
  readonly checkpoints: string;
}

async function show(
  { kafka, config, configFile, keyring, checkpoints }: Shown,
  bridge: ServedBridge,
  output: Output,
  signal: AbortSignal,
): Promise<boolean> {
  await arrived(config, bridge, checkpoints, signal);
  await consumersView(kafka, config, output);
  const words = ["--config", configFile, "--keys", keyring, "--checkpoints", checkpoints];
  const againstJetStream = ["--against-jetstream"];
  output.line(
    `\n$ petrel audit verify --keys keyring.json --checkpoints checkpoints.jsonl --against-jetstream`,
  );
  if (output.json) return true;
  return (await verify([...words, ...againstJetStream], signal)) === 0;
}

/** Until the bridge has carried the whole stream, and signed it. */
async function arrived(
  config: Config,
  bridge: ServedBridge,
  checkpoints: string,
  signal: AbortSignal,
): Promise<void> {
  const access = await openAudit(config, "cli", silentLogger);
  const deadlineMs = systemClock.nowMs() + ARRIVED_TIMEOUT_MS;
  try {
    const { state } = await access.jsm.streams.info("AUDIT");
    while (!(await isThere(bridge, state.last_seq, checkpoints))) {
      if (systemClock.nowMs() > deadlineMs) {
        const [status] = bridge.status();
        throw new PetrelError(
          "DEADLINE_EXCEEDED",
          `bridge: not all is in Kafka after ${ARRIVED_TIMEOUT_MS} ms: ${status?.lastError ?? status?.phase ?? ""}`,
        );
      }
      await Promise.race([systemClock.sleep(LOOK_EVERY_MS, signal), bridge.done]);
    }
  } finally {
    await access.close();
  }
}

async function isThere(
  bridge: ServedBridge,
  lastSeq: number,
  checkpoints: string,
): Promise<boolean> {
  const [status] = bridge.status();
  if (!status || status.nextSeq <= lastSeq) return false;
  const lines = await readFile(checkpoints, "utf8").catch(() => "");
  const last = lines.trimEnd().split("\n").at(-1) ?? "";
  return last.includes(`\\n${status.size}\\n`);
}

/** The first records of each topic as Kafka's own console consumer prints them. */
async function consumersView(kafka: KafkaCluster, config: Config, output: Output): Promise<void> {
  const [topic = ""] = topicsOf(config.bridge.topics);
  const shown = [
    ["--topic", topic],
    ["--from-beginning"],
    ["--isolation-level", "read_committed"],
    ["--max-messages", String(RECORDS_SHOWN)],
    ["--formatter-property", "print.key=true"],
    ["--formatter-property", "print.headers=true"],
  ].flat();
  output.line(`\n$ kafka-console-consumer ${shown.join(" ")}`);
  const reach = ["--bootstrap-server", kafka.brokers.join(","), "--timeout-ms", "10000"];
  const { stdout } = await kafka.run(CONSUMER, [...reach, ...shown]);
  for (const line of stdout.trimEnd().split("\n").slice(0, RECORDS_SHOWN))
    output.line(colour("grey", oneLine(line, LINE_CHARS_MAX)));
}
