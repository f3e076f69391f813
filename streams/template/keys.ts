/**
 * Keys of column sequences. A key is a sum over the columns, so that the key with one column left open
 * costs one subtraction. Two sums make 53 bits, which a number holds exactly: among the thousands of
 * sequences that are kept, two with one key are not to be expected.
 */
import { HASH_START, mixed, spread } from "./characters.ts";
import type { Columns } from "./columns.ts";
import { LOOK } from "./looks.ts";

const STEP_ONE = 0x9e3779b1 | 0;
const STEP_TWO = 0x85ebca77 | 0;
const HIGH = 2 ** 21;
/** Stands for a value. */
const OPEN = 0x2a2a2a2a;

export interface Sums {
  one: number;
  two: number;
}

export function keyOf({ one, two }: Sums): number {
  return (one >>> 0) * HIGH + (two >>> 11);
}

/** The sums of all columns as they are. */
export function sumColumns(columns: Columns, place: number, sums: Sums): void {
  sums.one = spread(place + STEP_TWO);
  sums.two = (spread(place + STEP_ONE) + columns.count) | 0;
  for (let at = 0; at < columns.count; at++) {
    const isOpen = columns.looks[at] === LOOK.VALUE && columns.constants > 0;
    addTerm(sums, hashAt(columns, at, isOpen), at, 1);
  }
}

/** Adds to the sums what leaving one column open changes. */
export function leaveOpen(columns: Columns, at: number, sums: Sums): void {
  if (columns.looks[at] === LOOK.VALUE) return;
  addTerm(sums, hashAt(columns, at, false), at, -1);
  addTerm(sums, hashAt(columns, at, true), at, 1);
}

/** The same for a call and its name: as if a bare value stood there. */
export function leaveCallOpen(columns: Columns, at: number, sums: Sums): void {
  addTerm(sums, hashAt(columns, at, columns.looks[at] === LOOK.VALUE), at, -1);
  addTerm(sums, columnHash(HASH_START, OPEN, columns.afters[at] ?? 0), at, 1);
}

/** Numbers for each column: what its value open changes, and what its name open as well does. */
const TERM = 4;

/** What leaving each column open would change, after the sums as they are. */
export function termsOf(columns: Columns, sums: Sums, columnsMax: number): Int32Array {
  const count = Math.min(columns.count, columnsMax);
  const terms = new Int32Array(2 + TERM * count);
  terms.set([sums.one, sums.two]);
  for (let at = 0; at < count; at++) {
    const open = { one: 0, two: 0 };
    const bare = { one: 0, two: 0 };
    leaveOpen(columns, at, open);
    leaveCallOpen(columns, at, bare);
    terms.set([open.one, open.two, bare.one, bare.two], 2 + TERM * at);
  }
  return terms;
}

/** The key of a sequence by its terms, with these columns open, and these with their names. */
export function keyWithOpen(
  terms: Int32Array,
  open: { readonly columns: readonly number[]; readonly calls: readonly number[] },
): number {
  const sums = { one: terms[0] ?? 0, two: terms[1] ?? 0 };
  for (const at of open.columns) addAt(sums, terms, 2 + TERM * at);
  for (const at of open.calls) addAt(sums, terms, 4 + TERM * at);
  return keyOf(sums);
}

function addAt(sums: Sums, terms: Int32Array, at: number): void {
  sums.one = (sums.one + (terms[at] ?? 0)) | 0;
  sums.two = (sums.two + (terms[at + 1] ?? 0)) | 0;
}

function hashAt(columns: Columns, at: number, isOpen: boolean): number {
  const core = isOpen ? OPEN : (columns.cores[at] ?? 0);
  return columnHash(columns.befores[at] ?? 0, core, columns.afters[at] ?? 0);
}

function columnHash(before: number, core: number, after: number): number {
  return mixed(mixed(mixed(HASH_START, before), core), after);
}

function addTerm(sums: Sums, hash: number, at: number, sign: number): void {
  const step = Math.imul(at + 1, STEP_ONE);
  sums.one = (sums.one + sign * spread(hash ^ step)) | 0;
  sums.two = (sums.two + sign * spread(Math.imul(hash, STEP_TWO) ^ step)) | 0;
}
