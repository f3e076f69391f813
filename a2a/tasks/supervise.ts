/**
 * Watches over the agent's open tasks: one whose replica is gone is taken over by whoever notices, and the
 * log decides between several. A replica is gone when the server says that nobody listens where it
 * takes orders, for longer than a connection takes to come back; it is asked, never guessed from clocks.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { type Clock, type Logger, messageOf, PetrelError } from "../../core/mod.ts";
import { isNobodyThere } from "../errors.ts";
import { controlSubject } from "../subjects.ts";
import { type Folded, isAtRest } from "./fold.ts";
import { loadTask } from "./load.ts";
import type { OpenTask } from "./open.ts";
import type { TaskRunner } from "./runner.ts";

export interface SupervisorOptions {
  readonly nc: NatsConnection;
  readonly agent: string;
  readonly instance: string;
  readonly runner: TaskRunner;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_EVERY_MS = 1_000;
const PING_TIMEOUT_MS = 1_000;
/** A replica that reconnects is back sooner. */
const GONE_AFTER_MS = 3_000;
/** A replica that is there and does not answer hangs. */
const HANGS_AFTER_MS = 15_000;
/** An entry of our own whose task does not run, such as one whose removal failed. */
const STALE_AFTER_MS = 5_000;
/** Taken over at a time: each may run. */
const AT_ONCE_MAX = 64;

/** What is known of a replica that did not answer. */
interface Absence {
  readonly sinceMs: number;
  readonly why: "gone" | "silent";
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #open = new Map<string, OpenTask>();
  readonly #absent = new Map<string, Absence>();
  readonly #stopping = new AbortController();
  /** Its watch has ended, or could not be made: it is made anew. */
  #isDeaf = false;
  #unwatch: () => void = () => {};
  #done: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#watch();
    void this.#noteReconnects();
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#unwatch();
    await this.#done;
  }

  async #watch(): Promise<void> {
    const { runner, log } = this.#options;
    this.#isDeaf = true;
    const unwatch = await runner.open.watch(
      log,
      (key, open) => {
        if (open) this.#open.set(key, open);
        else this.#open.delete(key);
      },
      () => {
        this.#isDeaf = !this.#stopping.signal.aborted;
      },
    );
    this.#unwatch();
    this.#unwatch = unwatch;
    this.#isDeaf = false;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { clock, log } = this.#options;
    let isMore = false;
    while (!signal.aborted) {
      if (!isMore) await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
      if (signal.aborted) return;
      isMore = await this.#look().catch((error: unknown) => {
        log.warn("tasks.not_supervised", { error });
        return false;
      });
    }
  }

  /** True when there is more to take over at once. */
  async #look(): Promise<boolean> {
    if (this.#isDeaf) await this.#watch();
    const instances = new Set([...this.#open.values()].map(({ instance }) => instance));
    for (const known of this.#absent.keys()) if (!instances.has(known)) this.#absent.delete(known);
    await Promise.all([...instances].map((instance) => this.#ask(instance)));
    const orphans = [...this.#open]
      .filter(([, open]) => this.#isOrphan(open))
      .slice(0, AT_ONCE_MAX);
    const dealt = await Promise.all(orphans.map(([key, open]) => this.#takeOver(key, open)));
    return orphans.length === AT_ONCE_MAX && dealt.includes(true);
  }

  /** Asks a replica whether it lives, and notes since when it does not. */
  async #ask(instance: string): Promise<void> {
    const { nc, agent } = this.#options;
    if (instance === this.#options.instance) return this.#note(instance, "gone");
    try {
      await nc.request(controlSubject(agent, instance), "ping", { timeout: PING_TIMEOUT_MS });
      this.#absent.delete(instance);
    } catch (error) {
      this.#note(instance, isNobodyThere(error) ? "gone" : "silent");
    }
  }

  #note(instance: string, why: Absence["why"]): void {
    const known = this.#absent.get(instance);
    if (known?.why === why) return;
    this.#absent.set(instance, { sinceMs: this.#options.clock.nowMs(), why });
  }

  #isOrphan({ instance, owner, taskId }: OpenTask): boolean {
    const absence = this.#absent.get(instance);
    if (!absence || this.#options.runner.running({ owner, taskId })) return false;
    const isOurs = instance === this.#options.instance;
    const graceMs = isOurs
      ? STALE_AFTER_MS
      : absence.why === "gone"
        ? GONE_AFTER_MS
        : HANGS_AFTER_MS;
    return this.#options.clock.nowMs() - absence.sinceMs >= graceMs;
  }

  /** True when the task needs nobody any more, or is somebody's again. */
  async #takeOver(key: string, place: OpenTask): Promise<boolean> {
    const { runner, log } = this.#options;
    const { taskId, instance } = place;
    try {
      const loaded = await loadTask(runner.log, runner.open, place);
      if (loaded?.instance === instance) await runner.retell(place, loaded.folded);
      if (!loaded || isFinished(loaded.folded)) {
        // It came to rest before its replica died, or was never claimed.
        await runner.open.remove(place, place.revision);
        this.#open.delete(key);
        return true;
      }
      if (loaded.instance !== instance) {
        // The entry was wrong, the log is not: it is that replica which has to be there.
        this.#open.set(key, { ...place, instance: loaded.instance });
        return false;
      }
      const taken = await runner.takeOver(place, loaded);
      log.warn("task.taken_over", { taskId, from: instance, taken });
      return true;
    } catch (error) {
      const isExpected = error instanceof PetrelError && error.retry === "later";
      // A log that cannot be read does not become readable.
      this.#open.delete(key);
      // The others first: what cannot be done now must not be in their way.
      if (isExpected) this.#open.set(key, place);
      const words = { taskId, error: messageOf(error) };
      log[isExpected ? "info" : "error"]("task.not_taken_over", words);
      return false;
    }
  }

  /** Absence is counted anew: it was our own, or everybody's. A watch may have been forgotten. */
  async #noteReconnects(): Promise<void> {
    for await (const { type } of this.#options.nc.status()) {
      if (this.#stopping.signal.aborted) return;
      if (type === "disconnect") this.#absent.clear();
      if (type !== "reconnect") continue;
      this.#absent.clear();
      await this.#watch().catch((error: unknown) =>
        this.#options.log.warn("tasks.watch_not_renewed", { error }),
      );
    }
  }
}

/** Nobody works on it: it answered, ended, or waits for its caller. */
function isFinished({ task, answer }: Folded): boolean {
  return answer !== undefined || (task !== undefined && isAtRest(task));
}
