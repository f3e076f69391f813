/**
 * Brings every event of every task to the webhooks that asked for it, from whichever replica lives. A
 * config is one replica's at a time: it writes its name into the entry, and what the webhook has, by
 * compare-and-set. When it is gone another goes on from there; an event may then come twice, none is
 * left out, and each config's order is kept. The queue is the task's log: nothing waits in memory.
 */
import { type Clock, type Logger, messageOf, PetrelError } from "../../core/mod.ts";
import type { PushChange, PushConfigs } from "./configs.ts";
import type { PushSender } from "./deliver.ts";
import type { PushEntry } from "./entry.ts";
import { deliverTo, type Follow } from "./follow.ts";

const TICK_MS = 5_000;
const FOLLOWED_MAX = 4_096;
const KNOWN_MAX = 65_536;

/** What became of the events so far, on this replica. */
export interface PushCounts {
  delivered: number;
  /** Events that a webhook would not take. */
  refused: number;
  /** Configs that were given up. */
  stopped: number;
}

export interface PushWorkerOptions {
  readonly configs: PushConfigs;
  readonly sender: PushSender;
  readonly follow: Follow;
  /** Our own name among the replicas. */
  readonly instance: string;
  /** Whether a replica is known to be gone; see Registry.isGone. */
  readonly isGone: (instance: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** How often it looks for configs whose replica is gone. */
  readonly tickMs?: number;
  /** Configs followed at one time, a quarter of them one owner's at most; those beyond wait. */
  readonly followedMax?: number;
}

/** A config that this replica delivers to. */
interface Followed {
  entry: PushEntry;
  readonly leaving: AbortController;
  readonly ended: Promise<void>;
}

export class PushWorker {
  readonly #options: PushWorkerOptions;
  readonly #followed = new Map<string, Followed>();
  /** How many of them are each owner's. */
  readonly #owners = new Map<string, number>();
  /** Active configs that wait for somebody: another's, or ours when there is room. */
  readonly #known = new Map<string, PushEntry>();
  readonly counts: PushCounts = { delivered: 0, refused: 0, stopped: 0 };
  #isFull = false;

  constructor(options: PushWorkerOptions) {
    this.#options = options;
  }

  /** Configs this replica delivers to now. */
  get following(): number {
    return this.#followed.size;
  }

  /** Works until the signal aborts, then gives back what it holds. Survives an absent server. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#watch(signal), this.#tick(signal)]);
    await Promise.all([...this.#followed.values()].map(({ ended }) => ended));
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { configs, log } = this.#options;
    while (!signal.aborted) {
      // Whatever was removed meanwhile is not told again.
      this.#known.clear();
      try {
        for await (const change of configs.watch(signal)) this.#take(change, signal);
      } catch (error) {
        log.warn("push.watch_failed", { error: messageOf(error) });
      }
      await this.#pause(signal);
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#pause(signal);
      for (const entry of this.#known.values()) this.#consider(entry, signal);
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock, tickMs = TICK_MS } = this.#options;
    await clock.sleep(tickMs, signal).catch(() => {});
  }

  #take({ key, entry }: PushChange, signal: AbortSignal): void {
    const followed = this.#followed.get(key);
    if (followed) {
      // The watch tells of our own writes too, late.
      if (entry && entry.revision <= followed.entry.revision) return;
      if (entry?.holder === this.#options.instance && entry.state === "active") {
        followed.entry = entry;
        return;
      }
      followed.leaving.abort(new PetrelError("CANCELLED", "push: the config is not ours any more"));
    }
    if (entry?.state === "active") this.#note(entry);
    else this.#known.delete(key);
    if (entry && !followed) this.#consider(entry, signal);
  }

  /** Beyond the bound an entry is taken when it changes, or when the watch begins anew. */
  #note(entry: PushEntry): void {
    if (this.#known.size < KNOWN_MAX || this.#known.has(entry.key)) {
      this.#known.set(entry.key, entry);
    } else if (!this.#isFull) {
      this.#isFull = true;
      this.#options.log.warn("push.too_many_configs", { known: this.#known.size });
    }
  }

  /** Takes a config that is nobody's, or whose replica is gone. */
  #consider(entry: PushEntry, signal: AbortSignal): void {
    const { instance, isGone, followedMax = FOLLOWED_MAX } = this.#options;
    if (signal.aborted || entry.state !== "active" || this.#followed.has(entry.key)) return;
    const ofOwner = this.#owners.get(entry.owner) ?? 0;
    if (this.#followed.size >= followedMax || ofOwner >= followedMax / 4) return;
    const { holder } = entry;
    if (holder !== "" && holder !== instance && !isGone(holder)) return;
    const leaving = new AbortController();
    const stop = () => leaving.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    // The work begins in a later turn, when the map knows of it.
    const ended = Promise.resolve()
      .then(() => this.#work(entry.key, signal))
      .catch((error: unknown) => {
        this.#options.log.warn("push.failed", {
          taskId: entry.config.taskId,
          error: messageOf(error),
        });
      })
      .finally(() => {
        signal.removeEventListener("abort", stop);
        this.#followed.delete(entry.key);
        this.#countOwner(entry.owner, -1);
        const changed = this.#known.get(entry.key);
        if (changed && changed.revision > entry.revision) this.#consider(changed, signal);
      });
    this.#followed.set(entry.key, { entry, leaving, ended });
    this.#countOwner(entry.owner, 1);
  }

  #countOwner(owner: string, more: number): void {
    const count = (this.#owners.get(owner) ?? 0) + more;
    if (count > 0) this.#owners.set(owner, count);
    else this.#owners.delete(owner);
  }

  async #work(key: string, signal: AbortSignal): Promise<void> {
    const followed = this.#followed.get(key);
    if (!followed) return;
    const { configs, instance, ...rest } = this.#options;
    const claimed = await configs.replace(followed.entry, { holder: instance });
    if (!claimed) {
      // Another has it, or our own claim was taken and its acknowledgement lost.
      const now = await configs.reread(followed.entry);
      if (now?.state === "active") this.#known.set(key, now);
      else this.#known.delete(key);
      return;
    }
    followed.entry = claimed;
    this.#known.delete(key);
    const context = {
      ...rest,
      configs,
      instance,
      counts: this.counts,
      signal: followed.leaving.signal,
    };
    await deliverTo(context, followed);
    if (signal.aborted && followed.entry.state === "active") {
      // Another replica need not wait until we are known to be gone.
      await configs.replace(followed.entry, { holder: "" });
    }
  }
}
