/**
 * Reads partitions without a consumer group: nothing to join, nothing left behind on the brokers.
 * Only committed records (KIP-98): what a transaction aborted and the markers that end transactions are
 * passed over, and nothing past the first open transaction is handed out.
 */
import { type Clock, PetrelError, systemClock } from "../../core/mod.ts";
import { type RawBatch, readRecords, splitBatches } from "./batch-read.ts";
import type { KafkaClient } from "./client.ts";
import type { KafkaCluster } from "./cluster.ts";
import { errorOfCode, kafkaError, OFFSET_NOT_AVAILABLE, OFFSET_OUT_OF_RANGE } from "./errors.ts";
import type { StoredRecord } from "./record.ts";
import { type FetchAnswer, fetch } from "./requests.ts";

export interface ReaderOptions {
  readonly client: KafkaClient;
  /**
   * How long brokers may be away, or a leader missing, before a read fails, in milliseconds; a read that gets
   * an answer starts afresh. Default 30 s.
   */
  readonly patienceMs?: number | undefined;
  /** Bytes asked for at once; two such blocks are held. Default 1 MiB. */
  readonly blockBytesMax?: number | undefined;
  readonly clock?: Clock | undefined;
}

export interface ReadPartition {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number | "earliest" | "latest";
  /** `end`: what is committed when reading begins. `follow`: on until the signal aborts. */
  readonly to: "end" | "follow";
  readonly signal: AbortSignal;
}

export interface PartitionOffsets {
  readonly partition: number;
  /** The first offset that is still there. */
  readonly earliest: number;
  /** Behind the last decided record: the last stable offset. */
  readonly latest: number;
}

interface Range {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  /** Exclusive; Infinity follows. */
  readonly until: number;
}

interface Block {
  readonly records: readonly StoredRecord[];
  readonly next: number;
}

const PATIENCE_MS = 30_000;
const BLOCK_BYTES_MAX = 1024 * 1024;
/** How long a broker may hold a request for what is not there yet. */
const WAIT_MS = 500;
const BACKOFF_MS_FIRST = 50;
const BACKOFF_MS_MAX = 1_000;
/** ListOffsets' names for the ends of a log. */
const LATEST = -1;
const EARLIEST = -2;
const READ_COMMITTED = 1;
/** Looking for the last record: a marker stands behind it, so begin two back, then ever further. */
const STEP_BACK_FIRST = 2;
const STEP_BACK_FACTOR = 8;

/**
 * Connections are made when first needed; `close` lets them go. One read at a time: a broker that holds a
 * request of one holds those behind it too, so each of several that follow wants a reader of its own.
 */
