/** A push notification config as it stands in the bucket. Reads and writes its JSON, nothing more. */
import { TaskPushNotificationConfig } from "@a2a-js/sdk";
import type { KvEntry } from "@nats-io/kv";
import { z } from "zod";

/** `active`: events are delivered. `ended`: the task is over. `stopped`: its webhook was given up. */
const STATES = ["active", "ended", "stopped"] as const;
export type PushState = (typeof STATES)[number];

const Stored = z.object({
  config: z.unknown(),
  delivered: z.number().int().min(0),
  holder: z.string().max(128),
  state: z.enum(STATES),
});

export interface PushEntry {
  readonly key: string;
  readonly owner: string;
  readonly config: TaskPushNotificationConfig;
  /** Number of the last event of the task that its webhook has; 0: none. */
  readonly delivered: number;
  /** The replica that delivers; empty: nobody yet. */
  readonly holder: string;
  readonly state: PushState;
  readonly revision: number;
}

export function writeEntry({ config, delivered, holder, state }: PushEntry): string {
  const json = TaskPushNotificationConfig.toJSON(config);
  return JSON.stringify({ config: json, delivered, holder, state });
}

/** Undefined for what is no entry of ours: nothing is delivered for it. */
export function readEntry(entry: KvEntry): PushEntry | undefined {
  const [, owner = "", taskId, id] = entry.key.split(".");
  try {
    const stored = Stored.parse(entry.json());
    const config = TaskPushNotificationConfig.fromJSON(stored.config);
    if (config.id !== id || config.taskId !== taskId) return undefined;
    return { ...stored, key: entry.key, owner, config, revision: entry.revision };
  } catch {
    return undefined;
  }
}

/** The server's word for a compare-and-set that lost. */
export function isWrongRevision(error: unknown): boolean {
  return error instanceof Error && /wrong last sequence|key exists/i.test(error.message);
}
