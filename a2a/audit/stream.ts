/** The AUDIT stream: append-only. What it is made of, and what an existing one must be. */
import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { limits } from "../../core/mod.ts";
import { AUDIT_SUBJECTS } from "../subjects.ts";

export const AUDIT_STREAM = "AUDIT";

/** NATS counts durations in nanoseconds. */
const NANOS_PER_DAY = 86_400 * 1e9;
const NANOS_PER_HOUR = NANOS_PER_DAY / 24;

/** The stream's configuration, or undefined when this account has none. */
export async function auditStream(jsm: JetStreamManager): Promise<StreamConfig | undefined> {
  try {
    return (await jsm.streams.info(AUDIT_STREAM)).config;
  } catch (error) {
    const { StreamNotFound } = JetStreamApiCodes;
    if (error instanceof JetStreamApiError && error.code === StreamNotFound) return undefined;
    throw error;
  }
}

/** Creates the stream when it is not there; leaves one that is alone. Retention in days. */
export async function ensureAuditStream(
  jsm: JetStreamManager,
  retentionDays: number,
): Promise<StreamConfig> {
  const there = await auditStream(jsm);
  if (there) return there;
  const made = await jsm.streams.add({
    name: AUDIT_STREAM,
    subjects: [AUDIT_SUBJECTS],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    max_age: retentionDays * NANOS_PER_DAY,
    // A pack is sent again until it is acknowledged: an outage this long stores it once.
    duplicate_window: NANOS_PER_HOUR,
    deny_delete: true,
    deny_purge: true,
    // Single packs are read by sequence number, from any replica.
    allow_direct: true,
  });
  return made.config;
}

/** One thing an AUDIT stream has to be: the setting's name, the test, and what follows if it fails. */
type Rule = readonly [
  setting: keyof StreamConfig,
  holds: (config: StreamConfig) => boolean,
  otherwise: string,
];

/** Without these, reports can be lost, removed or changed without a trace. */
const REQUIRED: readonly Rule[] = [
  ["subjects", hasAuditSubjects, `must be ${AUDIT_SUBJECTS} alone, or reports have another place`],
  [
    "storage",
    ({ storage }) => storage === StorageType.File,
    "must be file, or a restart empties it",
  ],
  [
    "retention",
    ({ retention }) => retention === RetentionPolicy.Limits,
    "must be limits, or reading removes",
  ],
  ["deny_delete", (config) => config.deny_delete, "must be true, or a report can be removed"],
  ["deny_purge", (config) => config.deny_purge, "must be true, or all can be removed"],
  ["no_ack", (config) => config.no_ack !== true, "must be false, or no report is acknowledged"],
  ["sealed", (config) => !config.sealed, "must be false, or nothing is stored"],
  [
    "max_msgs_per_subject",
    (config) => isUnlimited(config.max_msgs_per_subject),
    "must be unlimited, or a busy reporter pushes its own reports out",
  ],
  [
    "max_msg_size",
    ({ max_msg_size: bytes }) => isUnlimited(bytes) || bytes >= limits.ENVELOPE_BYTES_MAX,
    `must be unlimited or at least ${limits.ENVELOPE_BYTES_MAX}, or large packs are refused`,
  ],
  [
    "allow_msg_ttl",
    (config) => config.allow_msg_ttl !== true,
    "must be false, or a sender can let its own reports expire",
  ],
  [
    "subject_transform",
    (config) => config.subject_transform === undefined,
    "must not be set, or a reporter's name is no longer the server's word",
  ],
];

/** Without these the trail is shorter, or dearer to read; a reader notices. */
const WANTED: readonly Rule[] = [
  [
    "duplicate_window",
    (config) => config.duplicate_window >= NANOS_PER_HOUR,
    "is below 1 h: a pack retried after it is stored twice, and dropped by its number later",
  ],
  [
    "allow_direct",
    (config) => config.allow_direct,
    "is false: single packs are read by the leader",
  ],
  ["max_bytes", (config) => isUnlimited(config.max_bytes), "may end the retention early"],
  ["max_msgs", (config) => isUnlimited(config.max_msgs), "may end the retention early"],
];

/** What is wrong with an existing stream, each with its setting's name first. */
export interface StreamFaults {
  /** The trail cannot be relied on. */
  readonly errors: readonly string[];
  /** It can, within limits somebody should know. */
  readonly warnings: readonly string[];
}

/** Compares an existing stream with what the audit needs. Retention in days. */
export function faultsOf(config: StreamConfig, retentionDays: number): StreamFaults {
  const broken = (rules: readonly Rule[]) =>
    rules
      .filter(([, holds]) => !holds(config))
      .map(([setting, , otherwise]) => `${setting} ${otherwise}`);
  const days = config.max_age / NANOS_PER_DAY;
  const short = config.max_age > 0 && days < retentionDays;
  const age = `max_age is ${days} days, shorter than the configured ${retentionDays}`;
  return { errors: broken(REQUIRED), warnings: [...broken(WANTED), ...(short ? [age] : [])] };
}

function hasAuditSubjects({ subjects }: StreamConfig): boolean {
  return subjects?.length === 1 && subjects[0] === AUDIT_SUBJECTS;
}

/** The server says -1; a client may have said 0. */
function isUnlimited(bound: number): boolean {
  return bound <= 0;
}
