/** Who is killed when: drawn from a seed before the run, so that the same seed gives the same plan. */
import { Random } from "../../sim/mod.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** Envelopes that are answered at least: requests, responses and frames. */
  readonly envelopes: number;
  readonly bridges: 1 | 2;
  readonly bridgeKills: number;
  readonly natsKills: number;
  readonly kafkaKills: number;
  readonly agentKills: number;
  /** The program whose `up --role bridge` is run; default: the sources, by this Bun. */
  readonly petrel?: string | undefined;
}

export type Victim = "bridge" | "nats" | "kafka" | "agent";

export interface Kill {
  readonly victim: Victim;
  /** It is due when so many envelopes were answered. */
  readonly at: number;
  /** Then it waits so long for the moment, milliseconds. */
  readonly delayMs: number;
  /** Which of several, from 0 to less than 1. */
  readonly choice: number;
}

/** Within this time of a bridge's start it has the most to carry. */
const DELAY_MS_MAX = 400;
/** After the last kill there is something left to carry. */
const LAST_SHARE = 0.95;

/** The kills of each victim, in the order of their places. */
export function planOf(options: ChaosOptions): Readonly<Record<Victim, readonly Kill[]>> {
  const { seed, envelopes, bridgeKills, natsKills, kafkaKills, agentKills } = options;
  const random = randomOf(seed);
  const killsOf = (victim: Victim, count: number): Kill[] =>
    Array.from({ length: count }, (_, index) => ({
      victim,
      at: Math.floor(((index + random()) / count) * LAST_SHARE * envelopes),
      delayMs: Math.floor(random() * DELAY_MS_MAX),
      choice: random(),
    }));
  return {
    bridge: killsOf("bridge", bridgeKills),
    nats: killsOf("nats", natsKills),
    kafka: killsOf("kafka", kafkaKills),
    agent: killsOf("agent", agentKills),
  };
}

/** Numbers from 0 to less than 1. */
export function randomOf(seed: number): () => number {
  const random = new Random(seed);
  return () => random.fraction();
}
