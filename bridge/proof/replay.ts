/** Compares the ledger with leaf hashes recomputed from JetStream, and names the first leaf they differ in. */
import { HASH_BYTES, type LedgerEntry } from "../ledger.ts";
import { Cursor } from "./cursor.ts";
import type { Findings } from "./findings.ts";
import { isSame } from "./merkle.ts";

/** Leaf hashes as the same stream gives them again. */
export interface Replayed {
  /** Index of the first leaf; what retention has taken from JetStream cannot be replayed. */
  readonly first: number;
  /** One or more hashes of 32 bytes at a time. */
  readonly hashes: AsyncIterable<Uint8Array>;
}

export class ReplayCheck {
  readonly #chunks: Cursor<Uint8Array>;
  readonly #findings: Findings;
  #chunk: Uint8Array = new Uint8Array();
  /** The leaf at which the chunk begins. */
  #at: number;
  #isSettled = false;
  /** Leaves that are the same. */
  compared = 0;

  constructor({ first, hashes }: Replayed, findings: Findings) {
    this.#chunks = new Cursor(hashes);
    this.#at = first;
    this.#findings = findings;
  }

  /** Compares an entry, up to the first difference of the whole trail. */
  async compare(entry: LedgerEntry): Promise<void> {
    while (!this.#isSettled && this.#at < entry.size) {
      if (this.#chunk.length === 0) {
        const chunk = await this.#chunks.next();
        if (!chunk || chunk.length % HASH_BYTES !== 0) {
          this.#differs(this.#at, chunk ? "a hash is cut" : "it ends; the ledger goes on");
          return;
        }
        this.#chunk = chunk;
        continue;
      }
      if (this.#at < entry.first) this.#take(entry.first - this.#at);
      else this.#compareChunk(entry);
    }
  }

  close(): Promise<void> {
    return this.#chunks.close();
  }

  #compareChunk(entry: LedgerEntry): void {
    const from = this.#at;
    const chunk = this.#take(entry.size - from);
    const offset = (from - entry.first) * HASH_BYTES;
    const expected = entry.hashes.subarray(offset, offset + chunk.length);
    const same = isSame(chunk, expected)
      ? chunk.length / HASH_BYTES
      : Math.floor(chunk.findIndex((byte, at) => byte !== expected[at]) / HASH_BYTES);
    this.compared += same;
    if (same * HASH_BYTES < chunk.length) this.#differs(from + same, "the record is another one");
  }

  /** Takes up to so many leaves from the chunk. */
  #take(leaves: number): Uint8Array {
    const taken = this.#chunk.subarray(0, leaves * HASH_BYTES);
    this.#chunk = this.#chunk.subarray(taken.length);
    this.#at += taken.length / HASH_BYTES;
    return taken;
  }

  #differs(leaf: number, problem: string): void {
    this.#isSettled = true;
    const message = `leaf ${leaf}: the replay of JetStream differs from the ledger: ${problem}`;
    this.#findings.add({ kind: "replay-differs", leaf, message });
  }
}
