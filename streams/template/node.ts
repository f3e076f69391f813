/**
 * Shapes as nodes of a forest: those that turn out to be one statement are joined to the oldest of them
 * (union-find, Tarjan 1975), whose id they keep. It decides nothing about what belongs together.
 */
import {
  type ColumnText,
  commonColumn,
  joinColumns,
  OTHER,
  packColumns,
  sharedKind,
  unpackColumns,
} from "./column-text.ts";

export interface Template {
  /** Hash of service, logger and the text it had when it was first seen; it stays when the text widens. */
  readonly id: string;
  readonly service: string;
  readonly logger: string | undefined;
  /** The message with its variable parts named: `<NUM>`, `<UUID>`, `<*>`. */
  readonly text: string;
}

export interface Counts {
  templates: number;
  nodes: number;
}

/** One service, with what it holds of the table. */
export interface Service extends Counts {
  /** By logger; none is the empty text. */
  readonly places: Map<string, Place>;
}

/** One service and logger. */
export interface Place {
  readonly index: number;
  readonly service: string;
  readonly logger: string | undefined;
  readonly owner: Service;
  /** Templates in it. */
  size: number;
  /** Which columns were found variable, by count of columns. */
  readonly patterns: Map<number, Pattern[]>;
  /** Nodes whose terms are known, by count of columns. */
  readonly nodes: Map<number, Node[]>;
}

/** Columns that are variable together. */
export interface Pattern {
  readonly columns: readonly number[];
  /** Columns of calls whose name varies too. */
  readonly calls: readonly number[];
}
/** Of one count of columns in one place. */
export const PATTERNS_MAX = 32;
/** Columns of one shape that are looked at; what stands behind them is as it is. */
export const COLUMNS_MAX = 40;

export interface Node {
  /** Older nodes have smaller ones. */
  readonly index: number;
  /** Of its columns (keys.ts). */
  readonly key: number;
  /** The id it was given, also when it was joined. */
  readonly id: string;
  readonly place: Place;
  template: Template;
  /** Its text by columns, packed; empty when it was joined to another. */
  columns: string;
  /** What kind of value stands in each column (column-text.ts). */
  kinds: Uint8Array;
  /** Set when it was joined to an older node. */
  parent: Node | undefined;
  /** The generation in which a line of its group was last seen; kept up to date in roots alone. */
  seen: number;
  /** Its key with any of its columns open (keys.ts); undefined after a restart, until it is seen again. */
  terms: Int32Array | undefined;
}

export const TEXT_CHARS_MAX = 500;

/** The oldest node of the group. */
export function rootOf(node: Node): Node {
  let root = node;
  while (root.parent !== undefined) root = root.parent;
  let at = node;
  while (at.parent !== undefined && at.parent !== root) {
    const next: Node = at.parent;
    at.parent = root;
    at = next;
  }
  return root;
}

/** Joins two groups; answers the root that is one no longer, `undefined` when they were one already. */
export function join(a: Node, b: Node): Node | undefined {
  const one = rootOf(a);
  const other = rootOf(b);
  if (one === other) return undefined;
  const kept = one.index < other.index ? one : other;
  const gone = kept === one ? other : one;
  gone.parent = kept;
  kept.seen = Math.max(kept.seen, gone.seen);
  const own = unpackColumns(kept.columns);
  const others = unpackColumns(gone.columns);
  if (own.length === others.length) {
    const { kinds } = gone;
    kept.kinds = kept.kinds.map((kind, at) => (kind === kinds[at] ? kind : OTHER));
    rewrite(
      kept,
      own.map((column, at) => commonColumn(column, others[at] ?? column)),
    );
  }
  gone.columns = "";
  gone.kinds = new Uint8Array(0);
  gone.template = kept.template;
  return gone;
}

/** Widens the text of a template that was seen with other kinds of values than before. */
export function widen(node: Node, kinds: Uint8Array, count: number): void {
  for (let at = 0; at < Math.min(count, node.kinds.length); at++) {
    const known = node.kinds[at] ?? OTHER;
    const kind = kinds[at] ?? OTHER;
    if (known === kind || known === OTHER || known === 0) continue;
    const shared = sharedKind(known, kind);
    node.kinds[at] = shared.kind;
    const columns = unpackColumns(node.columns);
    rewrite(
      node,
      columns.map((column, index) => (index === at ? { ...column, core: shared.core } : column)),
    );
  }
}

function rewrite(node: Node, columns: readonly ColumnText[]): void {
  node.columns = packColumns(columns);
  node.template = { ...node.template, text: joinColumns(columns, TEXT_CHARS_MAX) };
}
