/**
 * What one new shape teaches: fills the gaps it leaves, opens those that have evidence enough, and goes
 * on from there. It bounds the tables it fills and forgets nothing (gaps.ts).
 */
import type { Columns } from "./columns.ts";
import { EVIDENCE, needAt, varyingColumns, weightOf } from "./evidence.ts";
import { keyOf, keyWithOpen, leaveCallOpen, leaveOpen, type Sums, termsOf } from "./keys.ts";
import { LOOK } from "./looks.ts";
import { COLUMNS_MAX, join, type Node, PATTERNS_MAX, type Pattern, type Place } from "./node.ts";

/** Words that may change together are looked at by twos; of more, names only, or all names at once. */
const WORDS_MAX = 8;
/** Constants that must stand beside columns that change together. */
const SET_CONSTANTS_MIN = 2;
/** Beyond these nothing new is found to vary; what is known stays. Some 10 MB each. */
const GAPS_MAX = 100_000;
const SETS_MAX = 20_000;
/** Fills a gap where a value stands. */
const VALUE_TEXT = 0x2a;

/** Most gaps are filled with one text for ever, so that one stands in the gap itself. */
export interface Gap {
  evidence: number;
  readonly text: number;
  node: Node;
  /** Further texts and their nodes. */
  more: { readonly texts: number[]; nodes: Node[] } | undefined;
  /** Evidence that makes it a variable. */
  readonly need: number;
  isOpen: boolean;
}

/** A gap of several columns: what was seen in them together, a row for each. */
export interface SetGap {
  readonly rows: number[][];
  nodes: Node[];
}
/** Enough rows for any look to become evidence in each column. */
const ROWS_MAX = 12;

/** Makes a node for the columns at hand; `undefined` when there is no room. */
export type MakeNode = (key: number, open: readonly number[]) => Node | undefined;

export interface Tables {
  readonly nodes: Map<number, Node>;
  readonly gaps: Map<number, Gap>;
  readonly sets: Map<number, SetGap>;
}

/** One new shape; it changes the columns while it looks at them with some left open. */
export class Lesson {
  readonly #columns: Columns;
  readonly #make: MakeNode;
  readonly #nodes: Map<number, Node>;
  readonly #gaps: Map<number, Gap>;
  readonly #sets: Map<number, SetGap>;
  readonly #onJoin: (gone: Node) => void;

  constructor(columns: Columns, make: MakeNode, tables: Tables, onJoin: (gone: Node) => void) {
    this.#columns = columns;
    this.#make = make;
    this.#nodes = tables.nodes;
    this.#gaps = tables.gaps;
    this.#sets = tables.sets;
    this.#onJoin = onJoin;
  }

  learn(sums: Sums, open: Pattern): Node | undefined {
    const key = keyOf(sums);
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const node = this.#make(key, [...open.columns, ...open.calls]);
    if (node === undefined) return undefined;
    this.#nodes.set(key, node);
    this.note(sums, node, open);
    return node;
  }

