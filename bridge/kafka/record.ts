/** A record as Kafka holds it: what the mirror makes, the sink writes and the verifier hashes. */

export interface KafkaRecord {
  readonly topic: string;
  /** Never empty: records of one key keep their order. */
  readonly key: string;
  readonly value: Buffer;
  /** Each name once; values are text without control characters. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch: when JetStream stored the report. */
  readonly timestampMs: number;
}

/** A record read back, with its place. */
export interface StoredRecord extends KafkaRecord {
  readonly partition: number;
  readonly offset: number;
}

/** The header that holds a record's index in its tree, zero-padded so that text sorts as numbers do. */
export const SEQUENCE_HEADER = "ce_sequence";
/** The header that names the tree: `<stream>.<shard>`. */
export const TREE_HEADER = "ce_tree";

const SEQUENCE_DIGITS = 16;

export function sequenceText(leaf: number): string {
  return String(leaf).padStart(SEQUENCE_DIGITS, "0");
}

/** A record's leaf index; undefined when it bears none that could be one. */
export function leafIndexOf(record: Pick<KafkaRecord, "headers">): number | undefined {
  const text = record.headers[SEQUENCE_HEADER];
  if (text === undefined || !/^\d{16}$/.test(text)) return undefined;
  const leaf = Number(text);
  return Number.isSafeInteger(leaf) ? leaf : undefined;
}
