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
import { keyOf, keyWithOpen, leaveCallOpen, leaveOpen, type Sums } from "./keys.ts";
import { type Gap, Lesson, type MakeNode, type SetGap } from "./lesson.ts";
import { COLUMNS_MAX, join, type Node, PATTERNS_MAX, type Pattern, type Place } from "./node.ts";

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

  /**
   * Lets go of nodes that are gone. Evidence stays where another node gave some too: that a column was
   * filled with several texts is as true as before.
   */
  forget(isGone: (node: Node) => boolean): void {
    for (const [key, node] of this.#nodes) if (isGone(node)) this.#nodes.delete(key);
    for (const [key, gap] of this.#gaps) if (!keepGap(gap, isGone)) this.#gaps.delete(key);
    for (const [key, set] of this.#sets) {
      set.nodes = set.nodes.filter((node) => !isGone(node));
      if (set.nodes.length === 0) this.#sets.delete(key);
    }
  }

  #lesson(columns: Columns, make: MakeNode): Lesson {
    const tables = { nodes: this.#nodes, gaps: this.#gaps, sets: this.#sets };
    return new Lesson(columns, make, tables, this.#onJoin);
  }
}

const NOTHING_OPEN: Pattern = { columns: [], calls: [] };

/** False when no node of the gap is left. */
function keepGap(gap: Gap, isGone: (node: Node) => boolean): boolean {
  const { more } = gap;
  if (more !== undefined) more.nodes = more.nodes.filter((node) => !isGone(node));
  if (!isGone(gap.node)) return true;
  const heir = more?.nodes.shift();
  if (heir === undefined) return false;
  gap.node = heir;
  return true;
}
