/**
 * Finds the template of each log line as it comes, in one pass and with one configuration for all logs.
 *
 * A message becomes tokens by shape (scan.ts), tokens become columns (columns.ts), and columns that are
 * found to vary join shapes to statements (gaps.ts). A line whose shape was seen lately costs the scan
 * and one look. Later lines may join two templates: the older id stays, {@link TemplateMiner.resolve}
 * tells what became of the other.
 *
 * Bounded whatever comes: templates, shapes, gaps per shape, characters and tokens of a line; a place
 * with too many statements gets coarse ones by their first word. It keeps no line.
 */
import { limits } from "../../core/mod.ts";
import type { LogRecord } from "../model.ts";
import { owned } from "../parse/own.ts";
import {
  type ColumnText,
  joinColumns,
  OTHER,
  packColumns,
  unpackColumns,
  valueKinds,
} from "./column-text.ts";
import { Columns, splitColumns } from "./columns.ts";
import { Gaps } from "./gaps.ts";
import { keyOf, sumColumns } from "./keys.ts";
import { hashOfWord } from "./lexicon.ts";
import { type Node, type Place, rootOf, TEXT_CHARS_MAX, type Template, widen } from "./node.ts";
import { scan } from "./scan.ts";
import { SeenMessages, SeenShapes } from "./seen.ts";
import { Shape, TOKENS_MAX } from "./shape.ts";
import { readSnapshot, type SavedMiner, writeSnapshot } from "./snapshot.ts";
import { columnTexts, firstColumnText } from "./template-text.ts";

export type { Template } from "./node.ts";

export interface MinerOptions {
  /** Templates known at most; lines that would be more find none. */
  readonly templatesMax?: number;
}

/** Statements of one service and logger; what comes after them is told by its first word. */
const PLACE_TEMPLATES_MAX = 1_000;
const PLACE_COARSE_MAX = 100;
/** Shapes noted for each template that may be known. */
const NODES_PER_TEMPLATE = 3;

type Matched = Pick<LogRecord, "service" | "logger" | "message">;

