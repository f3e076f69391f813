/**
 * Copies of short strings. A slice of a text keeps the whole text alive in JavaScript engines, which
 * matters for ids that are kept after their line is gone.
 */

const CHARS_MAX = 128;
const scratch = Buffer.alloc(2 * CHARS_MAX);

/** The same characters in memory of their own; texts over 128 characters are cut. */
export function owned(text: string): string {
  const short = text.length > CHARS_MAX ? text.slice(0, CHARS_MAX) : text;
  // One byte a character is enough for nearly all ids; it is checked, because others would be lost.
  const copy = scratch.toString("latin1", 0, scratch.write(short, "latin1"));
  if (copy === short) return copy;
  return scratch.toString("utf16le", 0, scratch.write(short, "utf16le"));
}

const INTERNED_MAX = 10_000;
const interned = new Map<string, string>();

/** One shared copy of a text that recurs, such as the name of a logger. */
export function intern(text: string): string {
  const known = interned.get(text);
  if (known !== undefined) return known;
  if (interned.size >= INTERNED_MAX) interned.clear();
  const copy = owned(text);
  interned.set(copy, copy);
  return copy;
}
