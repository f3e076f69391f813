/** Reads record batches, version 2 (https://kafka.apache.org/documentation/#recordbatch). */
import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { BATCH_HEADER_BYTES, CODEC, TRANSACTIONAL_BIT } from "./batch-write.ts";
import { ByteReader, type Span } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";
import type { StoredRecord } from "./record.ts";

/** A batch's header, and its records still in their bytes. */
export interface RawBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly producerId: bigint;
  readonly transactional: boolean;
  /** A transaction's end, not data: `commit` or `abort`. */
  readonly marker: "commit" | "abort" | undefined;
  readonly codec: number;
  readonly baseTimeMs: number;
  /** The whole batch carries the broker's time (`message.timestamp.type=LogAppendTime`). */
  readonly appendTimeMs: number | undefined;
  readonly count: number;
  readonly records: Buffer;
}

const LENGTH_FROM = 12;
const MAGIC = 2;
const CODEC_BITS = 0x07;
const APPEND_TIME_BIT = 0x08;
const CONTROL_BIT = 0x20;
const CODEC_NAMES = ["none", "gzip", "snappy", "lz4", "zstd"];
/** What a compressed batch may grow to: a hostile one is not let fill the memory. */
const INFLATED_BYTES_MAX = 256 * 1024 * 1024;

const inflateGzip = promisify(gunzip);
const inflateZstd = promisify(zstdDecompress);
const LIMIT = { maxOutputLength: INFLATED_BYTES_MAX };

/**
 * The whole batches in a fetched block; a broker cuts the last one where the block ends.
 * Throws PROTOCOL_VIOLATION naming `place` for an older format or a wrong checksum.
 */
export function* splitBatches(block: Buffer, place: string): Generator<RawBatch, void, undefined> {
  let at = 0;
  while (block.length - at >= BATCH_HEADER_BYTES) {
    const bytes = LENGTH_FROM + block.readInt32BE(at + 8);
    if (bytes < BATCH_HEADER_BYTES) throw malformed(place, "a batch shorter than its header");
    if (bytes > block.length - at) return;
    yield readHeader(block.subarray(at, at + bytes), place);
    at += bytes;
  }
}

function readHeader(batch: Buffer, place: string): RawBatch {
  const magic = batch.readInt8(16);
  if (magic !== MAGIC) throw malformed(place, `record format ${magic}, not ${MAGIC}`);
  const fields = new ByteReader(batch, place);
  const baseOffset = fields.number64();
  if (batch.readUInt32BE(17) !== crc32c(batch, 21)) {
    throw malformed(`${place}, offset ${baseOffset}`, "the batch's checksum is wrong");
  }
  const rest = new ByteReader(batch, place, 21);
  const attributes = rest.int16();
  const lastOffset = baseOffset + rest.int32();
  const baseTimeMs = rest.number64();
  const maxTimeMs = rest.number64();
  const producerId = rest.int64();
  rest.raw(2 + 4); // The producer's epoch and first sequence number are the broker's business.
  const count = rest.int32();
  const records = batch.subarray(BATCH_HEADER_BYTES);
  return {
    baseOffset,
    lastOffset,
    producerId,
    transactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    marker: (attributes & CONTROL_BIT) === 0 ? undefined : readMarker(records, place),
    codec: attributes & CODEC_BITS,
    baseTimeMs,
    appendTimeMs: (attributes & APPEND_TIME_BIT) === 0 ? undefined : maxTimeMs,
    count,
    records,
  };
}

/** A control record's key is its version and type: 0 abort, 1 commit. Other types are not a producer's. */
function readMarker(records: Buffer, place: string): "commit" | "abort" {
  const reader = new ByteReader(records, place);
  reader.varint();
  reader.int8();
  reader.varlong();
  reader.varint();
  const key = new ByteReader(reader.raw(reader.varint()), place);
  key.int16();
  return key.int16() === 0 ? "abort" : "commit";
}

