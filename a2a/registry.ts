/**
 * Who is there: every replica's card in a KV bucket, kept alive by a heartbeat. An entry outlives its
 * replica by at most CARD_TTL_MS. Liveness is judged by when an update arrived here, never by a
 * timestamp a peer wrote, so a wrong clock makes nobody dead.
 */
import { AgentCard } from "@a2a-js/sdk";
import type { KV, KvWatchEntry } from "@nats-io/kv";
import type { QueuedIterator } from "@nats-io/nats-core";
import { z } from "zod";
import {
  asPetrelError,
  type Clock,
  isSubjectToken,
  type Logger,
  limits,
  PetrelError,
} from "../core/mod.ts";

export const CARDS_BUCKET = "A2A_CARDS";

/** Circuits a process tells of at most; those that are closed it does not. */
export const BREAKERS_MAX = 32;
/** How long a watch is awaited that brings what is there already. */
const READY_TIMEOUT_MS = 2_000;
/** Cards whose signature was found good, kept so that a heartbeat costs no check. */
const VERIFIED_MAX = 4_096;

const Breaker = z.object({
  target: z.string().max(200),
  state: z.enum(["open", "half-open"]),
  retryAfterMs: z.number().min(0),
});
/** A circuit to an agent that is not closed, as whoever calls that agent tells. */
export type OpenBreaker = z.infer<typeof Breaker>;

const Entry = z.object({
  agent: z.string().refine(isSubjectToken, "not a name"),
  instance: z.string().refine(isSubjectToken, "not a name"),
  host: z.string().max(256),
  pid: z.number().int(),
  startedAt: z.string().max(40),
  running: z.number().int().min(0),
  card: z.unknown(),
  breakers: z.array(Breaker).max(BREAKERS_MAX).optional(),
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
  /** Circuits of this process that are not closed. */
  readonly breakers?: readonly OpenBreaker[] | undefined;
}

/** What an agent has to be; what is left out does not matter. */
export interface Wanted {
  readonly agent?: string;
  readonly skill?: string;
  /** A tag of one of its skills. */
  readonly tag?: string;
  /** A range of versions, such as `1.x` or `>=1.2`. */
  readonly version?: string;
}

export interface RegistryOptions {
  readonly kv: KV;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ttlMs?: number;
  /** Whether a card's signature holds; without it cards are believed as they came. Throws when it does not. */
  readonly verify?: (json: unknown) => Promise<void>;
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #ttlMs: number;
  readonly #seen = new Map<string, { entry: Registered; atMs: number }>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #verified = new Map<string, string>();
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
      for await (const entry of watch) {
        await this.#take(entry);
        if (entry.delta === 0) this.#ready.resolve();
      }
    })().catch((error: unknown) => this.#options.log.warn("registry.watch_ended", { error }));
  }

  stop(): void {
    this.#watch?.stop();
    this.#ready.resolve();
  }

  /** Resolves when every card that was there at the start is known, or after two seconds. */
  async ready(): Promise<void> {
    const { kv, clock } = this.#options;
    const late = new AbortController();
    const isEmpty = kv.status().then(
      ({ values }) => (values === 0 ? undefined : this.#ready.promise),
      () => this.#ready.promise,
    );
    const timeout = clock.sleep(READY_TIMEOUT_MS, late.signal).catch(() => {});
    await Promise.race([isEmpty, this.#ready.promise, timeout]);
    late.abort();
  }

  /** Live replicas of agents that are what is wanted, by agent. Throws USAGE for a version that is no range. */
  find(wanted: Wanted): Registered[] {
    const { agent, skill, tag, version } = wanted;
    if (version !== undefined && !isRange(version)) {
      throw new PetrelError("USAGE", `version "${version.slice(0, 60)}" is no range of versions`, {
        path: "version",
      });
    }
    return this.list().filter(
      ({ agent: name, card }) =>
        (agent === undefined || name === agent) &&
        (skill === undefined || card.skills.some(({ id }) => id === skill)) &&
        (tag === undefined || card.skills.some(({ tags }) => tags.includes(tag))) &&
        (version === undefined || Bun.semver.satisfies(card.version, version)),
    );
  }

  /** Replicas heard from within the TTL, by agent and then by age. */
  list(): Registered[] {
    const now = this.#options.clock.nowMs();
    return [...this.#seen.values()]
      .filter(({ atMs }) => now - atMs < this.#ttlMs)
      .map(({ entry }) => entry)
      .sort((a, b) => compare(a.agent, b.agent) || compare(a.instance, b.instance));
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

  /** Writes a replica's entry, once. It lasts for the TTL. Throws UNAVAILABLE. */
  async register(replica: Registered): Promise<void> {
    const value = { ...replica, card: AgentCard.toJSON(replica.card) };
    try {
      await this.#options.kv.put(keyOf(replica), JSON.stringify(value));
    } catch (error) {
      throw asPetrelError(error, "UNAVAILABLE", "the registry");
    }
  }

  /** Removes a replica's entry. Throws UNAVAILABLE. */
  async deregister(replica: Pick<Registered, "agent" | "instance">): Promise<void> {
    await this.#options.kv.delete(keyOf(replica)).catch((error: unknown) => {
      throw asPetrelError(error, "UNAVAILABLE", "the registry");
    });
  }

  /**
   * Keeps a replica's entry until `signal` aborts, then removes it. `first` resolves when it was written,
   * or could not be: an absent server is survived.
   */
  announce(
    replica: () => Registered,
    signal: AbortSignal,
  ): { readonly first: Promise<void>; readonly ended: Promise<void> } {
    const { clock, log } = this.#options;
    this.#announcing = true;
    const write = () =>
      this.register(replica()).catch((error: unknown) =>
        log.warn("registry.heartbeat_failed", { error }),
      );
    const first = write();
    const keep = async () => {
      for (await first; !signal.aborted; await write()) {
        await clock.sleep(this.#ttlMs / 3, signal).catch(() => {});
        if (signal.aborted) break;
      }
      await this.deregister(replica()).catch(() => {});
    };
    return { first, ended: keep() };
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

  async #take(entry: KvWatchEntry): Promise<void> {
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
      await this.#verify(entry.key, parsed.card);
      const registered = { ...parsed, card: AgentCard.fromJSON(parsed.card) };
      const atMs = this.#options.clock.nowMs() - Math.min(Math.max(0, ageMs), this.#ttlMs);
      this.#seen.set(entry.key, { entry: registered, atMs });
    } catch (error) {
      this.#seen.delete(entry.key);
      this.#options.log.warn("registry.bad_entry", { key: entry.key, error });
    }
  }

  async #verify(key: string, card: unknown): Promise<void> {
    const { verify } = this.#options;
    if (!verify) return;
    const text = JSON.stringify(card);
    if (this.#verified.get(key) === text) return;
    await verify(card);
    this.#verified.set(key, text);
    if (this.#verified.size > VERIFIED_MAX) {
      for (const oldest of this.#verified.keys().take(1)) this.#verified.delete(oldest);
    }
  }
}

function keyOf({ agent, instance }: Pick<Registered, "agent" | "instance">): string {
  return `${agent}.${instance}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A range of which a version can be part. */
function isRange(text: string): boolean {
  return text.length <= 100 && /^[\d\sxX*.<>=~^|&+a-zA-Z-]+$/.test(text) && /[\dxX*]/.test(text);
}
