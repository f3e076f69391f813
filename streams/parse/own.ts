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

/** Short texts that recur, one copy of each; forgets all when it is full. */
class Interned {
  readonly #max: number;
  readonly #copies = new Map<string, string>();

  constructor(max: number) {
    this.#max = max;
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

const NAME_CHARS_MAX = 128;
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
