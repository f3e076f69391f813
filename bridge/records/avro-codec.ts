/**
 * Avro's binary encoding (specification 1.11, "Binary Encoding"), as far as our schemas need it: strings,
 * bytes, longs, unions by index, maps of strings. Written by hand because a general codec takes ten times
 * as long for the attributes of an event; the tests compare it with one.
 */
import { PetrelError } from "../../core/mod.ts";

const BYTES_FIRST = 4_096;
const INT_MAX = 2 ** 30;

export class AvroWriter {
  #bytes = Buffer.allocUnsafe(BYTES_FIRST);
  #length = 0;

  /** A copy of what was written; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }

  /** Any safe integer, as a zigzag varint. */
  long(value: number): void {
    this.#reserve(10);
    if (value >= -INT_MAX && value < INT_MAX) return this.#varint((value << 1) ^ (value >> 31));
    let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#length++] = Number(rest);
  }

  string(text: string): void {
    const length = Buffer.byteLength(text);
    this.long(length);
    this.#reserve(length);
    this.#length += this.#bytes.write(text, this.#length);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #varint(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one datum. Throws PROTOCOL_VIOLATION with `place` and the byte where the bytes make no sense. */
export class AvroReader {
  readonly #bytes: Uint8Array;
  readonly #place: string;
  #at = 0;

  constructor(bytes: Uint8Array, place: string) {
    this.#bytes = bytes;
    this.#place = place;
  }

  long(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw this.malformed("ends too early");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte > 0x7f) continue;
      const signed = Number((value >> 1n) ^ -(value & 1n));
      if (Number.isSafeInteger(signed)) return signed;
      break;
    }
    throw this.malformed("has a number out of range");
  }

  /** An index into a union of `count` branches. */
  branch(count: number): number {
    const index = this.long();
    if (index < 0 || index >= count) throw this.malformed("names no branch of its union");
    return index;
  }

  string(): string {
    try {
      return utf8.decode(this.raw());
    } catch (error) {
      throw error instanceof PetrelError ? error : this.malformed("holds text that is no UTF-8");
    }
  }

  /** A string's or a byte array's bytes. */
  raw(): Uint8Array {
    const length = this.long();
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) throw this.malformed("ends too early");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  /** The datum is all there is. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw this.malformed("goes on after its end");
  }

  malformed(what: string): PetrelError {
    return new PetrelError(
      "PROTOCOL_VIOLATION",
      `record: ${this.#place}: Avro: byte ${this.#at}: ${what}`,
      { place: this.#place, byte: this.#at },
    );
  }
}
