/**
 * What the bridges of a case have in common: a nats-server whose AUDIT stream is filled beforehand, a
 * Kafka, keys. Every run writes to topics of its own.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  generateKey,
  KafkaReader,
  KafkaTrail,
  kafkaClient,
  ledgerTopicOf,
  newKeyring,
  saveKey,
  topicsOf,
} from "../../bridge/mod.ts";
import { messageOf, PetrelError, silentLogger } from "../../core/mod.ts";
import { startChild } from "../child.ts";
import type { Figure } from "../figure.ts";
import { startNats } from "../nats.ts";
import type { BenchContext } from "../run.ts";
import { Filled, type FillTask } from "./fill.ts";
import { startBroker } from "./kafka.ts";

export const BODY_BYTES = 1_024;
/** The configuration's defaults. */
export const LAYOUT = "split";
export const PARTITIONS = 6;
export const RECORD_BYTES_MAX = 524_288;
/** The only tree there is: one shard. */
export const TREE = { tree: "AUDIT.0", shard: 0 } as const;

const FILL_TIMEOUT_MS = 300_000;
const KAFKA_TIMEOUT_MS = 30_000;

export interface Site extends AsyncDisposable {
  readonly url: string;
  readonly brokers: readonly string[];
  /** The private key of checkpoints, and the public one for a verifier. */
  readonly keyFile: string;
  readonly keyring: string;
  /** The configuration of a petrel that writes below `prefix`. */
  configFile(prefix: string): Promise<string>;
}

/** Runs `work` on a site of its own. No figures, and a line that says why, where there is no Kafka. */
export async function withSite(
  label: string,
  context: BenchContext,
  work: (site: Site) => Promise<Figure[]>,
): Promise<Figure[]> {
  let opened: Site;
  try {
    opened = await openSite(context);
  } catch (error) {
    if (!(error instanceof PetrelError) || error.code !== "PROGRAM_MISSING") throw error;
    context.onProgress(`${label}: skipped: ${messageOf(error, 300)}`);
    return [];
  }
  await using site = opened;
  return await work(site);
}

async function openSite(context: BenchContext): Promise<Site> {
  await using stack = new AsyncDisposableStack();
  const { brokers } = stack.use(await startBroker(context));
  const { url } = stack.use(await startNats(context));
  const dir = await mkdtemp(join(tmpdir(), "petrel-bench-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const key = generateKey("petrel/AUDIT");
  const keyFile = join(dir, "sign.key");
  await saveKey(keyFile, key);
  await writeFile(join(dir, "redact.key"), new Uint8Array(32).fill(7));
  const keyring = join(dir, "keys.json");
  await writeFile(keyring, newKeyring(key.vkey, 0));
  const configFile = async (prefix: string) => {
    const file = join(dir, `${prefix}.yaml`);
    await writeFile(file, configText({ url, brokers, dir, prefix }));
    return file;
  };
  const owned = stack.move();
  return {
    url,
    brokers,
    keyFile,
    keyring,
    configFile,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** JSON is YAML. Redaction is keyed and checkpoints are signed, as in production. */
function configText(of: {
  readonly url: string;
  readonly brokers: readonly string[];
  readonly dir: string;
  readonly prefix: string;
}): string {
  return JSON.stringify({
    nats: { servers: [of.url] },
    kafka: { brokers: of.brokers },
    audit: { redaction: { key_file: join(of.dir, "redact.key") } },
    bridge: {
      topics: { prefix: of.prefix },
      checkpoint: { key_file: join(of.dir, "sign.key") },
    },
    llm: { enabled: false },
    log: { level: "warn" },
  });
}

/** Fills the AUDIT stream in a process of its own. */
export async function fillStream(task: FillTask, { signal }: BenchContext): Promise<Filled> {
  await using child = startChild("bridge/fill.ts", task, signal);
  return await child.next(Filled, FILL_TIMEOUT_MS);
}

/** The trail below `prefix`, and a reader of single records; both are closed together. */
export async function openTrail(brokers: readonly string[], prefix: string, signal: AbortSignal) {
  const settings = { brokers, clientId: "petrel-bench", timeoutMs: KAFKA_TIMEOUT_MS };
  const client = await kafkaClient(settings, silentLogger);
  const reader = new KafkaReader({ client });
  const trail = new KafkaTrail({
    newReader: () => new KafkaReader({ client }),
    topics: topicsOf({ prefix, layout: LAYOUT }),
    ledgerTopic: ledgerTopicOf({ prefix }),
    checkpointTopic: `${prefix}.checkpoints`,
    signal,
  });
  return {
    client,
    reader,
    trail,
    [Symbol.asyncDispose]: async () => {
      await trail.close();
      await reader.close();
    },
  };
}