export class TemplateMiner {
  readonly #templatesMax: number;
  readonly #nodesMax: number;
  /** By service and logger. */
  readonly #places = new Map<string, Map<string, Place>>();
  readonly #byIndex: Place[] = [];
  readonly #nodes: Node[] = [];
  readonly #byId = new Map<string, Node>();
  readonly #seenMessages = new SeenMessages();
  readonly #seenShapes = new SeenShapes();
  readonly #gaps = new Gaps((gone) => {
    gone.place.size -= 1;
    this.#size -= 1;
  });
  #size = 0;
  // One of each for all lines, so that a line costs no object.
  readonly #shape = new Shape();
  readonly #columns = new Columns();
  readonly #kinds = new Uint8Array(TOKENS_MAX);
  readonly #sums = { one: 0, two: 0 };

  constructor(options: MinerOptions = {}) {
    this.#templatesMax = options.templatesMax ?? limits.TEMPLATES_MAX;
    this.#nodesMax = NODES_PER_TEMPLATE * this.#templatesMax;
  }

  /**
   * A miner that knows what `snapshot` holds: known lines get the ids they had. Throws
   * PROTOCOL_VIOLATION for a snapshot that is damaged or of another version; its owner then begins with
   * a new miner, whose ids are the same for all templates that were never joined.
   */
  static restore(snapshot: Uint8Array, options: MinerOptions = {}): TemplateMiner {
    const miner = new TemplateMiner(options);
    miner.#load(readSnapshot(snapshot));
    return miner;
  }

  /** Templates known now. */
  get size(): number {
    return this.#size;
  }

  /** The template of a record; `undefined` when the table is full and nothing known is near. */
  match({ service, logger, message }: Matched): Template | undefined {
    const place = this.#places.get(service)?.get(logger ?? "") ?? this.#addPlace(service, logger);
    if (place === undefined) return undefined;
    const node = this.#seenMessages.get(message, place.index) ?? this.#scan(message, place);
    if (node === undefined) return undefined;
    return node.parent === undefined ? node.template : rootOf(node).template;
  }

  /** What a template's id stands for now; `undefined` for an id that is not known. */
  resolve(id: string): Template | undefined {
    const node = this.#byId.get(id);
    return node === undefined ? undefined : rootOf(node).template;
  }

  /** What is known, as bytes for a store: at most SNAPSHOT_BYTES_MAX, the oldest templates first. */
  snapshot(): Uint8Array {
    return writeSnapshot({ places: this.#byIndex, nodes: this.#nodes });
  }

  #scan(message: string, place: Place): Node | undefined {
    scan(message, this.#shape);
    let node = this.#seenShapes.get(this.#shape, place.index);
    if (node === undefined) {
      node = this.#find(place);
      if (node === undefined) return undefined;
      this.#seenShapes.put(node);
    }
    this.#seenMessages.put(node);
    return node;
  }

  #find(place: Place): Node | undefined {
    const columns = this.#columns;
    splitColumns(this.#shape, columns);
    sumColumns(columns, place.index, this.#sums);
    valueKinds(this.#shape, columns, this.#kinds);
    const make = (key: number, open: readonly number[]) => this.#makeNode(place, key, open);
    const known = this.#gaps.lookup(columns, this.#sums, place);
    if (known !== undefined) {
      // Back from a restart, its columns are at hand for the first time.
      if (known.terms === undefined && known.key === keyOf(this.#sums)) {
        this.#gaps.note(columns, this.#sums, known, make);
      }
      widen(rootOf(known), this.#kinds, columns.count);
      return known;
    }
    if (place.size >= PLACE_TEMPLATES_MAX) return this.#coarseNode(place);
    return this.#gaps.learn(columns, this.#sums, make, place);
  }

  #makeNode(place: Place, key: number, open: readonly number[]): Node | undefined {
    const texts = columnTexts(this.#shape, this.#columns);
    const kinds = this.#kinds.slice(0, texts.length);
    for (const at of open) {
      const text = texts[at];
      if (text === undefined) continue;
      texts[at] = { ...text, core: "<*>" };
      kinds[at] = OTHER;
    }
    return this.#addNode(place, key, texts, kinds);
  }

  /** In a crowded place: one template for all lines that begin alike, in the end one for all. */
  #coarseNode(place: Place): Node | undefined {
    const first = firstColumnText(this.#shape, this.#columns);
    const isFull = place.size >= PLACE_TEMPLATES_MAX + PLACE_COARSE_MAX;
    return (
      this.#gaps.at(coarseKey(place, first)) ??
      (isFull ? this.#gaps.at(coarseKey(place, "")) : undefined) ??
      this.#addCoarse(place, isFull ? "" : first)
    );
  }

  #addCoarse(place: Place, first: string): Node | undefined {
    const core = first === "" ? "<*>" : `${owned(first)} <*>`;
    const columns = [{ space: "", before: "", core, after: "" }];
    const node = this.#addNode(place, coarseKey(place, first), columns, new Uint8Array([OTHER]));
    if (node !== undefined) this.#gaps.restore(node);
    return node;
  }

  #addNode(
    place: Place,
    key: number,
    columns: readonly ColumnText[],
    kinds: Uint8Array,
  ): Node | undefined {
    if (this.#size >= this.#templatesMax || this.#nodes.length >= this.#nodesMax) return undefined;
    const { service, logger } = place;
    const text = joinColumns(columns, TEXT_CHARS_MAX);
    const id = templateId(service, logger, text);
    const template = { id, service, logger, text };
    const index = this.#nodes.length;
    const node: Node = {
      index,
      key,
      id,
      place,
      template,
      columns: packColumns(columns),
      kinds,
      parent: undefined,
      terms: undefined,
    };
    this.#nodes.push(node);
    const same = this.#byId.get(id);
    if (same === undefined) {
      this.#byId.set(id, node);
      place.size += 1;
      this.#size += 1;
    } else {
      // What reads the same is the same to whoever reads it.
      node.parent = rootOf(same);
    }
    return node;
  }

  #addPlace(service: string, logger: string | undefined): Place | undefined {
    if (this.#size >= this.#templatesMax || this.#byIndex.length >= this.#nodesMax)
      return undefined;
    const name = logger === "" ? undefined : logger;
    const index = this.#byIndex.length;
    const place: Place = {
      index,
      service,
      logger: name,
      size: 0,
      patterns: new Map(),
      nodes: new Map(),
    };
    const places = this.#places.get(service) ?? new Map<string, Place>();
    this.#places.set(service, places.set(name ?? "", place));
    this.#byIndex.push(place);
    return place;
  }

  #load({ places, nodes }: SavedMiner): void {
    for (const { service, logger, patterns } of places) {
      const place = this.#addPlace(service, logger);
      if (place === undefined) return;
      for (const [count, columns, calls] of patterns) {
        place.patterns.set(count, [...(place.patterns.get(count) ?? []), { columns, calls }]);
      }
    }
    for (const saved of nodes) this.#loadNode(saved);
  }

  #loadNode({
    key,
    place: at,
    id,
    root,
    columns = "",
    kinds = [],
  }: SavedMiner["nodes"][number]): void {
    const place = this.#byIndex[at];
    if (place === undefined) return;
    const parent = root === undefined ? undefined : this.#nodes[root];
    const { service, logger } = place;
    const text = joinColumns(unpackColumns(columns), TEXT_CHARS_MAX);
    const node: Node = {
      index: this.#nodes.length,
      key,
      id,
      place,
      template: parent?.template ?? { id, service, logger, text },
      columns,
      kinds: Uint8Array.from(kinds),
      parent,
      terms: undefined,
    };
    this.#nodes.push(node);
    this.#gaps.restore(node);
    if (!this.#byId.has(id)) this.#byId.set(id, node);
    if (parent !== undefined) return;
    place.size += 1;
    this.#size += 1;
  }
}

/** Below zero, as no key of a sequence is. */
function coarseKey(place: Place, first: string): number {
  return -1 - (hashOfWord(first) >>> 0) * 2 ** 20 - (place.index & 0xfffff);
}

/** Sixteen hexadecimal digits of SHA-256: the same on every host and in every run. */
export function templateId(service: string, logger: string | undefined, text: string): string {
  const hash = new Bun.CryptoHasher("sha256");
  return hash
    .update(`${service}\n${logger ?? ""}\n${text}`)
    .digest("hex")
    .slice(0, 16);
}
