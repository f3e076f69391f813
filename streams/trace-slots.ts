/**
 * A slot number for each open trace, and which trace has been untouched for longest. The order is a
 * linked list of numbers: taking entries out of a map and putting them back for every line would
 * rebuild the map again and again. It keeps trace ids, which must not be slices of longer texts.
 */

const NONE = -1;
const SLOTS_AT_FIRST = 64;

export class TraceSlots {
  readonly #slots = new Map<string, number>();
  readonly #ids: string[] = [];
  readonly #free: number[] = [];
  /** Neighbours by the time of the last touch. */
  #older = new Int32Array(SLOTS_AT_FIRST).fill(NONE);
  #newer = new Int32Array(SLOTS_AT_FIRST).fill(NONE);
  #oldest = NONE;
  #newest = NONE;

  get size(): number {
    return this.#slots.size;
  }

  /** The slot of a trace, which is the newest from now on; `undefined` when it has none. */
  touch(traceId: string): number | undefined {
    const slot = this.#slots.get(traceId);
    if (slot === undefined || slot === this.#newest) return slot;
    this.#unlink(slot);
    this.#link(slot);
    return slot;
  }

  /** A slot for a trace that has none; slots that were released are used again. */
  add(traceId: string): number {
    const slot = this.#free.pop() ?? this.#ids.length;
    this.#ids[slot] = traceId;
    this.#slots.set(traceId, slot);
    if (slot >= this.#older.length) this.#grow();
    this.#link(slot);
    return slot;
  }

  /** Takes out the trace untouched for longest; its slot is free for the next. */
  release(): number | undefined {
    const slot = this.#oldest;
    if (slot === NONE) return undefined;
    this.#unlink(slot);
    this.#slots.delete(this.#ids[slot] ?? "");
    this.#free.push(slot);
    return slot;
  }

  #link(slot: number): void {
    this.#older[slot] = this.#newest;
    this.#newer[slot] = NONE;
    if (this.#newest === NONE) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  #unlink(slot: number): void {
    const older = this.#older[slot] ?? NONE;
    const newer = this.#newer[slot] ?? NONE;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }

  #grow(): void {
    const [older, newer] = [this.#older, this.#newer];
    this.#older = new Int32Array(2 * older.length);
    this.#newer = new Int32Array(2 * newer.length);
    this.#older.set(older);
    this.#newer.set(newer);
  }
}