  note(sums: Sums, node: Node, open: Pattern): void {
    node.terms = termsOf(this.#columns, sums, COLUMNS_MAX);
    appendNode(node, this.#columns.count);
    const own = this.#gaps.get(node.key);
    if (own !== undefined) this.#fill(own, VALUE_TEXT, EVIDENCE.value, node);
    const { looks, calls, count } = this.#columns;
    const words: number[] = [];
    const names: number[] = [];
    for (let at = 0; at < Math.min(count, COLUMNS_MAX); at++) {
      const look = looks[at] ?? LOOK.FIXED;
      const isWord = look !== LOOK.VALUE && look !== LOOK.FIXED;
      if (isWord) this.#tryColumn(sums, node, at, open);
      if (calls[at] === 1) this.#tryCall(sums, node, at, open);
      if (isWord && at > 0) words.push(at);
      if (isWord && at > 0 && look !== LOOK.WORD) names.push(at);
    }
    if (names.length > 2) this.#trySet(sums, node, names, open);
    if (words.length > 2 && words.length > names.length) this.#trySet(sums, node, words, open);
    const some = words.length > WORDS_MAX ? names : words;
    if (some.length > WORDS_MAX) return;
    for (const [index, one] of some.entries()) {
      for (const other of some.slice(index + 1)) this.#trySet(sums, node, [one, other], open);
    }
  }

  /** Fills the gap that a column leaves; if that opens it, goes on from there. */
  #tryColumn(sums: Sums, node: Node, at: number, open: Pattern): void {
    const columns = this.#columns;
    const weight = weightOf(columns, at);
    const need = needAt(columns, at);
    const left = { one: sums.one, two: sums.two };
    leaveOpen(columns, at, left);
    if (!this.#fillAt(keyOf(left), columns.cores[at] ?? 0, weight, need, node)) return;
    const closed = columns.open([at]);
    this.#goOn(left, node, { columns: [...open.columns, at], calls: open.calls });
    columns.restore(closed);
  }

  /** The same for columns that change together: each that does must have evidence of its own. */
  #trySet(sums: Sums, node: Node, set: readonly number[], open: Pattern): void {
    const columns = this.#columns;
    const left = { one: sums.one, two: sums.two };
    for (const at of set) leaveOpen(columns, at, left);
    const key = keyOf(left);
    const gap = this.#sets.get(key) ?? { rows: [], nodes: [] };
    if (gap.rows.length === 0 && this.#sets.size >= SETS_MAX) return;
    this.#sets.set(key, gap);
    if (gap.rows.length >= ROWS_MAX) return;
    gap.rows.push(set.map((at) => columns.cores[at] ?? 0));
    gap.nodes.push(node);
    const varying = varyingColumns(columns, set, gap.rows);
    if (varying.length < 2 || columns.constants - varying.length < SET_CONSTANTS_MIN) return;
    const partly = { one: sums.one, two: sums.two };
    for (const at of varying) leaveOpen(columns, at, partly);
    for (const other of gap.nodes) this.#join(node, other);
    const closed = columns.open(varying);
    this.#goOn(partly, node, { columns: [...open.columns, ...varying], calls: open.calls });
    columns.restore(closed);
  }

  #tryCall(sums: Sums, node: Node, at: number, open: Pattern): void {
    const columns = this.#columns;
    const need = needAt(columns, at, true);
    const left = { one: sums.one, two: sums.two };
    leaveCallOpen(columns, at, left);
    if (!this.#fillAt(keyOf(left), columns.befores[at] ?? 0, EVIDENCE.call, need, node)) return;
    const closed = columns.open([at]);
    columns.openCall(at);
    this.#goOn(left, node, { columns: open.columns, calls: [...open.calls, at] });
    columns.restore(closed);
  }

  /** The sequence with the gap open is learnt like one that was seen, so that further columns open. */
  #goOn(sums: Sums, member: Node, open: Pattern): void {
    const node = this.learn(sums, open);
    if (node === undefined) return;
    this.#join(node, member);
    const { count } = this.#columns;
    notePattern(node.place, count, open);
    // Shapes that came before fill the gap too.
    for (const other of node.place.nodes.get(count) ?? []) {
      const { terms } = other;
      if (terms !== undefined && keyWithOpen(terms, open) === node.key) this.#join(node, other);
    }
  }

  /** True when the gap of this key is open, now or since long. */
  #fillAt(key: number, text: number, weight: number, need: number, node: Node): boolean {
    let gap = this.#gaps.get(key);
    if (gap === undefined) {
      if (this.#gaps.size >= GAPS_MAX || need === Number.POSITIVE_INFINITY) return false;
      gap = { evidence: weight, text, node, more: undefined, need, isOpen: false };
      this.#gaps.set(key, gap);
      const filled = this.#nodes.get(key);
      return filled !== undefined && this.#fill(gap, VALUE_TEXT, EVIDENCE.value, filled);
    }
    return this.#fill(gap, text, weight, node);
  }

  #fill(gap: Gap, text: number, weight: number, node: Node): boolean {
    if (gap.isOpen) {
      this.#join(gap.node, node);
      return true;
    }
    if (gap.text === text || gap.more?.texts.includes(text) === true) return false;
    gap.evidence += weight;
    gap.more ??= { texts: [], nodes: [] };
    gap.more.texts.push(text);
    gap.more.nodes.push(node);
    if (gap.evidence < gap.need) return false;
    gap.isOpen = true;
    for (const other of gap.more.nodes) this.#join(gap.node, other);
    gap.more = undefined;
    return true;
  }

  #join(a: Node, b: Node): void {
    const gone = join(a, b);
    if (gone !== undefined) this.#onJoin(gone);
  }
}

function appendNode(node: Node, count: number): void {
  const all = node.place.nodes.get(count);
  if (all === undefined) node.place.nodes.set(count, [node]);
  else all.push(node);
}

function notePattern(place: Place, count: number, pattern: Pattern): void {
  const all = place.patterns.get(count) ?? [];
  place.patterns.set(count, all);
  const text = patternText(pattern);
  if (all.length >= PATTERNS_MAX || all.some((one) => patternText(one) === text)) return;
  all.push({ columns: pattern.columns.toSorted((a, b) => a - b), calls: pattern.calls });
}

function patternText({ columns, calls }: Pattern): string {
  return `${columns.toSorted((a, b) => a - b).join(" ")}/${calls.join(" ")}`;
}
