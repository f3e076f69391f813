/** How much a text says for its column being a variable: by its look, its place and what stands beside it. */
import type { Columns } from "./columns.ts";
import { LOOK } from "./looks.ts";

/**
 * How much one text says for a variable, by its look; 1 is enough. A value beside anything is enough,
 * so are two words with numbers in them, three names, four words with marks inside (which prose has as
 * well: `re-sync`, `error(s)`), five plain words: enumerations such as started, stopped, paused, resumed
 * stay apart.
 */
export const EVIDENCE = {
  value: 1,
  mixed: 0.5,
  name: 0.34,
  marked: 0.25,
  labelled: 0.34,
  word: 0.2,
  /** A call in place of a value: `LOCAL(0)` for an address. */
  call: 0.34,
  /** Times as much is needed where the first word stands: it mostly says what a line is about. */
  first: 2,
  /** And with only one constant beside it: a column is hardly known by so little. */
  lonely: 2,
} as const;
/** A little less than 1, for sums of fractions. */
const ENOUGH = 0.99;

/** Those of the columns that vary, when each has evidence enough; none when one has too little. */
export function varyingColumns(
  columns: Columns,
  set: readonly number[],
  rows: readonly (readonly number[])[],
): number[] {
  const varying: number[] = [];
  for (const [index, at] of set.entries()) {
    const texts = new Set(rows.map((row) => row[index]));
    if (texts.size === 1) continue;
    if (texts.size * weightOf(columns, at) < needAt(columns, at)) return [];
    varying.push(at);
  }
  return varying;
}

const BY_LOOK: Readonly<Record<number, keyof typeof EVIDENCE>> = {
  [LOOK.MIXED]: "mixed",
  [LOOK.NAME]: "name",
  [LOOK.MARKED]: "marked",
  [LOOK.LABELLED]: "labelled",
  [LOOK.WORD]: "word",
};

/** Of the text that stands in a column. */
export function weightOf(columns: Columns, at: number): number {
  const look = BY_LOOK[columns.looks[at] ?? LOOK.FIXED];
  return look === undefined ? 0 : EVIDENCE[look];
}

/**
 * How much it takes to call a column a variable, or a call with its name; infinitely much with no
 * constant beside it.
 */
export function needAt(columns: Columns, at: number, isCall = false): number {
  const isConstant = columns.looks[at] !== LOOK.VALUE && columns.keys[at] === 0;
  const others = columns.constants - Number(isConstant || isCall);
  if (others < 1) return Number.POSITIVE_INFINITY;
  return ENOUGH * (at === 0 ? EVIDENCE.first : 1) * (others < 2 ? EVIDENCE.lonely : 1);
}
