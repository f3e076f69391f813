/** Which partition a key belongs to: murmur2, as Java's and kafkajs's default partitioners have it. */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** The partition of `key` in a topic of `partitions`, which must never change afterwards. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}

/** MurmurHash2, 32 bits (Austin Appleby), with the seed of Kafka's `Utils.murmur2`. */
export function murmur2(bytes: Buffer): number {
  const { length } = bytes;
  let hash = SEED ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), M);
    word ^= word >>> R;
    hash = Math.imul(hash, M) ^ Math.imul(word, M);
  }
  const left = length - at;
  if (left >= 3) hash ^= bytes.readUInt8(at + 2) << 16;
  if (left >= 2) hash ^= bytes.readUInt8(at + 1) << 8;
  if (left >= 1) hash = Math.imul(hash ^ bytes.readUInt8(at), M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
