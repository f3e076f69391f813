/**
 * The columns of a shape: what stands between white space and commas, each with what comes before its
 * value (`key=`, `[`), the value, and what comes after. Columns are what two messages are compared by.
 * Numbers only: no text is made before a template is new (template-text.ts).
 */
import { HASH_START, mixed } from "./characters.ts";
import { UNITS } from "./lexicon.ts";
import { CLOSERS, CODE, LOOK, lookOf, OPENERS, part, SEPARATORS } from "./looks.ts";
import { KIND, LEADER, type Shape, TOKENS_MAX } from "./shape.ts";

export class Columns {
  count = 0;
  /** Columns with a word of their own, as value or as key. */
  constants = 0;
  readonly looks = new Uint8Array(TOKENS_MAX);
  /** Hash of the key, of the value, of what follows it; brackets around a value say nothing. */
  readonly befores = new Int32Array(TOKENS_MAX);
  readonly cores = new Int32Array(TOKENS_MAX);
  readonly afters = new Int32Array(TOKENS_MAX);
  /** 1 where a key or the name of a call stands before the value. */
  readonly keys = new Uint8Array(TOKENS_MAX);
  /** 1 for `LOCAL(0)`: its name may be part of the value. */
  readonly calls = new Uint8Array(TOKENS_MAX);
  /** Tokens of the column: where it begins, where its core begins and ends, where it ends. */
  readonly from = new Int32Array(TOKENS_MAX);
  readonly coreFrom = new Int32Array(TOKENS_MAX);
  readonly coreTo = new Int32Array(TOKENS_MAX);
  readonly to = new Int32Array(TOKENS_MAX);

  /** Calls these columns values; answers what {@link restore} needs. */
  open(set: readonly number[]): Closed {
    const { constants, looks, calls, befores } = this;
    const closed = set.map((at) => ({
      at,
      look: looks[at] ?? 0,
      call: calls[at] ?? 0,
      before: befores[at] ?? 0,
    }));
    for (const { at, look } of closed) {
      if (look !== LOOK.VALUE && this.keys[at] === 0) this.constants -= 1;
      looks[at] = LOOK.VALUE;
    }
    return { constants, columns: closed };
  }

  /** Leaves the name of a call open too. */
  openCall(at: number): void {
    this.calls[at] = 0;
    this.befores[at] = HASH_START;
  }

  restore({ constants, columns }: Closed): void {
    this.constants = constants;
    for (const { at, look, call, before } of columns) {
      this.looks[at] = look;
      this.calls[at] = call;
      this.befores[at] = before;
    }
  }
}

interface Closed {
  readonly constants: number;
  readonly columns: readonly { at: number; look: number; call: number; before: number }[];
}

/** Fills `columns` from `shape`. */
export function splitColumns(shape: Shape, columns: Columns): void {
  columns.count = 0;
  let start = 0;
  for (let at = 1; at <= shape.count; at++) {
    if (at < shape.count && shape.spaced[at] === 0 && !isSeparator(shape, at - 1)) continue;
    if (start < shape.count) addColumn(shape, start, at, columns);
    start = at;
  }
  columns.constants = 0;
  for (let at = 0; at < columns.count; at++) {
    const look = columns.looks[at];
    const isWord = look !== LOOK.VALUE && look !== LOOK.FIXED;
    if (isWord || columns.keys[at] === 1) columns.constants += 1;
  }
}

/** Commas and their like, and the seam of `[a][b]`. */
function isSeparator(shape: Shape, at: number): boolean {
  if (shape.kinds[at] !== KIND.MARK) return false;
  const code = shape.hashes[at] ?? 0;
  if (code === CODE.closeSquare)
    return shape.hashes[at + 1] === CODE.openSquare && shape.kinds[at + 1] === KIND.MARK;
  return SEPARATORS.has(code);
}

function addColumn(shape: Shape, from: number, to: number, columns: Columns): void {
  readMarks(shape, from, to);
  readKey(shape);
  const last = columns.count - 1;
  const look = lookOf(shape, columns, last);
  if (last >= 0 && columns.looks[last] === LOOK.VALUE) {
    if (joinsValue(shape, from, look, columns, last)) {
      columns.to[last] = to;
      columns.afters[last] = part.after;
      return;
    }
  } else if (
    last >= 0 &&
    look === LOOK.MIXED &&
    columns.looks[last] === LOOK.MIXED &&
    isSame(shape, columns, last)
  ) {
    columns.to[last] = to;
    columns.afters[last] = part.after;
    return;
  }
  const at = columns.count;
  columns.count = at + 1;
  columns.looks[at] = look;
  columns.befores[at] = part.before;
  columns.cores[at] = coreHash(shape);
  columns.afters[at] = part.after;
  columns.keys[at] = part.named;
  columns.calls[at] = part.call;
  columns.from[at] = from;
  columns.coreFrom[at] = part.coreFrom;
  columns.coreTo[at] = part.coreTo;
  columns.to[at] = to;
}

