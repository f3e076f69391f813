/**
 * The shape of one message: its words and punctuation in order, each named by what kind of value it is.
 * Plain arrays that are filled anew for each line, so that a line costs no object. It decides nothing.
 */

/** What a token is. Those from NUM on are values whatever their characters. */
export const KIND = {
  /** A word that is itself. */
  WORD: 0,
  /** One character of punctuation, or a group of dots and marks that ends a word. */
  MARK: 1,
  /** A word with values inside: `HikariPool-<NUM>`. */
  MIXED: 2,
  NUM: 3,
  HEX: 4,
  UUID: 5,
  IP: 6,
  TIME: 7,
  HOST: 8,
  URL: 9,
  PATH: 10,
  EMAIL: 11,
  ID: 12,
  STR: 13,
  LIST: 14,
  OBJ: 15,
  LONG: 16,
} as const;

/** How each kind of value is written in a template. */
export const MASKS = [
  "",
  "",
  "",
  "<NUM>",
  "<HEX>",
  "<UUID>",
  "<IP>",
  "<TIME>",
  "<HOST>",
  "<URL>",
  "<PATH>",
  "<EMAIL>",
  "<ID>",
  "<STR>",
  "<LIST>",
  "<OBJ>",
  "<LONG>",
] as const;

/** The hash of a mark of three dots or more, which no single character has. */
export const LEADER = 0x10000;

/** More words than this are not part of a template. */
export const TOKENS_MAX = 160;

export class Shape {
  text = "";
  count = 0;
  readonly kinds = new Uint8Array(TOKENS_MAX);
  /** Of a word its characters, of a mark its code, of a value what is kept of it (a unit). */
  readonly hashes = new Int32Array(TOKENS_MAX);
  readonly starts = new Int32Array(TOKENS_MAX);
  readonly ends = new Int32Array(TOKENS_MAX);
  /** 1 when white space stands before it. */
  readonly spaced = new Uint8Array(TOKENS_MAX);

  add(kind: number, hash: number, start: number, end: number, spaced: number): void {
    const at = this.count;
    if (at >= TOKENS_MAX) return;
    this.kinds[at] = kind;
    this.hashes[at] = hash;
    this.starts[at] = start;
    this.ends[at] = end;
    this.spaced[at] = spaced;
    this.count = at + 1;
  }
}
