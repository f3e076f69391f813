/**
 * What was found in texts lately, for texts that differ in the values of their digits alone. A slot for
 * each hash, where the newest replaces the one before it. Hashes of 64 bits stand for the texts; their
 * start is drawn at random, so that nobody can write two texts that meet.
 */

/** A power of two, so that a hash is cut to a slot by its last bits. */
const SLOTS = 4_096;
/** Longer texts are seldom alike. */
const CHARS_MAX = 400;
const PRIME_ONE = 0x01000193;
const PRIME_TWO = 0x5bd1e995;
const ZERO = 48;

/** Each code unit as it is hashed: digits are one. */
const ALIKE = Uint16Array.from({ length: 0x10000 }, (_, code) =>
  code >= ZERO && code <= ZERO + 9 ? ZERO : code,
);

export class DigitMemo<T> {
  readonly #ones = new Int32Array(SLOTS);
  readonly #twos = new Int32Array(SLOTS);
  readonly #found: (T | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  readonly #start = crypto.getRandomValues(new Int32Array(2));

  /** What `find` finds in the text, or found in one that differs in its digits alone. */
  of(text: string, find: (text: string) => T): T {
    const { length } = text;
    if (length > CHARS_MAX) return find(text);
    let one = this.#start[0] ?? 0;
    let two = this.#start[1] ?? 0;
    for (let at = 0; at < length; at++) {
      const alike = ALIKE[text.charCodeAt(at)] ?? 0;
      one = Math.imul(one ^ alike, PRIME_ONE);
      two = Math.imul(two + alike, PRIME_TWO);
    }
    // The last bits of such a product know little of the first characters.
    one ^= one >>> 15;
    two ^= two >>> 13;
    const slot = one & (SLOTS - 1);
    const known = this.#found[slot];
    if (known !== undefined && this.#ones[slot] === one && this.#twos[slot] === two) return known;
    const found = find(text);
    this.#ones[slot] = one;
    this.#twos[slot] = two;
    this.#found[slot] = found;
    return found;
  }
}
