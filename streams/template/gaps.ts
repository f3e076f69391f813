/**
 * Finds which columns are variable. For each shape and each of its columns, the sequence with that
 * column left open is a gap, and a gap gathers the different texts it was filled with. When these are
 * evidence enough, the column is a variable there and all shapes that fill the gap are one statement.
 *
 * The idea is that of the distinct values per position of IPLoM (Makanju et al. 2009) and Brain (Yu et
 * al. 2023), made incremental. What comes out depends on which texts were seen, hardly on their order
 * and not at all on how often they came, so a stream that repeats itself changes nothing.
 */
import type { Columns } from "./columns.ts";
import { EVIDENCE, needAt, varyingColumns, weightOf } from "./evidence.ts";
import { keyOf, keyWithOpen, leaveCallOpen, leaveOpen, type Sums, termsOf } from "./keys.ts";
import { LOOK } from "./looks.ts";
import { join, type Node, type Pattern, type Place } from "./node.ts";

/** Words that may change together are looked at by twos; of more, names only, or all names at once. */
const WORDS_MAX = 8;
/** Constants that must stand beside columns that change together. */
const SET_CONSTANTS_MIN = 2;
/** Of one count of columns in one place. */
const PATTERNS_MAX = 32;
/** Columns of one shape that are looked at; what stands behind them is as it is. */
const COLUMNS_MAX = 40;
/** Beyond these nothing new is found to vary; what is known stays. Some 10 MB each. */
const GAPS_MAX = 100_000;
const SETS_MAX = 20_000;
/** Fills a gap where a value stands. */
const VALUE_TEXT = 0x2a;

/** Most gaps are filled with one text for ever, so that one stands in the gap itself. */
interface Gap {
  evidence: number;
  readonly text: number;
  readonly node: Node;
  /** Further texts and their nodes. */
  more: { readonly texts: number[]; readonly nodes: Node[] } | undefined;
  /** Evidence that makes it a variable. */
  readonly need: number;
  isOpen: boolean;
}

/** A gap of several columns: what was seen in them together, a row for each. */
interface SetGap {
  readonly rows: number[][];
  readonly nodes: Node[];
}
/** Enough rows for any look to become evidence in each column. */
const ROWS_MAX = 12;

/** Makes a node for the columns at hand; `undefined` when there is no room. */
export type MakeNode = (key: number, open: readonly number[]) => Node | undefined;

export class Gaps {
  readonly #nodes = new Map<number, Node>();
  readonly #gaps = new Map<number, Gap>();
  readonly #sets = new Map<number, SetGap>();
  /** Called with each node that went up in another. */
  readonly #onJoin: (gone: Node) => void;

  constructor(onJoin: (gone: Node) => void) {
    this.#onJoin = onJoin;
  }

  /** Takes a node as it was before a restart. */
  restore(node: Node): void {
    this.#nodes.set(node.key, node);
  }

  /** The node of a key. */
  at(key: number): Node | undefined {
    return this.#nodes.get(key);
  }

  /** The node of a sequence, as it is or with those columns open that are known to vary. */
  lookup(columns: Columns, sums: Sums, place: Place): Node | undefined {
    const known = this.#nodes.get(keyOf(sums));
    if (known !== undefined) return known;
    for (const pattern of place.patterns.get(columns.count) ?? []) {
      const open = { one: sums.one, two: sums.two };
      for (const at of pattern.columns) leaveOpen(columns, at, open);
      for (const at of pattern.calls) leaveCallOpen(columns, at, open);
      const found = this.#nodes.get(keyOf(open));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Learns a sequence that {@link lookup} did not find. */
  learn(columns: Columns, sums: Sums, make: MakeNode, place: Place): Node | undefined {
    // With no room for patterns, each new value of a known variable would take a node for ever.
    const isCrowded = (place.patterns.get(columns.count)?.length ?? 0) >= PATTERNS_MAX;
    const filled = isCrowded ? this.#openGapAt(columns, sums) : undefined;
    if (filled !== undefined) return filled;
    return this.#lesson(columns, make).learn(sums, NOTHING_OPEN);
  }

  /** A node of an open gap that the sequence fills. */
  #openGapAt(columns: Columns, sums: Sums): Node | undefined {
    for (let at = 0; at < Math.min(columns.count, COLUMNS_MAX); at++) {
      const left = { one: sums.one, two: sums.two };
      leaveOpen(columns, at, left);
      const gap = this.#gaps.get(keyOf(left));
      if (gap?.isOpen === true) return gap.node;
    }
    return undefined;
  }

  /** Notes the gaps of a node that came back from a restart. */
  note(columns: Columns, sums: Sums, node: Node, make: MakeNode): void {
    this.#lesson(columns, make).note(sums, node, NOTHING_OPEN);
    const { terms } = node;
    for (const open of node.place.patterns.get(columns.count) ?? []) {
      if (terms === undefined) continue;
      const found = this.#nodes.get(keyWithOpen(terms, open));
      const gone = found === undefined ? undefined : join(found, node);
      if (gone !== undefined) this.#onJoin(gone);
    }
  }

  #lesson(columns: Columns, make: MakeNode): Lesson {
    const tables = { nodes: this.#nodes, gaps: this.#gaps, sets: this.#sets };
    return new Lesson(columns, make, tables, this.#onJoin);
  }
}

const NOTHING_OPEN: Pattern = { columns: [], calls: [] };

interface Tables {
  readonly nodes: Map<number, Node>;
  readonly gaps: Map<number, Gap>;
  readonly sets: Map<number, SetGap>;
}

/** One new shape; it changes the columns while it looks at them with some left open. */
class Lesson {
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
