/**
 * How a shard's bridge is doing: what it has carried, how far it is behind, and how long the stream will
 * still keep what it has not carried yet. Shown as Prometheus metrics; a headroom that shrinks is an alarm.
 */
import { JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";
import { AUDIT_STREAM } from "../a2a/mod.ts";
import type { Clock, Logger, PetrelError } from "../core/mod.ts";
import { messageOf } from "../core/mod.ts";
import type { Batch } from "./filling.ts";

export type Phase = "standby" | "starting" | "carrying" | "waiting";

/** Retention's headroom, of the stream's bounds by age and by bytes, whichever is closer: 1 all, 0 none. */
export interface Lag {
  /** Messages of the stream not yet in Kafka, all shards counted. */
  readonly messages: number;
  /** Age of the oldest of them, milliseconds. */
  readonly ageMs: number;
  readonly headroom: number;
}

export interface StatusSnapshot {
  readonly shard: number;
  readonly phase: Phase;
  readonly records: number;
  readonly batches: number;
  readonly failures: number;
  readonly alarms: number;
  readonly nextSeq: number;
  readonly size: number;
  readonly lag: Lag | undefined;
  readonly lastError: string | undefined;
}

/** Below this share of the retention an operator has to act. */
const HEADROOM_LOW = 0.25;
const NANOS_PER_MS = 1e6;

export class Status {
  readonly #shard: number;
  #phase: Phase = "standby";
  #records = 0;
  #batches = 0;
  #failures = 0;
  #alarms = 0;
  #nextSeq = 0;
  #size = 0;
  #lag: Lag | undefined;
  #lastError: string | undefined;

  constructor(shard: number) {
    this.#shard = shard;
  }

  /** Batches committed since the process began. */
  get committed(): number {
    return this.#batches;
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Another process carries the shard, and knows how far behind it is. */
  standby(): void {
    this.#phase = "standby";
    this.#lag = undefined;
  }

  starting(): void {
    this.#phase = "starting";
  }

  carrying(nextSeq: number, size: number): void {
    this.#phase = "carrying";
    this.#nextSeq = nextSeq;
    this.#size = size;
  }

  committedBatch(batch: Pick<Batch, "records" | "alarms" | "nextSeq" | "size">): void {
    this.#batches++;
    this.#records += batch.records.length;
    this.#alarms += batch.alarms.length;
    this.#lastError = undefined;
    this.carrying(batch.nextSeq, batch.size);
  }

  failed(error: PetrelError): void {
    this.#phase = "waiting";
    this.#failures++;
    this.#lastError = `${error.code}: ${messageOf(error)}`;
  }

  /** What was measured while the shard passed to another process is of no more use. */
  measured(lag: Lag): void {
    if (this.#phase !== "standby") this.#lag = lag;
  }

  get snapshot(): StatusSnapshot {
    return {
      shard: this.#shard,
      phase: this.#phase,
      records: this.#records,
      batches: this.#batches,
      failures: this.#failures,
      alarms: this.#alarms,
      nextSeq: this.#nextSeq,
      size: this.#size,
      lag: this.#lag,
      lastError: this.#lastError,
    };
  }
}

/**
 * Looks at the stream every `everyMs` until `signal` aborts; says when the headroom becomes low. A standby
 * does not look: the place in the stream is with who carries the shard.
 */
export async function watchLag(
  options: {
    readonly jsm: JetStreamManager;
    readonly status: Status;
    readonly everyMs: number;
    readonly onLow: (lag: Lag) => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  const { jsm, status, everyMs, onLow, clock, log } = options;
  let wasLow = false;
  while (!signal.aborted) {
    try {
      const lag = await lagOf(status, jsm, clock.nowMs());
      const isLow = lag !== undefined && lag.headroom < HEADROOM_LOW;
      if (isLow && !wasLow) onLow(lag);
      wasLow = isLow;
    } catch (error) {
      log.debug("bridge.lag_unknown", { error: messageOf(error) });
    }
    await clock.sleep(everyMs, signal).catch(() => {});
  }
}

async function lagOf(
  status: Status,
  jsm: JetStreamManager,
  nowMs: number,
): Promise<Lag | undefined> {
  if (status.phase === "standby") return undefined;
  const lag = await measureLag(jsm, status.nextSeq, nowMs);
  status.measured(lag);
  return lag;
}

/** How far `nextSeq` is behind the stream, at `nowMs`. Throws what the server answers. */
export async function measureLag(
  jsm: JetStreamManager,
  nextSeq: number,
  nowMs: number,
): Promise<Lag> {
  const { state, config } = await jsm.streams.info(AUDIT_STREAM);
  const seq = Math.max(nextSeq, state.first_seq, 1);
  const messages = Math.max(0, state.last_seq - seq + 1);
  if (messages === 0) return { messages, ageMs: 0, headroom: 1 };
  const ageMs = Math.max(0, nowMs - (await timeOf(jsm, seq, nowMs)));
  const byAge = config.max_age > 0 ? 1 - (ageMs * NANOS_PER_MS) / config.max_age : 1;
  const held = Math.max(1, state.last_seq - state.first_seq + 1);
  const behindBytes = state.bytes * (messages / held);
  const byBytes = config.max_bytes > 0 ? 1 - behindBytes / config.max_bytes : 1;
  return { messages, ageMs, headroom: Math.max(0, Math.min(byAge, byBytes)) };
}

async function timeOf(jsm: JetStreamManager, seq: number, otherwiseMs: number): Promise<number> {
  try {
    const message = await jsm.streams.getMessage(AUDIT_STREAM, { seq });
    return message?.time.getTime() ?? otherwiseMs;
  } catch (error) {
    if (error instanceof JetStreamApiError) return otherwiseMs;
    throw error;
  }
}

/** The metrics of all shards, in Prometheus's text format 0.0.4. */
export function renderMetrics(shards: readonly StatusSnapshot[]): string {
  const lines: string[] = [];
  for (const { name, type, help, value } of METRICS) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const shard of shards) {
      const found = value(shard);
      if (found !== undefined) lines.push(`${name}{shard="${shard.shard}"} ${found}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const METRICS: readonly {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly value: (shard: StatusSnapshot) => number | undefined;
}[] = [
  {
    name: "petrel_bridge_records_total",
    type: "counter",
    help: "Records committed to Kafka.",
    value: (shard) => shard.records,
  },
  {
    name: "petrel_bridge_transactions_total",
    type: "counter",
    help: "Kafka transactions committed.",
    value: (shard) => shard.batches,
  },
  {
    name: "petrel_bridge_failures_total",
    type: "counter",
    help: "Sessions that ended in an error and were started again.",
    value: (shard) => shard.failures,
  },
  {
    name: "petrel_bridge_alarms_total",
    type: "counter",
    help: "Gaps, silences and conflicts recorded.",
    value: (shard) => shard.alarms,
  },
  {
    name: "petrel_bridge_carrying",
    type: "gauge",
    help: "1 while this process holds the shard and Kafka takes its records.",
    value: (shard) => (shard.phase === "carrying" ? 1 : 0),
  },
  {
    name: "petrel_bridge_next_sequence",
    type: "gauge",
    help: "First sequence of the AUDIT stream that is not in Kafka.",
    value: (shard) => shard.nextSeq,
  },
  {
    name: "petrel_bridge_tree_size",
    type: "gauge",
    help: "Leaves of the shard's Merkle tree.",
    value: (shard) => shard.size,
  },
  {
    name: "petrel_bridge_lag_messages",
    type: "gauge",
    help: "Messages of the AUDIT stream that are not in Kafka.",
    value: (shard) => shard.lag?.messages,
  },
  {
    name: "petrel_bridge_lag_seconds",
    type: "gauge",
    help: "Age of the oldest message that is not in Kafka.",
    value: (shard) => (shard.lag ? shard.lag.ageMs / 1_000 : undefined),
  },
  {
    name: "petrel_bridge_retention_headroom_ratio",
    type: "gauge",
    help: "Share of the stream's retention left before a message that is not in Kafka is dropped.",
    value: (shard) => shard.lag?.headroom,
  },
];