/** Opening marks, core and closing marks. */
function readMarks(shape: Shape, from: number, to: number): void {
  let start = from;
  while (start < to && shape.kinds[start] === KIND.MARK && OPENERS.has(shape.hashes[start] ?? 0)) {
    start += 1;
  }
  let end = to;
  while (end > start && isClosing(shape, end - 1)) end -= 1;
  let after = HASH_START;
  for (let at = end; at < to; at++) {
    const code = shape.hashes[at] ?? 0;
    if (!CLOSERS.has(code)) after = mixed(after, code);
  }
  part.coreFrom = start;
  part.coreTo = end;
  part.before = HASH_START;
  part.opened = start > from ? 1 : 0;
  part.after = after;
}

/** Brackets, quotes, separators, the colon, and the dots that end a sentence. */
function isClosing(shape: Shape, at: number): boolean {
  if (shape.kinds[at] !== KIND.MARK) return false;
  const code = shape.hashes[at] ?? 0;
  return (
    CLOSERS.has(code) ||
    SEPARATORS.has(code) ||
    code === CODE.colon ||
    code === CODE.wideColon ||
    code >= 256
  );
}

/** `key=`, `key:` or `name(` in front of the value belongs to the statement. */
function readKey(shape: Shape): void {
  part.key = 0;
  part.named = 0;
  part.call = 0;
  // The method of a quoted request is part of what is said.
  if (shape.kinds[part.coreFrom] === KIND.STR)
    part.before = mixed(part.before, shape.hashes[part.coreFrom] ?? 0);
  let key = 0;
  let at = part.coreFrom;
  for (; at < part.coreTo; at++) {
    const kind = shape.kinds[at];
    if (kind === KIND.WORD) continue;
    if (kind !== KIND.MARK) return;
    const code = shape.hashes[at] ?? 0;
    if (code === CODE.equal || code === CODE.colon || code === CODE.wideColon || code === LEADER)
      key = CODE.equal;
    else if ((code === CODE.open || code === CODE.openSquare) && isName(shape, at - 1))
      key = CODE.open;
    if (key !== 0) break;
  }
  if (key === 0 || (at + 1 >= part.coreTo && shape.hashes[at] !== CODE.equal)) return;
  for (let index = part.coreFrom; index <= at; index++) {
    part.before = mixed(part.before, shape.hashes[index] ?? 0);
  }
  // A sign of equality alone names nothing.
  part.named = at > part.coreFrom ? 1 : 0;
  part.coreFrom = at + 1;
  part.key = shape.hashes[at] ?? 0;
  part.call = key === CODE.open || part.key === CODE.colon ? 1 : 0;
}

/** A word right before a bracket, in the same column. */
function isName(shape: Shape, at: number): boolean {
  return at >= part.coreFrom && shape.kinds[at] === KIND.WORD;
}

function coreHash(shape: Shape): number {
  let hash = HASH_START;
  for (let at = part.coreFrom; at < part.coreTo; at++) {
    hash = mixed(mixed(hash, shape.kinds[at] ?? 0), shape.hashes[at] ?? 0);
  }
  return hash;
}

function isSame(shape: Shape, columns: Columns, last: number): boolean {
  return columns.befores[last] === part.before && columns.cores[last] === coreHash(shape);
}

/** Whether a column goes on with the value before it: a run of values, a unit, the same value in brackets. */
function joinsValue(
  shape: Shape,
  from: number,
  look: number,
  columns: Columns,
  last: number,
): boolean {
  const isBare = part.before === HASH_START && part.opened === 0;
  if (look === LOOK.VALUE && isBare) return isOpenEnd(columns.afters[last] ?? 0);
  if (isBare && part.coreTo - part.coreFrom === 1 && columns.afters[last] === HASH_START) {
    const isWord = shape.kinds[part.coreFrom] === KIND.WORD;
    if (isWord && UNITS.has(shape.hashes[part.coreFrom] ?? 0)) return true;
  }
  const isBracket = shape.kinds[from] === KIND.MARK && shape.hashes[from] === CODE.open;
  const isRestated =
    isBracket && (look === LOOK.VALUE || isEmptyBracket(shape, from)) && part.key === 0;
  return isRestated && columns.afters[last] === HASH_START;
}

const AFTER_COMMA = mixed(HASH_START, CODE.comma);

/** Nothing or a comma between two values. */
function isOpenEnd(after: number): boolean {
  return after === HASH_START || after === AFTER_COMMA;
}

function isEmptyBracket(shape: Shape, from: number): boolean {
  return part.coreFrom === part.coreTo && shape.hashes[from + 1] === 41;
}
