/** The AUDIT stream: append-only. Nobody who talks to this server may delete or purge it. */
import {
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { AUDIT_SUBJECTS } from "../subjects.ts";

export const AUDIT_STREAM = "AUDIT";

/** NATS counts durations in nanoseconds. */
const NANOS_PER_DAY = 86_400 * 1e9;

/** Creates the stream when it is not there; leaves one that is alone. Retention in days. */
export async function ensureAuditStream(
  jsm: JetStreamManager,
  retentionDays: number,
): Promise<void> {
  try {
    await jsm.streams.info(AUDIT_STREAM);
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    await jsm.streams.add({
      name: AUDIT_STREAM,
      subjects: [AUDIT_SUBJECTS],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      max_age: retentionDays * NANOS_PER_DAY,
      // A pack is sent again until it is acknowledged: an outage this long stores it once.
      duplicate_window: NANOS_PER_DAY / 24,
      deny_delete: true,
      deny_purge: true,
    });
  }
}
