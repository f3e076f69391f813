/** What the bridge keeps in NATS: bodies too large for Kafka, and copies of the mirror's state. */
import type { ObjectStore } from "@nats-io/obj";
import { type Logger, messageOf, PetrelError, unlessAborted } from "../core/mod.ts";
import type { Body } from "./recorder.ts";

export interface BodyStore {
  /** Stores a redacted body under its hash; storing it again changes nothing. */
  put(body: Body, signal: AbortSignal): Promise<void>;
}

export interface StateStore {
  /** Throws UNAVAILABLE when it cannot be had in time. */
  load(shard: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Stores the state in the background; one that comes while another is stored is left out. */
  save(shard: number, bytes: Uint8Array): void;
}

const STORE_TIMEOUT_MS = 30_000;
/** A copy spares reading the stream again; waiting longer than that would take spares nothing. */
const LOAD_TIMEOUT_MS = 10_000;

/** Bodies under `<sha256>`, in an object store of the AUDIT account. */
export function bodyStore(bucket: ObjectStore): BodyStore {
  return {
    put: async ({ sha256, bytes }, signal) => {
      const known = await unlessAborted(bucket.info(sha256), signal);
      if (known && !known.deleted && known.size === bytes.length) return;
      const timed = AbortSignal.any([signal, AbortSignal.timeout(STORE_TIMEOUT_MS)]);
      await unlessAborted(bucket.putBlob({ name: sha256 }, bytes), timed).catch((error) => {
        signal.throwIfAborted();
        throw new PetrelError(
          "UNAVAILABLE",
          `object store: ${messageOf(error)}`,
          { sha256, bytes: bytes.length },
          error,
        );
      });
    },
  };
}

export function stateStore(
  bucket: ObjectStore,
  log: Logger,
  loadTimeoutMs = LOAD_TIMEOUT_MS,
): StateStore {
  let isSaving = false;
  return {
    load: async (shard, signal) => {
      // The library waits for ever for content that another writer has just replaced.
      const timed = AbortSignal.any([signal, AbortSignal.timeout(loadTimeoutMs)]);
      try {
        return (await unlessAborted(bucket.getBlob(nameOf(shard)), timed)) ?? undefined;
      } catch (error) {
        signal.throwIfAborted();
        const what = `object store: ${nameOf(shard)}: ${messageOf(error)}`;
        throw new PetrelError("UNAVAILABLE", what, { shard }, error);
      }
    },
    save: (shard, bytes) => {
      if (isSaving) return;
      isSaving = true;
      void bucket
        .putBlob({ name: nameOf(shard) }, bytes)
        .catch((error: unknown) => log.warn("bridge.state_unsaved", { error: messageOf(error) }))
        .finally(() => {
          isSaving = false;
        });
    },
  };
}

function nameOf(shard: number): string {
  return `mirror.${shard}`;
}
