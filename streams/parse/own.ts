/**
 * Copies of short strings. A slice of a text keeps the whole text alive in JavaScript engines, which
 * matters for what is kept after its line is gone.
 */

const CHARS_MAX = 1_024;
const scratch = Buffer.alloc(2 * CHARS_MAX);

/** The same characters in memory of their own; cut at `charsMax`, which may be 1,024 at most. */
export function owned(text: string, charsMax = 512): string {
  const max = Math.min(charsMax, CHARS_MAX);
  const short = text.length > max ? text.slice(0, max) : text;
  // One byte a character is enough for nearly all texts; it is checked, for others would be lost.
  const copy = scratch.toString("latin1", 0, scratch.write(short, "latin1"));
  if (copy === short) return copy;
  return scratch.toString("utf16le", 0, scratch.write(short, "utf16le"));
}

const NAME_CHARS_MAX = 128;
/** A power of two, so that a hash is cut to a place by its last bits. */
const LATELY = 2_048;

/** Short texts that recur, one copy of each; forgets all when it is full. */
class Interned {
  readonly #max: number;
  readonly #copies = new Map<string, string>();
  /** The last copy by a rough hash of a place, so that a known text is found without being cut out. */
  readonly #lately: string[] = Array.from({ length: LATELY }, () => "");

  constructor(max: number) {
    this.#max = max;
  }

  /** The copy of `text.slice(from, to)`, when it was asked for lately; else undefined. */
  known(text: string, from: number, to: number): string | undefined {
    const copy = this.#lately[roughHash(text, from, to)] ?? "";
    return copy.length === to - from && text.startsWith(copy, from) ? copy : undefined;
  }

  /** The same as {@link of} for `text.slice(from, to)`. */
  at(text: string, from: number, to: number): string {
    const known = this.known(text, from, to);
    if (known !== undefined) return known;
    const copy = this.of(text.slice(from, to));
    this.#lately[roughHash(text, from, to)] = copy;
    return copy;
  }

  of(text: string): string {
    const known = this.#copies.get(text);
    if (known !== undefined) return known;
    if (this.#copies.size >= this.#max) this.#copies.clear();
    const copy = owned(text.length > NAME_CHARS_MAX ? text.slice(0, NAME_CHARS_MAX) : text);
    this.#copies.set(copy, copy);
    return copy;
  }
}

/** Length and four characters tell nearly all names and ids apart. */
function roughHash(text: string, from: number, to: number): number {
  const code = (at: number) => (at < to ? text.charCodeAt(at) : 0);
  const length = to - from;
  const first = code(from) * 31 + code(to - 1);
  const inner = code(from + (length >> 1)) * 131 + code(from + (length >> 2));
  return (first * 7 + inner + length * 17) & (LATELY - 1);
}

const names = new Interned(10_000);
const ids = new Interned(10_000);

/** One shared copy of a name that recurs, such as that of a logger; at most 128 characters. */
export function intern(name: string): string {
  return names.of(name);
}

/** The same for trace and span ids, which come by the million: they do not push out the names. */
export function internId(id: string): string {
  return ids.of(id);
}

/** {@link intern} for `text.slice(from, to)`, which is only cut out when it is not known. */
export function internAt(text: string, from: number, to: number): string {
  return names.at(text, from, to);
}

/** {@link internId} for `text.slice(from, to)`. */
export function internIdAt(text: string, from: number, to: number): string {
  return ids.at(text, from, to);
}

/** The id at `text.slice(from, to)` when {@link internIdAt} gave it lately. */
export function knownIdAt(text: string, from: number, to: number): string | undefined {
  return ids.known(text, from, to);
}
