/** Bodies that were too large for Kafka, fetched from where their records say they are. */
import type { ObjectStore } from "@nats-io/obj";
import type { TrailEntry } from "../../bridge/mod.ts";
import { type Config, messageOf } from "../../core/mod.ts";
import { openAuditStream } from "./open.ts";
import { warn } from "./words.ts";

/**
 * The entries with their bodies. One that is not to be had, or is not what the record's SHA-256 says, is
 * left out and told on standard error; whoever folds the entry says so as well.
 */
export async function withBodies(
  config: Config,
  entries: readonly TrailEntry[],
): Promise<readonly TrailEntry[]> {
  if (!entries.some(isElsewhere)) return entries;
  const access = await openAuditStream(config).catch((error: unknown) => {
    warn(`bodies in the object store were not read: ${messageOf(error)}`);
    return undefined;
  });
  if (!access) return entries;
  try {
    const bucket = await access.bodies();
    const filled: TrailEntry[] = [];
    for (const entry of entries)
      filled.push(isElsewhere(entry) ? await withBody(entry, bucket) : entry);
    return filled;
  } finally {
    await access.close();
  }
}

function isElsewhere({ event }: TrailEntry): boolean {
  return event.data === undefined && event.extensions.datasha256 !== undefined;
}

async function withBody(entry: TrailEntry, bucket: ObjectStore): Promise<TrailEntry> {
  const { datasha256: sha256 = "" } = entry.event.extensions;
  const bytes = await bucket.getBlob(sha256).catch(() => null);
  const problem =
    bytes === null
      ? "is not in the object store"
      : Bun.SHA256.hash(bytes, "hex") !== sha256 && "is not what its SHA-256 says";
  if (problem) warn(`the body of ${entry.event.id} ${problem}`);
  if (bytes === null || problem) return entry;
  return { ...entry, event: { ...entry.event, data: Buffer.from(bytes).toString("utf8") } };
}
