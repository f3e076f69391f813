/** Columns as text: how they are kept, shown, and what two of one statement have in common. */
import { owned } from "../parse/own.ts";
import type { Columns } from "./columns.ts";
import { LOOK } from "./looks.ts";
import { KIND, type Shape } from "./shape.ts";

/** The parts of a column; `space` is what stands between it and the column before. */
export interface ColumnText {
  readonly space: string;
  readonly before: string;
  readonly core: string;
  readonly after: string;
}

/** Between columns, and between the parts of one: control characters stand in no token. */
const COLUMN_END = "\x1e";
const PART_END = "\x1f";

/**
 * Columns as one string in memory of its own: thousands of templates are kept, their columns are looked
 * at seldom, and a slice of a line would keep the whole line alive.
 */
export function packColumns(columns: readonly ColumnText[]): string {
  const packed = columns
    .map(({ space, before, core, after }) => [space, before, core, after].join(PART_END))
    .join(COLUMN_END);
  return Buffer.from(packed).toString();
}

export function unpackColumns(packed: string): ColumnText[] {
  if (packed === "") return [];
  return packed.split(COLUMN_END).map((column) => {
    const [space = "", before = "", core = "", after = ""] = column.split(PART_END);
    return { space, before, core, after };
  });
}

/** Columns as people read them, at most `charsMax` characters, in memory of their own. */
export function joinColumns(columns: readonly ColumnText[], charsMax: number): string {
  const text = columns
    .map(({ space, before, core, after }) => space + before + core + after)
    .join("");
  return owned(text, charsMax);
}

/** Two columns of one statement: equal ones stay, what differs becomes `<*>`. */
export function commonColumn(a: ColumnText, b: ColumnText): ColumnText {
  if (a.core === b.core && a.before === b.before) return a;
  const after = a.after === b.after ? a.after : a.after.slice(-1);
  return { space: a.space, before: a.before === b.before ? a.before : "", core: "<*>", after };
}

/** A value of several kinds, or of one that is not known. */
export const OTHER = 255;
const COMPOUND = 128;

/**
 * What kind of value stands in each column: 0 for none, a kind of shape.ts for one value, or a number
 * from 128 that tells a compound such as `<NUM> KB` from another.
 */
export function valueKinds(shape: Shape, columns: Columns, kinds: Uint8Array): void {
  for (let at = 0; at < columns.count; at++) {
    const from = columns.coreFrom[at] ?? 0;
    let to = columns.to[at] ?? 0;
    while (to > from && shape.kinds[to - 1] === KIND.MARK) to -= 1;
    if (columns.looks[at] !== LOOK.VALUE) kinds[at] = 0;
    else if (to - from === 1 && shape.kinds[from] !== KIND.WORD)
      kinds[at] = shape.kinds[from] ?? OTHER;
    else kinds[at] = COMPOUND + compoundHash(shape, from, to);
  }
}

/** Less than seven bits of the last word of a compound, its unit as a rule, or of a word such as `null`. */
function compoundHash(shape: Shape, from: number, to: number): number {
  const last = to - 1;
  if (last < from || shape.kinds[last] !== KIND.WORD) return 0;
  return 1 + (((shape.hashes[last] ?? 0) >>> 8) % 100);
}

/** What two kinds of one column have in common: a hexadecimal number may have no letters. */
export function sharedKind(a: number, b: number): { kind: number; core: string } {
  const isHex = (a === KIND.HEX && b === KIND.NUM) || (a === KIND.NUM && b === KIND.HEX);
  return isHex ? { kind: KIND.HEX, core: "<HEX>" } : { kind: OTHER, core: "<*>" };
}
