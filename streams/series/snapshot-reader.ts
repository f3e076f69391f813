/**
 * Reads the fields of a snapshot, which may be anything a store gave back, and says where one is wrong. It
 * checks form only: kinds, lengths and ranges.
 */
import { PetrelError } from "../../core/mod.ts";

/** One object of the snapshot. Every method throws PROTOCOL_VIOLATION naming the place. */
export class Reader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    this.#path = path;
    if (typeof value !== "object" || value === null) throw this.#error(path, "is not there");
    this.#fields = { ...value };
  }

  has(field: string): boolean {
    return this.#fields[field] !== undefined;
  }

  wrong(field: string, how: string): PetrelError {
    return this.#error(`${this.#path}.${field}`, how);
  }

  number(field: string, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY): number {
    const value = this.#fields[field];
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw this.wrong(field, "is not a number");
    }
    if (value < from || value > to) throw this.wrong(field, "is out of range");
    return value;
  }

  text(field: string): string {
    const value = this.#fields[field];
    if (typeof value !== "string") throw this.wrong(field, "is not a text");
    return value;
  }

  numbers(field: string, countMax: number): number[] {
    const value = this.#fields[field];
    if (!Array.isArray(value) || value.length > countMax) throw this.wrong(field, "is not a list");
    return value.map((item: unknown) => {
      if (typeof item === "number" && Number.isFinite(item)) return item;
      throw this.wrong(field, "is not a list of numbers");
    });
  }

  object(field: string): Reader {
    return new Reader(this.#fields[field], `${this.#path}.${field}`);
  }

  list(field: string, count: number): Reader {
    const value = this.#fields[field];
    if (!Array.isArray(value) || value.length !== count) throw this.wrong(field, "is not a list");
    return this.object(field);
  }

  bytes(field: string, bytesMax: number): Uint8Array {
    const text = this.text(field);
    if (text.length > 4 * Math.ceil(bytesMax / 3)) throw this.wrong(field, "is too long");
    return Uint8Array.from(Buffer.from(text, "base64"));
  }

  /** Single-precision numbers. NaN is kept, for it means "no data". */
  floats(field: string, countMax: number): Float32Array {
    const bytes = this.bytes(field, 4 * countMax);
    if (bytes.length % 4 !== 0) throw this.wrong(field, "is cut");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  }

  #error(place: string, how: string): PetrelError {
    return new PetrelError("PROTOCOL_VIOLATION", `A series snapshot is damaged: ${place} ${how}.`, {
      place,
    });
  }
}
