/**
 * What was seen lately and its nodes, so that a known line costs one look: messages by their characters
 * with all digits alike, shapes by their tokens. Bounded: a slot for each hash, where the newest replaces
 * the one before it. Hashes of 64 bits stand for what they are of. Characters and tokens go in as numbers
 * that are drawn at random in this process, by steps that are not linear, so that whoever writes
 * lines cannot work out two that meet; by chance two of billions may. Words of one token hash (scan.ts) are
 * one word to the whole miner, and so they are here.
 */
import { CHARACTER_SECRETS } from "../parse/digit-memo.ts";
import { spread } from "./characters.ts";
import type { Node } from "./node.ts";
import type { Shape } from "./shape.ts";

/** A power of two, so that a hash is cut to a slot by its last bits. */
const SLOTS = 16_384;
/** Longer messages hold lists, and two of them are seldom alike. */
const MESSAGE_CHARS_MAX = 400;

const PRIME_ONE = 0x01000193;
const PRIME_TWO = 0x5bd1e995;
const ZERO = 48;
const SMALL_X = 120;
const LARGE_X = 88;

class Slots {
  readonly #ones = new Int32Array(SLOTS);
  readonly #twos = new Int32Array(SLOTS);
  readonly #nodes: (Node | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  #one = 0;
  #two = 0;

  find(one: number, two: number): Node | undefined {
    this.#one = spread(one);
    this.#two = spread(two);
    const slot = this.#one & (SLOTS - 1);
    if (this.#ones[slot] !== this.#one || this.#twos[slot] !== this.#two) return undefined;
    return this.#nodes[slot];
  }

  forget(isGone: (node: Node) => boolean): void {
    for (const [slot, node] of this.#nodes.entries()) {
      if (node !== undefined && isGone(node)) this.#nodes[slot] = undefined;
    }
  }

  /** Notes what was not found last. */
  put(node: Node): void {
    const slot = this.#one & (SLOTS - 1);
    this.#ones[slot] = this.#one;
    this.#twos[slot] = this.#two;
    this.#nodes[slot] = node;
  }
}

const random = () => crypto.getRandomValues(new Int32Array(3));

/**
 * Messages that differ only in the values of their digits have one template: no digit is kept in a
 * shape. The one exception is the zero of `0x`, which is hashed as it is.
 */
export class SeenMessages {
  readonly #slots = new Slots();
  readonly #start = random();
  #isLong = false;

  get(message: string, place: number): Node | undefined {
    const { length } = message;
    this.#isLong = length > MESSAGE_CHARS_MAX;
    if (this.#isLong) return undefined;
    let one = (this.#start[0] ?? 0) ^ place;
    let two = (this.#start[1] ?? 0) + place;
    for (let at = 0; at < length; at++) {
      const code = message.charCodeAt(at);
      const secret = CHARACTER_SECRETS[code] ?? 0;
      // The first hash goes into the second one, which would be linear by itself.
      two = Math.imul(two + (secret ^ (one >>> 15)), PRIME_TWO);
      one = Math.imul(one ^ secret, PRIME_ONE);
      if ((code === SMALL_X || code === LARGE_X) && at > 0)
        two ^= message.charCodeAt(at - 1) === ZERO ? 1 : 0;
    }
    return this.#slots.find(one, two);
  }

  /** Notes the node of the message that {@link get} was asked for last. */
  put(node: Node): void {
    if (!this.#isLong) this.#slots.put(node);
  }

  /** Lets go of nodes that are gone. */
  forget(isGone: (node: Node) => boolean): void {
    this.#slots.forget(isGone);
  }
}

/** Shapes: lines that differ in letters of their values too, in identifiers, names and lists. */
export class SeenShapes {
  readonly #slots = new Slots();
  readonly #start = random();

  get({ kinds, hashes, spaced, count }: Shape, place: number): Node | undefined {
    const secret = this.#start[2] ?? 0;
    let one = (this.#start[0] ?? 0) ^ place;
    let two = (this.#start[1] ?? 0) + place;
    for (let at = 0; at < count; at++) {
      const hash = spread((hashes[at] ?? 0) ^ secret);
      const token = ((kinds[at] ?? 0) << 1) | (spaced[at] ?? 0);
      one = Math.imul(one ^ hash, PRIME_ONE) + token;
      two = Math.imul((two ^ token) + hash, PRIME_TWO);
      two ^= two >>> 15;
    }
    return this.#slots.find(one, two);
  }

  /** Notes the node of the shape that {@link get} was asked for last. */
  put(node: Node): void {
    this.#slots.put(node);
  }

  /** Lets go of nodes that are gone. */
  forget(isGone: (node: Node) => boolean): void {
    this.#slots.forget(isGone);
  }
}
