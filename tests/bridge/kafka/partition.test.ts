import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { Partitioners } from "kafkajs";
import { murmur2, partitionOf } from "../../../bridge/kafka/partition.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

test("the hash is that of Kafka's own tests", () => {
  // org.apache.kafka.common.utils.UtilsTest.testMurmur2
  const cases: Readonly<Record<string, number>> = {
    "21": -973932308,
    foobar: -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
    abc: 479470107,
  };
  for (const [text, hash] of Object.entries(cases)) expect(murmur2(Buffer.from(text))).toBe(hash);
});

test("a key goes where kafkajs's partitioner would put it", () => {
  const choose = Partitioners.DefaultPartitioner();
  const property = fc.property(
    fc.string({ unit: "grapheme", minLength: 1 }),
    fc.integer({ min: 1, max: 60 }),
    (key, partitions) => {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 1,
        replicas: [1],
        isr: [1],
      }));
      const message = { key, value: "" };
      expect(partitionOf(key, partitions)).toBe(choose({ topic: "t", partitionMetadata, message }));
    },
  );
  fc.assert(property, { seed });
});