/** A batch's records; values are views into the fetched block. */
export async function readRecords(
  batch: RawBatch,
  topic: string,
  partition: number,
): Promise<StoredRecord[]> {
  const place = `${topic}[${partition}], batch at offset ${batch.baseOffset}`;
  const reader = new ByteReader(await inflate(batch, place), place);
  const headers = new HeaderReader(reader);
  const records: StoredRecord[] = [];
  for (let index = 0; index < batch.count; index++) {
    records.push(readRecord(reader, headers, batch, topic, partition));
  }
  return records;
}

function readRecord(
  reader: ByteReader,
  headers: HeaderReader,
  batch: RawBatch,
  topic: string,
  partition: number,
): StoredRecord {
  reader.varint(); // Its length: the fields below say the same.
  reader.int8();
  const timestampMs = batch.baseTimeMs + reader.varlong();
  const offset = batch.baseOffset + reader.varint();
  const key = reader.text(Math.max(0, reader.varint()));
  const value = reader.raw(Math.max(0, reader.varint()));
  return {
    topic,
    partition,
    offset,
    key,
    value,
    headers: headers.next(),
    timestampMs: batch.appendTimeMs ?? timestampMs,
  };
}

/**
 * The headers of one record after the other. They repeat: nearly all names and half of the values are those
 * of the record before, and making strings is what reading costs most of.
 */
class HeaderReader {
  readonly #reader: ByteReader;
  /** Names and values by turns, as they last stood. */
  readonly #texts: Span[] = [];
  /** Of the record before, when each of its names stood there once. */
  #before: Readonly<Record<string, string>> = {};
  #countBefore = -1;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  next(): Record<string, string> {
    const count = this.#reader.varint();
    let like = count === this.#countBefore;
    let headers: Record<string, string> = like ? { ...this.#before } : {};
    for (let index = 0; index < count; index++) {
      const nameRepeats = this.#read(2 * index);
      if (like && !nameRepeats) {
        like = false;
        headers = this.#first(index);
      }
      const valueRepeats = this.#read(2 * index + 1);
      if (like && valueRepeats) continue;
      const name = this.#text(2 * index);
      const value = this.#text(2 * index + 1);
      if (like) headers[name] = value;
      else putHeader(headers, name, value);
    }
    const once = Object.keys(headers).length === count && !Object.hasOwn(headers, "__proto__");
    this.#before = headers;
    this.#countBefore = once ? count : -1;
    return headers;
  }

  /** True when the text that comes next is the one that stood there in the record before. */
  #read(slot: number): boolean {
    const before = this.#texts[slot];
    const span = this.#reader.spanLike(Math.max(0, this.#reader.varint()), before);
    this.#texts[slot] = span;
    return span === before;
  }

  #text(slot: number): string {
    return this.#texts[slot]?.text ?? "";
  }

  /** The headers read so far of a record that turns out to differ from the one before. */
  #first(count: number): Record<string, string> {
    const headers: Record<string, string> = {};
    for (let index = 0; index < count; index++) {
      putHeader(headers, this.#text(2 * index), this.#text(2 * index + 1));
    }
    return headers;
  }
}

/** Our records hold a name once. One put there twice must show, so both values stay. */
function putHeader(headers: Record<string, string>, name: string, value: string): void {
  if (!(name in headers)) {
    headers[name] = value;
    return;
  }
  const both = Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value;
  // `__proto__` and its like are names as any other.
  Object.defineProperty(headers, name, {
    value: both,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

async function inflate({ codec, records }: RawBatch, place: string): Promise<Buffer> {
  try {
    if (codec === CODEC.none) return records;
    if (codec === CODEC.gzip) return await inflateGzip(records, LIMIT);
    if (codec === CODEC.zstd) return await inflateZstd(records, LIMIT);
  } catch (error) {
    throw malformed(place, `cannot be decompressed: ${messageOf(error)}`);
  }
  const name = CODEC_NAMES[codec] ?? `codec ${codec}`;
  throw malformed(place, `compressed with ${name}: set the topic's compression.type to producer`);
}

function malformed(place: string, what: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `kafka: ${place}: ${what}`, { place });
}
