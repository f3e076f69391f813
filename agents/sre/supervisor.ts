/**
 * Finds investigations whose owner is gone and hands them to the coordinator. Knows every unfinished
 * record from one watch; knows who is alive from the registry.
 */
import type { Registry } from "../../a2a/mod.ts";
import { type Clock, type Logger, PetrelError } from "../../core/mod.ts";
import type { Coordinator } from "./coordinator.ts";
import type { InvestigationRecord } from "./records.ts";
import type { InvestigationStore, Versioned } from "./store.ts";

export interface SupervisorOptions {
  readonly coordinator: Coordinator;
  readonly store: InvestigationStore;
  readonly registry: Registry;
  /** What else has to be looked after, at every look. */
  readonly resume: () => Promise<void>;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs: number;
}

/** Watches until `signal` aborts. Resolves then. */
export async function supervise(options: SupervisorOptions, signal: AbortSignal): Promise<void> {
  const { coordinator, store, registry, instance, clock, log, everyMs } = options;
  const unfinished = new Map<string, Versioned<InvestigationRecord>>();
  const take = (record: Versioned<InvestigationRecord>) => {
    if (record.value.state === "closed") unfinished.delete(record.value.id);
    else unfinished.set(record.value.id, record);
  };
  for (let watching = false; !watching && !signal.aborted; ) {
    watching = await store.watch(take, signal).then(
      () => true,
      (error: unknown) => {
        log.warn("investigations.not_watched", { error });
        return false;
      },
    );
    if (!watching) await clock.sleep(everyMs, signal).catch(() => {});
  }
  while (!signal.aborted) {
    for (const record of unfinished.values()) {
      const { id, owner } = record.value;
      const mine = owner === instance;
      if (coordinator.has(id) || (!mine && !registry.isGone(owner))) continue;
      log.info("investigation.orphaned", { windowId: id, owner });
      coordinator.adopt(record).catch((error: unknown) => {
        if (!signal.aborted) log.error("investigation.not_adopted", { windowId: id, error });
        // What cannot succeed is not tried every few seconds for ever.
        if (error instanceof PetrelError && error.retry === "never") unfinished.delete(id);
      });
    }
    await options.resume().catch((error: unknown) => log.warn("incidents.not_resumed", { error }));
    await clock.sleep(everyMs, signal).catch(() => {});
  }
}