export class KafkaReader {
  readonly #options: ReaderOptions;
  readonly #clock: Clock;
  #cluster: KafkaCluster | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * The committed records of a partition in offset order; the next block is fetched while one is handled.
   * A record's value is a view into its block. Throws QUERY_REFUSED when `fromOffset` is not in the log (any
   * more), PROTOCOL_VIOLATION for a batch that cannot be read, UNAUTHENTICATED for what an ACL refuses, what
   * the brokers' absence is called when patience ends, and CANCELLED when the signal aborts.
   */
  async *readPartition(options: ReadPartition): AsyncGenerator<StoredRecord, void, undefined> {
    for await (const records of this.readBlocks(options)) yield* records;
  }

  /** As `readPartition`, a block at a time: for millions of records. */
  async *readBlocks(
    options: ReadPartition,
  ): AsyncGenerator<readonly StoredRecord[], void, undefined> {
    const { topic, partition, fromOffset, to, signal } = options;
    const bounds = await this.#boundsOf(topic, partition, signal);
    const from = typeof fromOffset === "number" ? fromOffset : bounds[fromOffset];
    const until = to === "end" ? bounds.latest : Number.POSITIVE_INFINITY;
    if (from < bounds.earliest || from > until)
      throw outOfRange({ topic, partition, from }, bounds);
    yield* this.#blocks({ topic, partition, from, until }, signal);
  }

  /** The last committed record of a partition; undefined when there is none. */
  async lastRecord(
    topic: string,
    partition: number,
    signal: AbortSignal,
  ): Promise<StoredRecord | undefined> {
    const { earliest, latest } = await this.#boundsOf(topic, partition, signal);
    let until = latest;
    for (let step = STEP_BACK_FIRST; until > earliest; step *= STEP_BACK_FACTOR) {
      const from = Math.max(earliest, until - step);
      let last: StoredRecord | undefined;
      for await (const records of this.#blocks({ topic, partition, from, until }, signal)) {
        last = records.at(-1) ?? last;
      }
      // A copy: the view would keep its whole block.
      if (last) return { ...last, value: Buffer.from(last.value) };
      until = from;
    }
    return undefined;
  }

  /** Where each partition begins and ends for a read_committed reader, in partition order. */
  async offsetsOf(topic: string, signal: AbortSignal): Promise<readonly PartitionOffsets[]> {
    const count = await this.#retrying(signal, async (cluster) => {
      await cluster.load([topic], signal);
      return cluster.partitionCount(topic);
    });
    const all: PartitionOffsets[] = [];
    for (let partition = 0; partition < count; partition++) {
      all.push({ partition, ...(await this.#boundsOf(topic, partition, signal)) });
    }
    return all;
  }

  async close(): Promise<void> {
    const cluster = this.#cluster;
    this.#cluster = undefined;
    await cluster?.close();
  }

  async #boundsOf(topic: string, partition: number, signal: AbortSignal) {
    return this.#retrying(signal, async (cluster) => {
      await cluster.load([topic], signal);
      const leader = await cluster.leaderOf(topic, partition, signal);
      const doing = { doing: "asking for the offsets of", topic, partition };
      const ask = async (timestamp: number) => {
        const partitions = [{ partition, timestamp }];
        const request = {
          isolationLevel: READ_COMMITTED,
          topics: [{ topic, partitions }],
        } as const;
        const answer = await cluster.step(doing, signal, () => leader.listOffsets(request));
        return Number(answer.responses[0]?.partitions[0]?.offset);
      };
      return { earliest: await ask(EARLIEST), latest: await ask(LATEST) };
    });
  }

  async *#blocks(range: Range, signal: AbortSignal): AsyncGenerator<readonly StoredRecord[]> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const fetchFrom = (from: number) => {
      const coming = from < range.until ? this.#block({ ...range, from }, either) : undefined;
      // Reading may end before it is asked for.
      coming?.catch(() => {});
      return coming;
    };
    let coming = fetchFrom(range.from);
    try {
      while (coming) {
        const { records, next }: Block = await coming;
        coming = fetchFrom(next);
        if (records.length > 0) yield records;
      }
    } finally {
      stop.abort();
    }
  }

  /** The next block of a range, which may hold no record of interest. */
  async #block(range: Range, signal: AbortSignal): Promise<Block> {
    const { topic, partition } = range;
    return this.#retrying(signal, async (cluster) => {
      await cluster.load([topic], signal);
      const leader = await cluster.leaderOf(topic, partition, signal);
      const doing = { doing: "reading", topic, partition };
      const [found] = await cluster.send(leader, this.#request(range), doing, signal);
      if (!found || found.partition !== partition) throw errorOfCode(-1, doing, "an empty answer");
      if (found.errorCode === OFFSET_OUT_OF_RANGE) throw outOfRange(range);
      if (found.errorCode !== 0) throw errorOfCode(found.errorCode, doing);
      const block = await committed(found, range);
      // What was promised up to the end is with a follower that now leads and has yet to learn of it.
      const isStuck = block.next === range.from && range.until !== Number.POSITIVE_INFINITY;
      if (isStuck) throw errorOfCode(OFFSET_NOT_AVAILABLE, doing);
      return block;
    });
  }

  #request({ topic, partition, from }: Range) {
    const bytesMax = this.#options.blockBytesMax ?? BLOCK_BYTES_MAX;
    return fetch({ topic, partition, offset: from, bytesMax, waitMs: WAIT_MS });
  }

  /** Tries until it succeeds or patience ends: brokers restart and leaders move. */
  async #retrying<T>(
    signal: AbortSignal,
    attempt: (cluster: KafkaCluster) => Promise<T>,
  ): Promise<T> {
    const deadlineMs = this.#clock.nowMs() + (this.#options.patienceMs ?? PATIENCE_MS);
    for (let waitMs = BACKOFF_MS_FIRST; ; waitMs = Math.min(2 * waitMs, BACKOFF_MS_MAX)) {
      try {
        return await attempt(await this.#connected(signal));
      } catch (error) {
        const again = error instanceof PetrelError && error.retry === "later";
        if (!again || this.#clock.nowMs() + waitMs >= deadlineMs) throw error;
        // New connections and fresh metadata: whatever was stale is gone.
        await this.close();
        await this.#sleep(waitMs, signal);
      }
    }
  }

  async #connected(signal: AbortSignal): Promise<KafkaCluster> {
    if (this.#cluster) return this.#cluster;
    const cluster = this.#options.client.cluster();
    try {
      await cluster.connect(signal);
    } catch (error) {
      await cluster.close();
      throw error;
    }
    this.#cluster = cluster;
    return cluster;
  }

  async #sleep(waitMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(waitMs, signal);
    } catch (error) {
      throw kafkaError(error, { doing: "waiting for the brokers" });
    }
  }
}

/**
 * What of a fetched block is data, committed, and inside the range. The broker lists the aborted
 * transactions that reach into the block; each ends at its producer's abort marker (KIP-98, "Consumer").
 */
async function committed(answer: FetchAnswer, range: Range): Promise<Block> {
  const { topic, partition, from, until } = range;
  const aborts = [...answer.aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<bigint>();
  const records: StoredRecord[] = [];
  let next = from;
  for (const batch of splitBatches(answer.records, `${topic}[${partition}]`)) {
    next = Math.max(next, batch.lastOffset + 1);
    for (; aborts[0] && aborts[0].firstOffset <= batch.lastOffset; aborts.shift()) {
      aborting.add(aborts[0].producerId);
    }
    if (!isData(batch, aborting)) continue;
    const read = await readRecords(batch, topic, partition);
    for (const record of read) {
      if (record.offset >= from && record.offset < until) records.push(record);
    }
  }
  // Retention may have left nothing between here and the end it had.
  if (next === from && answer.logStartOffset >= until) next = until;
  return { records, next };
}

function isData(batch: RawBatch, aborting: Set<bigint>): boolean {
  if (batch.marker === "abort") aborting.delete(batch.producerId);
  if (batch.marker !== undefined) return false;
  return !(batch.transactional && aborting.has(batch.producerId));
}

function outOfRange(
  { topic, partition, from }: Pick<Range, "topic" | "partition" | "from">,
  bounds?: { readonly earliest: number; readonly latest: number },
): PetrelError {
  const place = `${topic}[${partition}]`;
  const there = bounds ? `: the log holds ${bounds.earliest} to ${bounds.latest}` : " any more";
  const message = `kafka: ${place}: there is no offset ${from}${there}`;
  return new PetrelError("QUERY_REFUSED", message, { place, from, ...bounds });
}
