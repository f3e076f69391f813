/**
 * Masks of the messages seen lately. Lines of one statement differ in their digits more than in
 * anything else, and a mask names numbers without keeping one, so a message that equals a known one
 * but for the values of its digits has the same mask. The one exception is the zero of `0x`.
 *
 * Bounded, and exact: a place for each hash, where the newest message replaces the one before it, and
 * what is found there is compared to the last character.
 */
import { owned } from "../parse/own.ts";
import { maskMessage } from "./mask.ts";

/** A power of two, so that a hash is cut to a place by its last bits. */
const PLACES = 2_048;
/** Longer messages are rare and are masked each time, so all places hold 4 MB at the very most. */
const CHARS_MAX = 1_024;

const ZERO = 48;

export class MaskMemo {
  readonly #messages: string[] = Array.from({ length: PLACES }, () => "");
  readonly #masks: string[] = Array.from({ length: PLACES }, () => "");

  /** The same as {@link maskMessage}. */
  maskOf(message: string): string {
    if (message.length > CHARS_MAX) return maskMessage(message);
    const place = hashOf(message) & (PLACES - 1);
    const known = this.#messages[place];
    if (known !== undefined && equalButDigits(known, message)) return this.#masks[place] ?? "";
    const mask = owned(maskMessage(message));
    this.#messages[place] = owned(message, CHARS_MAX);
    this.#masks[place] = mask;
    return mask;
  }
}

function isHexMark(character: string | undefined): boolean {
  return character === "x" || character === "X";
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9;
}

/** All digits hash alike. */
function hashOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    hash = (Math.imul(hash, 31) + (isDigit(code) ? ZERO : code)) | 0;
  }
  // The last bits of such a sum know little of the first characters.
  return hash ^ (hash >>> 16);
}

function equalButDigits(one: string, other: string): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) {
    const a = one.charCodeAt(at);
    const b = other.charCodeAt(at);
    if (a === b) continue;
    if (!isDigit(a) || !isDigit(b)) return false;
    if ((a === ZERO || b === ZERO) && isHexMark(one[at + 1])) return false;
  }
  return true;
}
