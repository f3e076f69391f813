/** Kafka's primitive types, written and read (https://kafka.apache.org/protocol, "Protocol Primitive Types"). */
import { PetrelError } from "../../core/mod.ts";

const BYTES_FIRST = 256;

/** Writes into a buffer that grows. */
export class ByteWriter {
  #buffer: Buffer;
  #at = 0;

  constructor(bytes = BYTES_FIRST) {
    this.#buffer = Buffer.allocUnsafe(bytes);
  }

  /** What was written; a view, good until the next write. */
  get written(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  int8(value: number): this {
    this.#at = this.#room(1).writeInt8(value, this.#at);
    return this;
  }

  int16(value: number): this {
    this.#at = this.#room(2).writeInt16BE(value, this.#at);
    return this;
  }

  int32(value: number): this {
    this.#at = this.#room(4).writeInt32BE(value, this.#at);
    return this;
  }

  int64(value: bigint): this {
    this.#at = this.#room(8).writeBigInt64BE(value, this.#at);
    return this;
  }

  /** STRING; null is NULLABLE_STRING's null. */
  string(text: string | null): this {
    if (text === null) return this.int16(-1);
    const bytes = Buffer.from(text);
    return this.int16(bytes.length).raw(bytes);
  }

  /** BYTES and RECORDS. */
  bytes(bytes: Uint8Array): this {
    return this.int32(bytes.length).raw(bytes);
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.length).set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  #room(bytes: number): Buffer {
    if (this.#at + bytes > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
      grown.set(this.written);
      this.#buffer = grown;
    }
    return this.#buffer;
  }
}

/** Text with the place it was read from. */
export interface Span {
  readonly from: number;
  readonly length: number;
  readonly text: string;
}

/**
 * Reads what a broker sent; every read is within the bytes.
 * Throws PROTOCOL_VIOLATION naming `place` when they end too early.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #place: string;
  #at: number;

  constructor(bytes: Buffer, place: string, at = 0) {
    this.#bytes = bytes;
    this.#place = place;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  /** An INT64 that counts something: offsets and times stay far below 2^53. */
  number64(): number {
    const from = this.#take(8);
    return this.#bytes.readInt32BE(from) * 2 ** 32 + this.#bytes.readUInt32BE(from + 4);
  }

  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.#bytes.toString("utf8", this.#take(length), this.#at);
  }

  /** BYTES and RECORDS; a view. Null reads as empty. */
  bytes(): Buffer {
    return this.raw(Math.max(0, this.int32()));
  }

  raw(length: number): Buffer {
    return this.#bytes.subarray(this.#take(length), this.#at);
  }

  text(length: number): string {
    return this.#bytes.toString("utf8", this.#take(length), this.#at);
  }

  /** The next `length` bytes as text: `before` itself when they are the same, which makes no string. */
  spanLike(length: number, before: Span | undefined): Span {
    const from = this.#take(length);
    if (before?.length === length && this.#repeats(before.from, from, length)) return before;
    return { from, length, text: this.#bytes.toString("utf8", from, this.#at) };
  }

  #repeats(before: number, from: number, length: number): boolean {
    for (let index = 0; index < length; index++) {
      if (this.#bytes[before + index] !== this.#bytes[from + index]) return false;
    }
    return true;
  }

  /** An array; null reads as empty. */
  array<T>(read: () => T): T[] {
    const length = this.int32();
    // Each item takes a byte at least: a hostile length does not make us allocate.
    if (length > this.left) this.#cut();
    const items: T[] = [];
    for (let index = 0; index < length; index++) items.push(read());
    return items;
  }

  /** VARINT: zigzag, seven bits a byte, at most five bytes. */
  varint(): number {
    let bits = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      bits |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (bits >>> 1) ^ -(bits & 1);
    }
    return this.#fail("a number longer than five bytes");
  }

  /** VARLONG, at most ten bytes. */
  varlong(): number {
    let bits = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      bits |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((bits >> 1n) ^ -(bits & 1n));
    }
    return this.#fail("a number longer than ten bytes");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return this.#cut();
    this.#at++;
    return byte;
  }

  /** Where to read the next `length` bytes. */
  #take(length: number): number {
    const from = this.#at;
    if (length < 0 || from + length > this.#bytes.length) this.#cut();
    this.#at = from + length;
    return from;
  }

  #cut(): never {
    return this.#fail("the bytes end too early");
  }

  #fail(what: string): never {
    const place = `${this.#place}, byte ${this.#at}`;
    throw new PetrelError("PROTOCOL_VIOLATION", `kafka: ${place}: ${what}`, { place });
  }
}
