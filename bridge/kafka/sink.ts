/**
 * Writes batches to Kafka, each in one transaction: a batch is there as a whole, or not at all (KIP-98).
 *
 * Three rules make that true where clients have been seen to lose or repeat records while reporting success:
 * a send carries one batch for one partition, and nothing is sent twice (a client that retries a send over
 * several leaders forgets a partition whose leader moves); a partition has one send under way at a time (the
 * sequence numbers of two that overlap are mixed up by an error); every answer is checked before the commit.
 * After any error the sink is closed and never used again: who made it reads the last committed ledger and
 * opens another, whose first act aborts what this one left open.
 */
import { type Clock, type Logger, PetrelError, silentLogger, systemClock } from "../../core/mod.ts";
import { type Compression, encodeBatch, reuseBatch } from "./batch-write.ts";
import type { KafkaClient } from "./client.ts";
import type { KafkaCluster } from "./cluster.ts";
import { CONCURRENT_TRANSACTIONS, errorOfCode, kafkaCodeOf, kafkaError } from "./errors.ts";
import type { InnerBroker } from "./kafkajs-inner.ts";
import { type Lane, laneName, lanesOf, type PlacedRecord, type SinkBatch } from "./lanes.ts";
import type { KafkaRecord } from "./record.ts";
import { addPartitions, produce } from "./requests.ts";

export interface SinkOptions {
  readonly client: KafkaClient;
  /** The same in every process that may write the same ledger: the newest fences the others. */
  readonly transactionalId: string;
  /** Every topic that is written to, and how many partitions it has. */
  readonly topics: ReadonlyMap<string, number>;
  /** Default `none`: the least CPU. Over a network that is the bottleneck, `zstd`. */
  readonly compression?: Compression | undefined;
  /** When the brokers give an unfinished transaction up. Default 30 s; readers wait for that long. */
  readonly transactionTimeoutMs?: number | undefined;
  /** Largest batch of one send, before compression; below the topics' max.message.bytes. Default 900,000. */
  readonly batchBytesMax?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/** What a committed batch took. */
export interface SinkReceipt {
  readonly sends: number;
  /** Of record batches, as sent. */
  readonly bytes: number;
}

/** Where a partition's next send stands. */
interface Place {
  sequence: number;
  /** No acknowledged batch may stand before it. */
  offset: number;
}

type State = "new" | "open" | "busy" | "closed";

const TRANSACTION_TIMEOUT_MS = 30_000;
/** Kafka's default max.message.bytes is 1,048,588. */
const BATCH_BYTES_MAX = 900_000;
/** Sends under way to different partitions: bounds the memory of a batch that is being written. */
const LANES_MAX = 5;
/** Sequence numbers are INT32 and go on at 0 after the largest. */
const SEQUENCES = 2 ** 31;
const WAIT_MS_FIRST = 1;
const WAIT_MS_MAX = 50;
const ABORT_MS_MAX = 2_000;
/** Codes of a coordinator that is not ready yet, not of a request that was wrong. */
const NOT_YET = new Set([CONCURRENT_TRANSACTIONS, 14, 15, 16]);
/** What a partition gets beside one that is refused. */
const NOT_ATTEMPTED = 55;

/** See the head of this file. One batch at a time; not for two callers at once. */
export class KafkaSink {
  readonly #options: SinkOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #cluster: KafkaCluster;
  readonly #transactionTimeoutMs: number;
  readonly #places = new Map<string, Place>();
  #state: State = "new";
  #coordinator: InnerBroker | undefined;
  #producerId = -1n;
  #producerEpoch = -1;
  /** Sends that got no answer: they may yet be appended. */
  #unanswered = 0;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#cluster = options.client.cluster();
    this.#transactionTimeoutMs = options.transactionTimeoutMs ?? TRANSACTION_TIMEOUT_MS;
  }

  get closed(): boolean {
    return this.#state === "closed";
  }

