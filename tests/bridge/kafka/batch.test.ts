import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { readRecords, splitBatches } from "../../../bridge/kafka/batch-read.ts";
import {
  BATCH_HEADER_BYTES,
  type Compression,
  encodeBatch,
} from "../../../bridge/kafka/batch-write.ts";
import { crc32c } from "../../../bridge/kafka/crc32c.ts";
import type { KafkaRecord, StoredRecord } from "../../../bridge/kafka/record.ts";
import { PetrelError } from "../../../core/mod.ts";
import { recordsOf, refusal } from "./support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const STATE = { producerId: 4_000_000_000_123n, producerEpoch: 7, firstSequence: 41 };
const BYTES_MAX = 1_000_000;
/** Of the buffers batches are written into. */
const BUFFER_BYTES = 2 ** 20;

const NAMES = ["ce_id", "ce_type", "1", "a b", "__proto__", "valueOf"];

const text = fc.string({ unit: "grapheme", maxLength: 80 });
const record: fc.Arbitrary<KafkaRecord> = fc.record({
  topic: fc.constant("t"),
  key: text,
  value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  headers: fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), text), text, {
    maxKeys: 70,
    noNullPrototype: true,
  }),
  timestampMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
});
const records = fc.array(record, { minLength: 1, maxLength: 20 });
const compression = fc.constantFrom<Compression>("none", "gzip", "zstd");

async function decode(block: Buffer): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  for (const batch of splitBatches(block, "t[3]")) all.push(...(await readRecords(batch, "t", 3)));
  return all;
}

function unplaced({ topic, key, value, headers, timestampMs }: StoredRecord): KafkaRecord {
  return { topic, key, value, headers, timestampMs };
}

test("whatever records hold, they are read back as they were written", async () => {
  const property = fc.asyncProperty(records, compression, async (written, codec) => {
    const { batch, count } = await encodeBatch(written, 0, BYTES_MAX, STATE, codec);
    expect(count).toBe(written.length);
    const stored = await decode(batch);
    expect(stored.map(unplaced)).toEqual(written);
    expect(stored.map(({ offset }) => offset)).toEqual(written.map((_, index) => index));
  });
  await fc.assert(property, { seed });
});

test("kafkajs reads the same from a batch of ours", async () => {
  // @ts-expect-error kafkajs has no types below its entry
  const { default: Decoder } = await import("kafkajs/src/protocol/decoder.js");
  // @ts-expect-error kafkajs has no types below its entry
  const { default: readBatch } = await import("kafkajs/src/protocol/recordBatch/v0/decoder.js");
  // It takes a header named like a method of every object for one that stands there twice.
  const plain = records.filter(
    (all) => !all.some(({ headers }) => Object.keys(headers).some((name) => name in {})),
  );
  const property = fc.asyncProperty(plain, async (written) => {
    const { batch } = await encodeBatch(written, 0, BYTES_MAX, STATE, "none");
    const found = await readBatch(new Decoder(batch));
    expect(found.inTransaction).toBe(true);
    expect(`${found.producerId}`).toBe(`${STATE.producerId}`);
    expect(found.records.map(fromKafkajs)).toEqual(written);
  });
  await fc.assert(property, { seed, numRuns: 30 });
});

interface KafkajsRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, Buffer>>;
  readonly timestamp: string;
}

function fromKafkajs({ key, value, headers, timestamp }: KafkajsRecord): KafkaRecord {
  const texts = Object.entries(headers).map(([name, bytes]) => [name, bytes.toString()]);
  return {
    topic: "t",
    key: key.toString(),
    value,
    headers: Object.fromEntries(texts),
    timestampMs: Number(timestamp),
  };
}

