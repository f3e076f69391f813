/**
 * One webhook and its task's log: takes the events after the last one it has, one by one, and notes each
 * as delivered before the next. Ends with the task, with the config, or when the webhook is given up.
 */
import type { StreamResponse } from "@a2a-js/sdk";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import { type Clock, type Logger, messageOf } from "../../core/mod.ts";
import type { PushConfigs } from "./configs.ts";
import type { Outcome, PushSender } from "./deliver.ts";
import type { PushEntry } from "./entry.ts";

/**
 * The events of a task after number `afterEvent`, in order, none left out; ends when the task has ended
 * and its last event was given. Throws TaskNotFound for a task that is gone; any other error is taken
 * for a disturbance, and it is called again.
 */
export type Follow = (
  taskId: string,
  owner: string,
  afterEvent: number,
  signal: AbortSignal,
) => AsyncIterable<{ readonly event: number; readonly response: StreamResponse }>;

const AGAIN_FIRST_MS = 500;
const AGAIN_CAP_MS = 30_000;
/** A webhook that will not take this many events in a row is given up. */
const REFUSED_MAX = 5;

export interface DeliveryContext {
  readonly configs: PushConfigs;
  readonly sender: PushSender;
  readonly follow: Follow;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counts: { delivered: number; refused: number; stopped: number };
  /** Aborts when the config is not ours any more, and on shutdown. */
  readonly signal: AbortSignal;
}

/** The config as it stands; a change of it, by us or by its client, shows here. */
export interface Current {
  entry: PushEntry;
}

/** Delivers until there is nothing more to deliver. Throws when the bucket cannot be written. */
export async function deliverTo(context: DeliveryContext, current: Current): Promise<void> {
  const { clock, log, signal } = context;
  for (let failures = 0; !signal.aborted; failures++) {
    const before = current.entry.delivered;
    try {
      await followOnce(context, current);
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof TaskNotFoundError) {
        await context.configs.remove(current.entry);
        return;
      }
      if (current.entry.delivered > before) failures = 0;
      log.warn("push.follow_failed", { ...wordsOf(current), error: messageOf(error) });
      const waitMs = Math.min(AGAIN_CAP_MS, AGAIN_FIRST_MS * 2 ** Math.min(failures, 10));
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }
}

async function followOnce(context: DeliveryContext, current: Current): Promise<void> {
  const { follow, sender, signal } = context;
  const { owner, config, delivered } = current.entry;
  let refusedInRow = 0;
  for await (const { event, response } of follow(config.taskId, owner, delivered, signal)) {
    if (signal.aborted) return;
    if (event <= current.entry.delivered) continue;
    const outcome = await sender.send(
      { owner, config: current.entry.config, event, response },
      signal,
    );
    refusedInRow = outcome.kind === "refused" ? refusedInRow + 1 : 0;
    const isGivenUp = tell(context, current, outcome, event, refusedInRow);
    const change = isGivenUp ? { state: "stopped" as const } : { delivered: event };
    if (!(await write(context, current, change)) || isGivenUp) return;
  }
  if (!signal.aborted) await write(context, current, { state: "ended" });
}

/** Counts and logs what became of an event; true when the webhook is given up. */
function tell(
  { counts, log }: DeliveryContext,
  current: Current,
  outcome: Outcome,
  event: number,
  refusedInRow: number,
): boolean {
  if (outcome.kind === "delivered") {
    counts.delivered++;
    return false;
  }
  const words = { ...wordsOf(current), taskEvent: event, why: outcome.why };
  if (outcome.kind === "refused") {
    counts.refused++;
    log.warn("push.refused", words);
    if (refusedInRow < REFUSED_MAX) return false;
  }
  counts.stopped++;
  log.warn("push.stopped", { ...words, outcome: outcome.kind });
  return true;
}

/**
 * Notes what changed; false when the config is gone or another's. A client that replaced its config in
 * between has changed the revision but not the holder: then the change is made to what it wrote.
 */
async function write(
  { configs, instance, signal }: DeliveryContext,
  current: Current,
  change: { delivered?: number; state?: "ended" | "stopped" },
): Promise<boolean> {
  while (!signal.aborted) {
    const written = await configs.replace(current.entry, change);
    if (written) {
      current.entry = written;
      return true;
    }
    const now = await configs.reread(current.entry);
    if (now?.holder !== instance || now.state !== "active") return false;
    current.entry = now;
  }
  return false;
}

/** What a log line may say of a config: never its URL, which may hold a secret. */
function wordsOf({ entry }: Current): Record<string, string> {
  const { taskId, id, url } = entry.config;
  return { taskId, configId: id, host: URL.canParse(url) ? new URL(url).host : "" };
}
