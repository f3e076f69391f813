/**
 * The requests written and read here rather than in kafkajs. Produce 7 and Fetch 10 are on the hot path, in
 * the lowest versions with zstd; of AddPartitionsToTxn 1 kafkajs does not say which topic was refused.
 * Kafka 4 takes Produce from 3, Fetch from 4 and AddPartitionsToTxn from 0 on (KIP-896).
 */
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { Exchange, TopicPartitions } from "./kafkajs-inner.ts";

const PRODUCE = { apiKey: 0, apiVersion: 7, apiName: "Produce" } as const;
const FETCH = { apiKey: 1, apiVersion: 10, apiName: "Fetch" } as const;
const ADD_PARTITIONS = { apiKey: 24, apiVersion: 1, apiName: "AddPartitionsToTxn" } as const;
const ALL_REPLICAS = -1;
/** We are no replica, keep no fetch session, and know no leader's epoch. */
const NONE = -1;
const READ_COMMITTED = 1;

export interface ProduceRequest {
  readonly transactionalId: string;
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
  readonly timeoutMs: number;
}

export interface ProduceAnswer {
  readonly partitions: readonly {
    readonly topic: string | null;
    readonly partition: number;
    readonly errorCode: number;
    readonly baseOffset: number;
  }[];
  /** How long a quota makes us wait before the next request; kafkajs keeps to it. */
  readonly throttleMs: number;
}

/** One batch to one partition, acknowledged by all in-sync replicas. */
export function produce(request: ProduceRequest): Exchange<ProduceAnswer> {
  const { transactionalId, topic, partition, batch, timeoutMs } = request;
  const write = () =>
    new ByteWriter()
      .string(transactionalId)
      .int16(ALL_REPLICAS)
      .int32(timeoutMs)
      .int32(1)
      .string(topic)
      .int32(1)
      .int32(partition)
      .int32(batch.length).written;
  return exchange(PRODUCE, write, readProduced, batch);
}

function readProduced(reader: ByteReader): Answer<ProduceAnswer> {
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array(() => {
      const partition = reader.int32();
      const errorCode = reader.int16();
      const baseOffset = reader.number64();
      reader.int64(); // When the leader appended it, if it says so.
      reader.int64(); // Where the log begins.
      return { topic, partition, errorCode, baseOffset };
    });
  });
  const throttleMs = reader.int32();
  return { value: { partitions: topics.flat(), throttleMs }, throttleMs };
}

export interface AddPartitionsRequest {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly topics: readonly TopicPartitions[];
}

export interface PartitionCode {
  readonly topic: string | null;
  readonly partition: number;
  readonly errorCode: number;
}

/** Makes partitions part of the transaction; the first such request begins it. */
export function addPartitions(request: AddPartitionsRequest): Exchange<readonly PartitionCode[]> {
  const { transactionalId, producerId, producerEpoch, topics } = request;
  const write = () => {
    const writer = new ByteWriter();
    writer.string(transactionalId).int64(producerId).int16(producerEpoch);
    return writer.array(topics, ({ topic, partitions }) => {
      writer.string(topic).array(partitions, (partition) => writer.int32(partition));
    }).written;
  };
  return exchange(ADD_PARTITIONS, write, readPartitionCodes);
}

function readPartitionCodes(reader: ByteReader): Answer<readonly PartitionCode[]> {
  const throttleMs = reader.int32();
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array(() => ({ topic, partition: reader.int32(), errorCode: reader.int16() }));
  });
  return { value: topics.flat(), throttleMs };
}

export interface FetchRequest {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly bytesMax: number;
  /** How long the broker may hold the answer when there is nothing yet. */
  readonly waitMs: number;
}

export interface FetchAnswer {
  readonly partition: number;
  readonly errorCode: number;
  /** Everything before it is decided: committed or aborted. */
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
  /** Batches; the last may be cut. */
  readonly records: Buffer;
}

/** Committed batches of one partition from an offset on. */
export function fetch(request: FetchRequest): Exchange<readonly FetchAnswer[]> {
  const { topic, partition, offset, bytesMax, waitMs } = request;
  const write = () =>
    new ByteWriter()
      .int32(NONE)
      .int32(waitMs)
      .int32(1) // Answer as soon as there is a byte.
      .int32(bytesMax)
      .int8(READ_COMMITTED)
      .int32(0)
      .int32(NONE)
      .int32(1)
      .string(topic)
      .int32(1)
      .int32(partition)
      .int32(NONE)
      .int64(BigInt(offset))
      .int64(BigInt(NONE))
      .int32(bytesMax)
      .int32(0).written;
  return exchange(FETCH, write, readFetched);
}

function readFetched(reader: ByteReader): Answer<readonly FetchAnswer[]> {
  const throttleMs = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // The fetch session we did not ask for.
  const topics = reader.array(() => {
    reader.string();
    return reader.array(() => readFetchedPartition(reader, errorCode));
  });
  return { value: topics.flat(), throttleMs };
}

function readFetchedPartition(reader: ByteReader, errorCode: number): FetchAnswer {
  const partition = reader.int32();
  const ownCode = reader.int16();
  reader.int64(); // The high watermark: what is replicated, decided or not.
  return {
    partition,
    errorCode: errorCode === 0 ? ownCode : errorCode,
    lastStableOffset: reader.number64(),
    logStartOffset: reader.number64(),
    aborted: reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.number64() })),
    records: reader.bytes(),
  };
}

interface Answer<T> {
  readonly value: T;
  readonly throttleMs: number;
}

function exchange<T>(
  api: Pick<Exchange<T>["request"], "apiKey" | "apiVersion" | "apiName">,
  write: () => Buffer,
  read: (reader: ByteReader) => Answer<T>,
  tail?: Buffer,
): Exchange<T> {
  return {
    request: {
      ...api,
      tail,
      async encode() {
        const buffer = write();
        return { buf: buffer, buffer };
      },
    },
    response: {
      async decode(payload) {
        const { value, throttleMs } = read(new ByteReader(payload, `${api.apiName}'s answer`));
        return { clientSideThrottleTime: throttleMs, value };
      },
      parse: async ({ value }) => value,
    },
    logResponseError: false,
  };
}