describe("a limit on the batch", () => {
  test("splits the records, in order, into batches that all fit", async () => {
    const property = fc.asyncProperty(
      records,
      fc.integer({ min: 22_000, max: 40_000 }),
      async (written, bytesMax) => {
        const stored: StoredRecord[] = [];
        for (let from = 0; from < written.length; ) {
          const { batch, count } = await encodeBatch(written, from, bytesMax, STATE, "none");
          expect(batch.length).toBeLessThanOrEqual(bytesMax);
          expect(count).toBeGreaterThan(0);
          stored.push(...(await decode(batch)));
          from += count;
        }
        expect(stored.map(unplaced)).toEqual(written);
      },
    );
    await fc.assert(property, { seed });
  });

  test("that is the end of the buffer itself: what does not fit is left for the next batch", async () => {
    const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 120 });
    const property = fc.asyncProperty(
      fc.nat(600),
      fc.array(fc.record({ key, header: key }), { minLength: 1, maxLength: 8 }),
      async (room, texts) => {
        const filling = Buffer.alloc(BUFFER_BYTES - room - 200, 1);
        const first = { topic: "t", key: "k", value: filling, headers: {}, timestampMs: 1 };
        const others = texts.map((one) => ({
          ...first,
          key: one.key,
          value: Buffer.from("value"),
          headers: { name: one.header },
        }));
        const written: KafkaRecord[] = [first, ...others];
        const { batch, count } = await encodeBatch(written, 0, BUFFER_BYTES, STATE, "none");
        expect(batch.length).toBeLessThanOrEqual(BUFFER_BYTES);
        expect((await decode(batch)).map(unplaced)).toEqual(written.slice(0, count));
        const next = written[count];
        const alone = next && (await encodeBatch([next], 0, BUFFER_BYTES, STATE, "none")).batch;
        // Varints of a record that stands alone are shorter by a byte or two.
        if (alone)
          expect(batch.length + alone.length - BATCH_HEADER_BYTES).toBeGreaterThan(
            BUFFER_BYTES - 4,
          );
      },
    );
    await fc.assert(property, { seed, numRuns: 30 });
  });

  test("that one record is over is TOO_LARGE, naming topic and limit", async () => {
    const error = await refusal(encodeBatch(recordsOf("t", 0, 1, 5_000), 0, 4_000, STATE, "none"));
    expect(error.code).toBe("TOO_LARGE");
    expect(error.fields).toMatchObject({ topic: "t", limit: 4_000 });
  });
});

describe("a hostile block", () => {
  test("is refused, or gives whole batches; it never gives other records", async () => {
    const { batch } = await encodeBatch(recordsOf("t", 0, 5), 0, BYTES_MAX, STATE, "none");
    const damage = fc.tuple(fc.nat(batch.length - 1), fc.integer({ min: 1, max: 255 }));
    const property = fc.asyncProperty(damage, fc.nat(batch.length), async ([at, bits], length) => {
      const block = Buffer.from(batch.subarray(0, length));
      if (at < block.length) block[at] = (block[at] ?? 0) ^ bits;
      try {
        const stored = await decode(block);
        // Offset, length and leader epoch stand before what the checksum covers.
        if (stored.length > 0) expect(stored.map(unplaced)).toEqual(recordsOf("t", 0, 5));
      } catch (error) {
        if (!(error instanceof PetrelError)) throw error;
        expect(error.code).toBe("PROTOCOL_VIOLATION");
        expect(error.message).toContain("t[3]");
      }
    });
    await fc.assert(property, { seed, numRuns: 500 });
  });

  test("with a codec we do not have says what to set", async () => {
    const { batch } = await encodeBatch(recordsOf("t", 0, 1), 0, BYTES_MAX, STATE, "none");
    batch.writeInt16BE(3, 21);
    batch.writeUInt32BE(crc32c(batch, 21), 17);
    const error = await refusal(decode(batch));
    expect(error.message).toContain("lz4: set the topic's compression.type to producer");
  });
});

test("a header that stands there twice shows", async () => {
  const written = recordsOf("t", 0, 2).map((one) => ({ ...one, headers: { aa: "1", ab: "2" } }));
  const { batch } = await encodeBatch(written, 0, BYTES_MAX, STATE, "none");
  const second = batch.lastIndexOf("ab");
  batch.write("aa", second);
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  const stored = await decode(batch);
  expect(stored.map(({ headers }) => headers)).toEqual([{ aa: "1", ab: "2" }, { aa: "1, 2" }]);
});

test("the checksum is Castagnoli's", () => {
  // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))).toBe(0x46dd794e);
});
