/** Agents and bridges at work in a world, with what the agents know of it. */
import { KafkaReader } from "../../bridge/mod.ts";
import { PetrelError, systemClock } from "../../core/mod.ts";
import { Agents, Bridges } from "./crew.ts";
import { type ChaosOptions, randomOf } from "./plan.ts";
import { lastLedger } from "./trail.ts";
import { Truth } from "./truth.ts";
import type { World } from "./world.ts";

const LOOK_EVERY_MS = 50;
/** No recovery takes this long. */
const RECOVERY_MS_MAX = 120_000;
const DRAIN_MS_MAX = 300_000;
const STOP_MS_MAX = 60_000;
/** Agents whose clocks are right, hours fast, and hours slow. */
const HOUR_MS = 3_600_000;
const CALLER_SKEWS_MS = [0, 5 * HOUR_MS];
const SERVER_SKEWS_MS = [0, -7 * HOUR_MS];

export class Stage implements AsyncDisposable {
  readonly world: World;
  readonly truth: Truth;
  readonly callers: Agents;
  readonly servers: Agents;
  readonly bridges: Bridges;
  readonly #stop = new AbortController();
  #watching = Promise.resolve();

  constructor(world: World, options: Pick<ChaosOptions, "seed" | "bridges" | "petrel">) {
    const { seed, bridges, petrel } = options;
    this.world = world;
    this.truth = new Truth(world.dir);
    const place = { dir: world.dir, natsUrl: world.nats.url };
    const random = randomOf(seed + 1);
    this.callers = new Agents("caller", CALLER_SKEWS_MS, place, random);
    this.servers = new Agents("server", SERVER_SKEWS_MS, place, random);
    this.bridges = new Bridges(bridges, world.dir, petrel);
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get areAgentsReady(): boolean {
    return this.callers.areReady && this.servers.areReady;
  }

  /** Reads the truth again and again, and calls `look` after it, to the end. */
  watch(look: () => void): void {
    const { signal } = this.#stop;
    const watching = async () => {
      while (!signal.aborted) {
        await this.truth.update();
        look();
        await systemClock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
      }
    };
    this.#watching = watching();
  }

  /** Throws DEADLINE_EXCEEDED naming what did not happen. */
  async until(
    what: string,
    holds: () => boolean | Promise<boolean>,
    timeoutMs = RECOVERY_MS_MAX,
  ): Promise<void> {
    const startedMs = systemClock.nowMs();
    while (!(await holds())) {
      this.#stop.signal.throwIfAborted();
      if (systemClock.nowMs() - startedMs > timeoutMs)
        throw new PetrelError("DEADLINE_EXCEEDED", `never: ${what}; see ${this.world.dir}`);
      await systemClock.sleep(LOOK_EVERY_MS);
    }
  }

  /** Ends the agents in order: what they reported is stored. Resolves with what those said that failed. */
  async stopAgents(): Promise<readonly string[]> {
    return [...(await this.callers.stop(STOP_MS_MAX)), ...(await this.servers.stop(STOP_MS_MAX))];
  }

  stopBridges(): Promise<readonly string[]> {
    return this.bridges.stop(STOP_MS_MAX);
  }

  /** Resolves when everything that the stream holds now is in Kafka. */
  async carried(): Promise<void> {
    const access = await this.world.access();
    const reader = new KafkaReader({ client: this.world.client });
    try {
      const { state } = await access.jsm.streams.info("AUDIT");
      const isCarried = async () =>
        ((await lastLedger(reader, this.signal))?.nextSeq ?? 0) > state.last_seq;
      await this.until("everything is carried", isCarried, DRAIN_MS_MAX);
    } finally {
      await reader.close();
      await access.close();
    }
  }

  /** Kills whatever still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    const all = [this.callers, this.servers, this.bridges];
    await Promise.all(all.map((crew) => crew.end((child) => void child.kill9(), STOP_MS_MAX)));
  }
}
