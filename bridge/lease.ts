/**
 * A lease in a KV bucket: one bridge works on a shard, the others stand by. Clocks need not agree: a
 * holder is gone when its key did not change for a whole term, by the watcher's own clock. The lease
 * spares two bridges from fencing each other for ever; what keeps them apart is Kafka's fencing.
 */
import type { KV } from "@nats-io/kv";
import { type Clock, type Logger, messageOf, PetrelError, unlessAborted } from "../core/mod.ts";

export interface LeaseOptions {
  readonly kv: KV;
  readonly key: string;
  /** Who we are; shown to whoever looks at the key. */
  readonly holder: string;
  /** A holder that did not renew for this long has lost the lease. */
  readonly termMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Held {
  /** Aborts when the lease is lost. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

/** Waits until the lease is ours. Throws the signal's reason when it aborts. */
export async function acquireLease(options: LeaseOptions, signal: AbortSignal): Promise<Held> {
  const { clock, log, key, termMs } = options;
  let seen: { revision: number; sinceMs: number } | undefined;
  let isStandby = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      const found = await unlessAborted(options.kv.get(key), signal);
      const isFree = found === null || found.operation !== "PUT";
      if (!isFree && found.revision !== seen?.revision)
        seen = { revision: found.revision, sinceMs: clock.nowMs() };
      if (isFree || (seen && clock.nowMs() - seen.sinceMs >= termMs)) {
        const revision = await take(options, isFree ? undefined : found.revision);
        log.info("lease.held", { key, revision });
        return hold(options, revision);
      }
      if (!isStandby) log.info("lease.standby", { key, holder: found.string().slice(0, 200) });
      isStandby = true;
    } catch (error) {
      signal.throwIfAborted();
      log.debug("lease.retry", { key, error: messageOf(error) });
    }
    await clock.sleep(termMs / 4, signal);
  }
}

/** Writes our name; throws when somebody was quicker. Returns the key's revision. */
function take({ kv, key, holder }: LeaseOptions, revision: number | undefined): Promise<number> {
  return revision === undefined ? kv.create(key, holder) : kv.update(key, holder, revision);
}

function hold(options: LeaseOptions, first: number): Held {
  const { kv, key, termMs, clock, log } = options;
  const lost = new AbortController();
  const done = new AbortController();
  let revision = first;
  const renewing = (async () => {
    let renewedMs = clock.nowMs();
    for (;;) {
      await clock.sleep(termMs / 3, done.signal).catch(() => {});
      if (done.signal.aborted) return;
      try {
        revision = await renew(options, revision);
        renewedMs = clock.nowMs();
      } catch (error) {
        const isTaken = error instanceof PetrelError && error.code === "CONFLICT";
        if (!isTaken && clock.nowMs() - renewedMs < termMs) continue;
        log.warn("lease.lost", { key, error: messageOf(error) });
        lost.abort(new PetrelError("CONFLICT", `lease ${key} is lost`, { key }, error));
        return;
      }
    }
  })();
  return {
    signal: lost.signal,
    release: async () => {
      done.abort();
      await renewing;
      if (lost.signal.aborted) return;
      const deleted = kv.delete(key, { previousSeq: revision });
      await unlessAborted(deleted, AbortSignal.timeout(termMs)).catch((error: unknown) => {
        log.debug("lease.release", { key, error: messageOf(error) });
      });
    },
  };
}

/** Renews, quickly or not at all. Throws CONFLICT when the key bears another name. */
async function renew({ kv, key, holder, termMs }: LeaseOptions, revision: number): Promise<number> {
  const signal = AbortSignal.timeout(termMs / 3);
  try {
    return await unlessAborted(kv.update(key, holder, revision), signal);
  } catch (error) {
    // An update that was not answered may have been made.
    const found = await unlessAborted(kv.get(key), AbortSignal.timeout(termMs / 3));
    if (found?.operation === "PUT" && found.string() === holder) return found.revision;
    const by = found?.operation === "PUT" ? found.string().slice(0, 200) : "nobody";
    throw new PetrelError("CONFLICT", `lease ${key} is held by ${by}`, { key }, error);
  }
}
