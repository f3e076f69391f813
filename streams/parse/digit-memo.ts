/**
 * What was found in texts lately, for texts that differ in the values of their digits alone. A slot for
 * each hash, where the newest replaces the one before it. Hashes of 64 bits stand for the texts. Characters
 * go in as numbers that are drawn at random in this process, by steps that are not linear, so that whoever
 * writes texts cannot work out two that meet; by chance two of billions may.
 */

/** A power of two, so that a hash is cut to a slot by its last bits. */
const SLOTS = 4_096;
/** Longer texts are seldom alike. */
const CHARS_MAX = 400;
const PRIME_ONE = 0x01000193;
const PRIME_TWO = 0x5bd1e995;
const ZERO = 48;

const CODES = 0x10000;
/** What random numbers may be drawn at once. */
const DRAWN_MAX = 16_384;

/**
 * A number for each code unit that nobody outside this process knows; digits have one together. With
 * numbers that are known, or steps that are linear, texts that meet could be worked out beforehand.
 */
export const CHARACTER_SECRETS = drawn();

function drawn(): Int32Array {
  const secrets = new Int32Array(CODES);
  for (let from = 0; from < CODES; from += DRAWN_MAX) {
    crypto.getRandomValues(secrets.subarray(from, from + DRAWN_MAX));
  }
  return secrets.fill(secrets[ZERO] ?? 0, ZERO, ZERO + 10);
}

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
      const secret = CHARACTER_SECRETS[text.charCodeAt(at)] ?? 0;
      // The first hash goes into the second one, which would be linear by itself.
      two = Math.imul(two + (secret ^ (one >>> 15)), PRIME_TWO);
      one = Math.imul(one ^ secret, PRIME_ONE);
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