  /**
   * Connects and becomes the only writer under this transactional id: another's open transaction is aborted,
   * and its next request refused. When it resolves, everything decided before is visible to a read_committed
   * reader. Throws CONFIG_INVALID for a topic with another number of partitions; otherwise as `commit`.
   */
  async open(signal: AbortSignal): Promise<void> {
    if (this.#state !== "new") throw misuse(`opened while ${this.#state}`);
    this.#state = "busy";
    try {
      await this.#cluster.connect(signal);
      await this.#checkTopics(signal);
      await this.#fence(signal);
      this.#state = "open";
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #checkTopics(signal: AbortSignal): Promise<void> {
    const { topics } = this.#options;
    await this.#cluster.load([...topics.keys()], signal);
    for (const [topic, expected] of topics) {
      const found = this.#cluster.partitionCount(topic);
      if (found === expected) continue;
      const message = `kafka: ${topic} has ${found} partitions, not ${expected}`;
      throw new PetrelError("CONFIG_INVALID", message, { topic, found, expected });
    }
  }

  /**
   * InitProducerId with a transactional id is the fence, and ends what the coordinator knows to be open (KIP-98).
   * A coordinator that is killed and restarted has been seen to take a commit for ended whose markers it had
   * written to some partitions only, or to none. What stands undecided then was committed and acknowledged: it
   * is given its marker now, in every partition, and the second InitProducerId waits until they are written.
   * Aborting it instead would tear a batch whose ledger is visible; and since the ledger is sent last, a ledger
   * that becomes visible here has all its records before it.
   */
  async #fence(signal: AbortSignal): Promise<void> {
    await this.#initProducer(signal);
    const lanes = [...this.#options.topics].flatMap(([topic, count]) =>
      Array.from({ length: count }, (_, partition) => ({ topic, partition })),
    );
    // A marker is only written where there is a leader to write it.
    for (const { topic, partition } of lanes) {
      await this.#cluster.leaderOf(topic, partition, signal);
    }
    await this.#begin(lanes, signal);
    await this.#end(true, signal);
    await this.#initProducer(signal);
  }

  async #initProducer(signal: AbortSignal): Promise<void> {
    const { transactionalId } = this.#options;
    const doing = { doing: "fencing", transactionalId };
    const request = { transactionalId, transactionTimeout: this.#transactionTimeoutMs };
    const made = await this.#untilReady(signal, async () => {
      const coordinator = await this.#cluster.coordinatorOf(transactionalId, signal);
      this.#coordinator = coordinator;
      return this.#cluster.step(doing, signal, () => coordinator.initProducerId(request));
    });
    this.#producerId = BigInt(made.producerId);
    this.#producerEpoch = made.producerEpoch;
    const { producerId, producerEpoch } = made;
    this.#logger.debug("kafka.fenced", { transactionalId, producerId, producerEpoch });
  }

  /**
   * Writes the batch and commits it. When it resolves, all of it is in Kafka, once, and visible to readers as
   * soon as the brokers have marked it; when it throws, whether it is there is for the ledger to say, and the
   * sink is closed.
   *
   * Throws CONFLICT when another sink has fenced this one, TOO_LARGE for a record over a limit,
   * UNAUTHENTICATED for what an ACL refuses, OVERLOADED when a quota makes us wait for too long,
   * UNAVAILABLE and DEADLINE_EXCEEDED for brokers that cannot write or do not answer, PROTOCOL_VIOLATION for
   * an answer that does not fit, CANCELLED when the signal aborts.
   */
  async commit(batch: SinkBatch, signal: AbortSignal): Promise<SinkReceipt> {
    if (this.#state !== "open") throw misuse(`a commit while ${this.#state}`);
    this.#state = "busy";
    let begun = false;
    try {
      const lanes = lanesOf(batch, this.#options.topics);
      begun = true;
      await this.#begin(lanes, signal);
      const receipt = await this.#sendLedgerLast(lanes, batch.ledger, signal);
      // From here on it is the coordinator that decides: aborting would contradict it.
      begun = false;
      await this.#end(true, signal);
      this.#state = "open";
      return receipt;
    } catch (error) {
      if (begun) await this.#abort();
      await this.close();
      throw error;
    }
  }

  /** Lets the connections go; what is open is aborted by the next sink, or by the brokers in time. */
  async close(): Promise<void> {
    this.#state = "closed";
    await this.#cluster.close();
  }

  async #begin(
    lanes: readonly Pick<Lane, "topic" | "partition">[],
    signal: AbortSignal,
  ): Promise<void> {
    const { transactionalId } = this.#options;
    const doing = { doing: "beginning a transaction", transactionalId };
    const request = addPartitions({
      transactionalId,
      producerId: this.#producerId,
      producerEpoch: this.#producerEpoch,
      topics: lanes.map(({ topic, partition }) => ({ topic, partitions: [partition] })),
    });
    await this.#untilReady(signal, async () => {
      const codes = await this.#cluster.send(this.#coordinatorNow(), request, doing, signal);
      const failed = codes.filter(({ errorCode }) => errorCode !== 0);
      // Beside a partition that is refused, the others are "not attempted".
      const cause = failed.find(({ errorCode }) => errorCode !== NOT_ATTEMPTED) ?? failed[0];
      if (!cause) return;
      const { errorCode, topic, partition } = cause;
      throw errorOfCode(errorCode, { ...doing, topic: topic ?? undefined, partition });
    });
  }

  /** The ledger follows when its records are acknowledged: it is never there without them. */
  async #sendLedgerLast(
    lanes: readonly Lane[],
    { topic, partition }: PlacedRecord,
    signal: AbortSignal,
  ): Promise<SinkReceipt> {
    const isLedger = (lane: Lane) => lane.topic === topic && lane.partition === partition;
    const records = await this.#sendAll(
      lanes.filter((lane) => !isLedger(lane)),
      signal,
    );
    const ledger = await this.#sendAll(lanes.filter(isLedger), signal);
    return { sends: records.sends + ledger.sends, bytes: records.bytes + ledger.bytes };
  }

  /** Lanes side by side, the sends of one lane one after the other; the first error ends them all. */
  async #sendAll(lanes: readonly Lane[], signal: AbortSignal): Promise<SinkReceipt> {
    const waiting = [...lanes];
    const failed = new AbortController();
    const receipt = { sends: 0, bytes: 0 };
    const work = async () => {
      for (let lane = waiting.shift(); lane; lane = waiting.shift()) {
        await this.#sendLane(lane, receipt, signal, failed.signal);
      }
    };
    const workers = Array.from({ length: Math.min(LANES_MAX, lanes.length) }, async () => {
      try {
        await work();
      } catch (error) {
        if (!failed.signal.aborted) failed.abort(error);
      }
    });
    await Promise.all(workers);
    failed.signal.throwIfAborted();
    return receipt;
  }

  async #sendLane(
    lane: Lane,
    receipt: { sends: number; bytes: number },
    signal: AbortSignal,
    failed: AbortSignal,
  ): Promise<void> {
    const { topic, partition, records } = lane;
    const leader = await this.#cluster.leaderOf(topic, partition, signal);
    const place = this.#placeOf(topic, partition);
    for (let from = 0; from < records.length && !failed.aborted; ) {
      const { batch, count } = await this.#encode(records, from, place.sequence);
      if (failed.aborted) return;
      const baseOffset = await this.#send(leader, lane, batch, signal);
      if (baseOffset < place.offset) throw misplaced(lane, baseOffset, place.offset);
      place.offset = baseOffset + count;
      place.sequence = nextSequence(place.sequence, count);
      from += count;
      receipt.sends++;
      receipt.bytes += batch.length;
      reuseBatch(batch);
    }
  }

  #encode(records: readonly KafkaRecord[], from: number, firstSequence: number) {
    const { batchBytesMax = BATCH_BYTES_MAX, compression = "none" } = this.#options;
    const producer = { producerId: this.#producerId, producerEpoch: this.#producerEpoch };
    return encodeBatch(records, from, batchBytesMax, { ...producer, firstSequence }, compression);
  }

  /** One send; the offset of its first record. Throws unless the answer is about this send, and good. */
  async #send(
    leader: InnerBroker,
    { topic, partition }: Lane,
    batch: Buffer,
    signal: AbortSignal,
  ): Promise<number> {
    const { transactionalId, client } = this.#options;
    const { timeoutMs } = client.settings;
    const doing = { doing: "writing to", topic, partition, transactionalId };
    const request = produce({ transactionalId, topic, partition, batch, timeoutMs });
    this.#unanswered++;
    const { partitions, throttleMs } = await this.#cluster.send(leader, request, doing, signal);
    this.#unanswered--;
    const [answer] = partitions;
    if (partitions.length !== 1 || answer?.topic !== topic || answer.partition !== partition) {
      const place = `${topic}[${partition}]`;
      const message = `kafka: ${place}: the broker's answer is not about the batch that was sent`;
      throw new PetrelError("PROTOCOL_VIOLATION", message, { place });
    }
    if (answer.errorCode !== 0) throw errorOfCode(answer.errorCode, doing);
    // The next request waits for that long within its own deadline.
    if (throttleMs > timeoutMs / 2) throw throttled(topic, throttleMs);
    return answer.baseOffset;
  }

  async #end(commit: boolean, signal: AbortSignal): Promise<void> {
    const { transactionalId } = this.#options;
    const doing = { doing: commit ? "committing" : "aborting", transactionalId };
    await this.#cluster.step(doing, signal, () =>
      this.#coordinatorNow().endTxn({
        transactionalId,
        producerId: String(this.#producerId),
        producerEpoch: this.#producerEpoch,
        transactionResult: commit,
      }),
    );
  }

  /**
   * Frees waiting readers at once rather than at the next fence. Not with a send unanswered: appended after
   * the abort it would stand open in the log; the next fence's new epoch refuses it.
   */
  async #abort(): Promise<void> {
    if (this.#unanswered > 0) return;
    const signal = AbortSignal.timeout(ABORT_MS_MAX);
    await this.#end(false, signal).catch((error: unknown) => {
      this.#logger.debug("kafka.not_aborted", { error });
    });
  }

  /** Asks again while the coordinator is still busy with the transaction before: nothing was done then. */
  async #untilReady<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    const deadlineMs = this.#clock.nowMs() + this.#transactionTimeoutMs;
    for (let waitMs = WAIT_MS_FIRST; ; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
      try {
        return await attempt();
      } catch (error) {
        const code = kafkaCodeOf(error);
        const again = code !== undefined && NOT_YET.has(code);
        if (!again || this.#clock.nowMs() + waitMs >= deadlineMs) throw error;
        await this.#sleep(waitMs, signal);
      }
    }
  }

  async #sleep(waitMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(waitMs, signal);
    } catch (error) {
      throw kafkaError(error, { doing: "waiting for the coordinator" });
    }
  }

  #coordinatorNow(): InnerBroker {
    if (!this.#coordinator) throw misuse("no coordinator");
    return this.#coordinator;
  }

  #placeOf(topic: string, partition: number): Place {
    const name = laneName(topic, partition);
    const place = this.#places.get(name) ?? { sequence: 0, offset: 0 };
    this.#places.set(name, place);
    return place;
  }
}

/** The sequence number after `count` records (Kafka's `DefaultRecordBatch.incrementSequence`). */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % SEQUENCES;
}

function misuse(what: string): PetrelError {
  return new PetrelError("INTERNAL", `kafka sink: ${what}`);
}

function misplaced({ topic, partition }: Lane, found: number, least: number): PetrelError {
  const place = `${topic}[${partition}]`;
  const message = `kafka: ${place}: a batch was acknowledged at offset ${found}, before ${least}`;
  return new PetrelError("PROTOCOL_VIOLATION", message, { place, found, least });
}

function throttled(topic: string, throttleMs: number): PetrelError {
  const message = `kafka: writing to ${topic}: a quota makes us wait ${throttleMs} ms`;
  return new PetrelError("OVERLOADED", message, { topic, throttleMs });
}
