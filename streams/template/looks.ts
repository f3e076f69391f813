/** How a column's text looks: by its letters, by what stands before it, by the words around it. */

import { flagsOf, HASH_START, IS, mixed } from "./characters.ts";
import type { Columns } from "./columns.ts";
import { DAYS, LABELS, MONTHS, NOTHINGS, TRUTHS, ZONES } from "./lexicon.ts";
import { KIND, type Shape } from "./shape.ts";

/** How a column looks: the more like a name or a number, the less it takes to call it a variable. */
export const LOOK = {
  /** Only values: always variable. */
  VALUE: 0,
  /** Letters and values: `eadmin1`. */
  MIXED: 1,
  /** Letters as in identifiers: `SendWorker`, `SYSTEM`. */
  NAME: 2,
  /** The same with marks between: `com.acme.Payments`, `ntuser.dat`, `node-a`. */
  MARKED: 3,
  /** A word after a noun such as `user`. */
  LABELLED: 4,
  WORD: 5,
  /** Punctuation, never variable. */
  FIXED: 6,
} as const;

export const CODE = {
  comma: 44,
  colon: 58,
  semicolon: 59,
  equal: 61,
  bar: 124,
  open: 40,
  openSquare: 91,
  closeSquare: 93,
  wideColon: 0xff1a,
} as const;
export const OPENERS = new Set([40, 91, 123, 60, 34, 39]);
export const CLOSERS = new Set([41, 93, 125, 62, 34, 39]);
export const SEPARATORS = new Set<number>([CODE.comma, CODE.semicolon, CODE.bar]);

/** What the column under way is made of; one at a time, so that no column costs an object. */
export const part = {
  opened: 0,
  coreFrom: 0,
  coreTo: 0,
  before: 0,
  after: 0,
  key: 0,
  named: 0,
  call: 0,
};

const AFTER_COLON = mixed(HASH_START, CODE.colon);

/** The look of the column that {@link part} describes. */
export function lookOf(shape: Shape, columns: Columns, last: number): number {
  const { coreFrom, coreTo } = part;
  if (coreFrom === coreTo) return part.key === CODE.equal ? LOOK.VALUE : LOOK.FIXED;
  let values = 0;
  let words = 0;
  let mixedWords = 0;
  for (let at = coreFrom; at < coreTo; at++) {
    const kind = shape.kinds[at] ?? 0;
    if (kind === KIND.WORD) words += 1;
    else if (kind === KIND.MIXED) mixedWords += 1;
    else if (kind !== KIND.MARK) values += 1;
  }
  if (values + mixedWords + words === 0) return LOOK.FIXED;
  if (words + mixedWords === 0) return LOOK.VALUE;
  if (values + mixedWords > 0) return LOOK.MIXED;
  if (words > 1) return LOOK.NAME;
  return lookOfWord(shape, columns, last);
}

function lookOfWord(shape: Shape, columns: Columns, last: number): number {
  const at = part.coreFrom;
  const hash = shape.hashes[at] ?? 0;
  const isPair = part.key === CODE.equal || (last >= 0 && endsWithEqual(shape, columns, last));
  if ((isPair || part.key !== 0) && (NOTHINGS.has(hash) || TRUTHS.has(hash))) return LOOK.VALUE;
  if (last >= 0 && columns.afters[last] === AFTER_COLON && NOTHINGS.has(hash)) return LOOK.VALUE;
  if (isDatePart(shape, at, hash)) return LOOK.VALUE;
  const look = lookOfLetters(shape.text, shape.starts[at] ?? 0, shape.ends[at] ?? 0);
  // A word after `key=` may be one of a few, such as `state=open`: it is a word like others.
  if (isPair) return look;
  const mayBeNamed = look !== LOOK.NAME && last >= 0;
  return mayBeNamed && isLabelled(shape, part.coreFrom) ? LOOK.LABELLED : look;
}

/** Whether the word before the column is a noun that a name follows: `user`, `Host:`, `stationName:`. */
function isLabelled(shape: Shape, from: number): boolean {
  for (let at = from - 1; at >= 0; at--) {
    const kind = shape.kinds[at] ?? 0;
    const code = shape.hashes[at] ?? 0;
    if (kind === KIND.MARK && (OPENERS.has(code) || code === CODE.colon || code === CODE.wideColon))
      continue;
    if (kind !== KIND.WORD) return false;
    return (
      LABELS.has(code) ||
      LABELS.has(lastHump(shape.text, shape.starts[at] ?? 0, shape.ends[at] ?? 0))
    );
  }
  return false;
}

/** Hash of what follows the last capital of `stationName`, in small letters; 0 without a capital inside. */
function lastHump(text: string, start: number, end: number): number {
  let at = end - 1;
  while (at > start && (text.charCodeAt(at) < 65 || text.charCodeAt(at) > 90)) at -= 1;
  if (at <= start) return 0;
  let hash = mixed(HASH_START, text.charCodeAt(at) | 32);
  for (let index = at + 1; index < end; index++) hash = mixed(hash, text.charCodeAt(index));
  return hash;
}

function endsWithEqual(shape: Shape, columns: Columns, last: number): boolean {
  const token = (columns.to[last] ?? 0) - 1;
  return shape.kinds[token] === KIND.MARK && shape.hashes[token] === CODE.equal;
}

/** Names of days and months beside numbers, and of zones after them. */
function isDatePart(shape: Shape, at: number, hash: number): boolean {
  const after = shape.kinds[at + 1] ?? 0;
  const before = at > 0 ? (shape.kinds[at - 1] ?? 0) : 0;
  const isBeside = (at + 1 < shape.count && after >= KIND.NUM) || before >= KIND.NUM;
  if (MONTHS.has(hash)) return isBeside;
  if (ZONES.has(hash)) return before === KIND.TIME;
  if (!DAYS.has(hash)) return false;
  const next =
    shape.kinds[at + 1] === KIND.MARK && shape.hashes[at + 1] === CODE.comma ? at + 2 : at + 1;
  if (next >= shape.count) return isBeside;
  return isBeside || (shape.kinds[next] ?? 0) >= KIND.NUM || MONTHS.has(shape.hashes[next] ?? 0);
}

/** Capitals inside, or marks inside, or capitals only, make a name. */
function lookOfLetters(text: string, start: number, end: number): number {
  let capitals = 0;
  let inside = 0;
  let marks = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    const isCapital = code >= 65 && code <= 90;
    if (isCapital) capitals += 1;
    if (isCapital && at > start) inside += 1;
    if ((flagsOf(code) & (IS.LETTER | IS.HEX)) === 0) marks += 1;
  }
  if (marks > 0) return LOOK.MARKED;
  if (inside === 0) return LOOK.WORD;
  return capitals !== end - start || capitals > 2 ? LOOK.NAME : LOOK.WORD;
}
