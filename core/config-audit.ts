/** The configuration of the audit: what is captured, and how the bridge carries it to Kafka. */
import { z } from "zod";
import { Duration, Path, Secret, Tls, Url } from "./config-types.ts";

const AuditMode = z.enum(["async", "strict"]);

export const Audit = z.strictObject({
  retention_days: z.number().int().min(1).max(3_660).default(30),
  /** strict: nothing leaves a process before its envelope is stored. */
  mode: AuditMode.default("async"),
  /** Agents that differ from `mode`, by name. */
  agents: z.record(z.string().min(1), AuditMode).default({}),
  /** How many bridges may share the work; the same everywhere, and never changed. */
  shards: z.number().int().min(1).max(64).default(1),
  /** Where a process keeps what is not stored yet, so that a crash of it loses nothing. */
  outbox_dir: Path.optional(),
  /** Credentials of the AUDIT account, for the bridge and the audit commands. */
  account: z
    .strictObject({
      user: z.string().optional(),
      password: Secret.optional(),
      token: Secret.optional(),
      credentials_file: Path.optional(),
    })
    .optional(),
  redaction: z
    .strictObject({
      /** A file of at least 32 bytes; without it tokens are not keyed, and do not join. */
      key_file: Path.optional(),
      key_id: z
        .string()
        .regex(/^[a-z0-9]{1,16}$/, "must be 1 to 16 of a-z and 0-9")
        .default("k1"),
    })
    .prefault({}),
});

export const Kafka = z.strictObject({
  brokers: z
    .array(z.string().regex(/^[^\s:/]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, "must be host:port"))
    .min(1),
  client_id: z.string().min(1).max(100).default("petrel"),
  timeout: Duration.default(10_000),
  tls: Tls.optional(),
  sasl: z
    .strictObject({
      mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
      user: z.string().min(1),
      password: Secret,
    })
    .optional(),
});

/** The name of a topic leaves room for what the bridge appends to it. */
const TopicPrefix = z.string().regex(/^[A-Za-z0-9._-]{1,200}$/, "must be a Kafka topic name");

const Topics = z.strictObject({
  prefix: TopicPrefix.default("petrel.audit"),
  /** split: requests, responses, events, alarms and notices apart; one: all in one topic. */
  layout: z.enum(["split", "one"]).default("split"),
  /** Never changed afterwards: a key's partition follows from it. */
  partitions: z.number().int().min(1).max(1_000).default(6),
  /** Default: the brokers' own. */
  replication: z.number().int().min(1).max(10).optional(),
  /** Makes topics that are missing. */
  create: z.boolean().default(true),
});

export const Bridge = z.strictObject({
  topics: Topics.prefault({}),
  /** How a CloudEvent stands in a Kafka record. */
  content: z.enum(["binary", "structured"]).default("binary"),
  encoding: z.enum(["json", "avro"]).default("json"),
  registry: z
    .strictObject({
      url: Url,
      user: z.string().optional(),
      password: Secret.optional(),
      timeout: Duration.default(10_000),
    })
    .optional(),
  batch_records: z.number().int().min(1).max(10_000).default(2_000),
  linger: Duration.default(50),
  /** A larger body goes to the object store; the record says where, with its SHA-256. */
  record_bytes_max: z.number().int().min(1_024).max(16_000_000).default(524_288),
  /** An envelope that only one end reported is marked after this long. */
  horizon: Duration.default(900_000),
  /** A sender that says nothing for this long, and did not say goodbye, is reported. */
  silence: Duration.default(300_000),
  checkpoint: z
    .strictObject({
      every: Duration.default(10_000),
      /** Ed25519 private key; without it the ledger is written, and nothing signed. */
      key_file: Path.optional(),
      /** The public keys, for the commands that verify. */
      keyring_file: Path.optional(),
      /** Appended to: the same checkpoints, outside Kafka. */
      file: Path.optional(),
      webhook: z
        .strictObject({
          url: Url,
          timeout: Duration.default(10_000),
          headers: z.record(z.string(), z.string()).default({}),
        })
        .optional(),
    })
    .prefault({}),
  /** Prometheus metrics over HTTP at /metrics. */
  metrics: z
    .strictObject({
      host: z.string().default("127.0.0.1"),
      port: z.number().int().min(0).max(65_535).default(8_723),
    })
    .optional(),
});
