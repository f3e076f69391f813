/** What each character may be part of, as flags in a table: one look per character and no pattern. */

export const IS = {
  DIGIT: 1,
  /** a to f. */
  HEX: 2,
  LETTER: 4,
  DOT: 8,
  SLASH: 16,
  AT: 32,
  BACKSLASH: 64,
  /** Other characters that stand inside words: `-`, `_`, `~`, `#` … */
  INNER: 128,
  SPACE: 256,
  /** Punctuation that ends a word. */
  BREAK: 512,
} as const;

/** What makes a word more than a plain one. */
export const VALUE_FLAGS = IS.DIGIT | IS.SLASH | IS.AT | IS.BACKSLASH;
export const END_FLAGS = IS.SPACE | IS.BREAK;

const ASCII = 128;
/** For every UTF-16 code unit; letters of other scripts are letters. */
const FLAGS = new Uint16Array(0x10000).fill(IS.LETTER);

function mark(characters: string, flag: number): void {
  for (const character of characters) FLAGS[character.charCodeAt(0)] = flag;
}

for (let code = 0; code < ASCII; code++)
  FLAGS[code] = code <= 32 || code === 127 ? IS.SPACE : IS.INNER;
mark("ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ", IS.LETTER);
mark("abcdefABCDEF", IS.HEX);
mark("0123456789", IS.DIGIT);
mark(",;:()[]{}<>\"'=|\uff1a", IS.BREAK);
mark("\u00a0\u3000", IS.SPACE);
mark(".", IS.DOT);
mark("/", IS.SLASH);
mark("\\", IS.BACKSLASH);
mark("@", IS.AT);

export function flagsOf(code: number): number {
  return FLAGS[code] ?? 0;
}

export function isDigitAt(text: string, at: number): boolean {
  if (at < 0 || at >= text.length) return false;
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

/** A digit or a to f. */
export function isHexAt(text: string, at: number): boolean {
  if (at < 0 || at >= text.length) return false;
  const code = text.charCodeAt(at);
  if (code >= 48 && code <= 57) return true;
  const lower = code | 32;
  return lower >= 97 && lower <= 102;
}

/** A letter or a digit. */
export function isNameAt(text: string, at: number): boolean {
  return (
    at >= 0 &&
    at < text.length &&
    (flagsOf(text.charCodeAt(at)) & (IS.DIGIT | IS.HEX | IS.LETTER)) !== 0
  );
}

const PRIME = 0x01000193;
export const HASH_START = 0x811c9dc5 | 0;

/** One step of FNV-1a (Fowler, Noll, Vo 1991), 32 bits. */
export function mixed(hash: number, value: number): number {
  return Math.imul(hash ^ value, PRIME);
}

/** Spreads a hash over all its bits (the finaliser of MurmurHash3, Appleby 2011). */
export function spread(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
