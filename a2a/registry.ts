/**
 * Who is there: every replica's card in a KV bucket, kept alive by a heartbeat. An entry outlives its
 * replica by at most CARD_TTL_MS. Liveness is judged by when an update arrived here, never by a
 * timestamp a peer wrote, so a wrong clock makes nobody dead.
 */
import { AgentCard } from "@a2a-js/sdk";
import type { KV, KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/nats-core";
import { z } from "zod";
import { type Clock, isSubjectToken, type Logger, limits } from "../core/mod.ts";

export const CARDS_BUCKET = "A2A_CARDS";

const Entry = z.object({
  agent: z.string().refine(isSubjectToken, "not a name"),
  instance: z.string().refine(isSubjectToken, "not a name"),
  host: z.string().max(256),
  pid: z.number().int(),
  startedAt: z.string().max(40),
  running: z.number().int().min(0),
  card: z.unknown(),
});

/** One live replica of one agent. */
export interface Registered {
  readonly agent: string;
  readonly instance: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: string;
  /** Tasks it was running at its last heartbeat. */
  readonly running: number;
  readonly card: AgentCard;
}

export interface RegistryOptions {
  readonly kv: KV;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ttlMs?: number;
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #ttlMs: number;
  readonly #seen = new Map<string, { entry: Registered; atMs: number }>();
  #watch: QueuedIterator<KvWatchEntry> | undefined;
  /** Since when entries have come in without a long silence. */
  #listeningSinceMs = 0;
  #heardAtMs = 0;
  #announcing = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#ttlMs = options.ttlMs ?? limits.CARD_TTL_MS;
  }

  /** Begins to watch. Resolves once the watch stands; entries keep arriving after it. */
  async start(): Promise<void> {
    this.#listeningSinceMs = this.#options.clock.nowMs();
    this.#heardAtMs = this.#listeningSinceMs;
    const watch = await this.#options.kv.watch();
    this.#watch = watch;
    void (async () => {
      for await (const entry of watch) this.#take(entry);
    })().catch((error: unknown) => this.#options.log.warn("registry.watch_ended", { error }));
  }

  stop(): void {
    this.#watch?.stop();
  }

  /** Replicas heard from within the TTL, by agent and then by age. */
  list(): Registered[] {
    const now = this.#options.clock.nowMs();
    return [...this.#seen.values()]
      .filter(({ atMs }) => now - atMs < this.#ttlMs)
      .map(({ entry }) => entry)
      .sort((a, b) => a.agent.localeCompare(b.agent) || a.instance.localeCompare(b.instance));
  }

  /**
   * Whether a replica is known to be gone: not heard from for a whole TTL, by a watcher that has
   * itself listened for at least that long. Who hears not even its own heartbeat (NATS was away, the
   * process was paused) does not listen.
   */
  isGone(instance: string): boolean {
    const now = this.#options.clock.nowMs();
    if (now - this.#listeningSinceMs < this.#ttlMs) return false;
    if (this.#announcing && this.#isSilence(now)) return false;
    const seen = [...this.#seen.values()].find(({ entry }) => entry.instance === instance);
    return !seen || now - seen.atMs >= this.#ttlMs;
  }

  /** Announces a replica until `signal` aborts, then withdraws it. Survives an absent server. */
  async announce(replica: () => Registered, signal: AbortSignal): Promise<void> {
    const { kv, clock, log } = this.#options;
    const { agent, instance } = replica();
    const key = `${agent}.${instance}`;
    this.#announcing = true;
    while (!signal.aborted) {
      const current = replica();
      const value = { ...current, card: AgentCard.toJSON(current.card) };
      await kv.put(key, JSON.stringify(value)).catch((error: unknown) => {
        log.warn("registry.heartbeat_failed", { error });
      });
      await clock.sleep(this.#ttlMs / 3, signal).catch(() => {});
    }
    await kv.delete(key).catch(() => {});
  }

  /** Two heartbeats of our own did not come back. */
  #isSilence(now: number): boolean {
    return now - this.#heardAtMs > (this.#ttlMs * 2) / 3;
  }

  /** Notes that we listen, and forgets who has been silent for long: nobody deletes a dead one's card. */
  #heard(): void {
    const now = this.#options.clock.nowMs();
    if (this.#isSilence(now)) this.#listeningSinceMs = now;
    this.#heardAtMs = now;
    for (const [key, { atMs }] of this.#seen) {
      if (now - atMs >= 2 * this.#ttlMs) this.#seen.delete(key);
    }
  }

  #take(entry: KvWatchEntry): void {
    this.#heard();
    if (entry.operation !== "PUT") {
      this.#seen.delete(entry.key);
      return;
    }
    // A card left behind by a replica that died before we came is not a sign of life.
    const ageMs = entry.isUpdate ? 0 : this.#options.clock.nowMs() - entry.created.getTime();
    try {
      const parsed = Entry.parse(entry.json());
      if (entry.key !== `${parsed.agent}.${parsed.instance}`) throw new Error("another's name");
      const registered = { ...parsed, card: AgentCard.fromJSON(parsed.card) };
      const atMs = this.#options.clock.nowMs() - Math.min(Math.max(0, ageMs), this.#ttlMs);
      this.#seen.set(entry.key, { entry: registered, atMs });
    } catch (error) {
      this.#options.log.warn("registry.bad_entry", { key: entry.key, error });
    }
  }
}
