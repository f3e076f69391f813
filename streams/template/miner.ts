/**
 * Finds the template of each log line as it comes, in one pass and with one configuration for all logs.
 *
 * A message becomes tokens by shape (scan.ts), tokens become columns (columns.ts), and columns that are
 * found to vary join shapes to statements (gaps.ts). A line whose shape was seen lately costs the scan
 * and one look. Later lines may join two templates: the older id stays, {@link TemplateMiner.resolve}
 * tells what became of the other.
 *
 * Bounded whatever comes: templates, shapes, gaps per shape, characters and tokens of a line, what one
 * service may hold (table.ts); a place with too many statements gets coarse ones by their first word.
 * What was not seen for long makes room. It keeps no line.
 */
import { limits } from "../../core/mod.ts";
import type { LogRecord } from "../model.ts";
import { owned } from "../parse/own.ts";
import { OTHER, valueKinds } from "./column-text.ts";
import { Columns, splitColumns } from "./columns.ts";
import { Gaps } from "./gaps.ts";
import { keyOf, sumColumns } from "./keys.ts";
import { hashOfWord } from "./lexicon.ts";
import { type Node, type Place, rootOf, type Template, widen } from "./node.ts";
import { scan } from "./scan.ts";
import { SeenMessages, SeenShapes } from "./seen.ts";
import { Shape, TOKENS_MAX } from "./shape.ts";
import { readSnapshot, writeSnapshot } from "./snapshot.ts";
import { PLACE_TEMPLATES_MAX, Table } from "./table.ts";
import { columnTexts, firstColumnText } from "./template-text.ts";

export type { Template } from "./node.ts";

export interface MinerOptions {
  /** Templates known at most, half of them of one service; lines that would be more find none. */
  readonly templatesMax?: number;
}

/** Templates by their first word that a place may have beyond its statements. */
const PLACE_COARSE_MAX = 100;

type Matched = Pick<LogRecord, "service" | "logger" | "message">;

export class TemplateMiner {
  readonly #table: Table;
  readonly #seenMessages = new SeenMessages();
  readonly #seenShapes = new SeenShapes();
  readonly #gaps = new Gaps((gone) => this.#table.joined(gone));
  #generation = 0;
  /** The generation in which a line that found no room last asked for some. */
  #triedIn = -1;
  // One of each for all lines, so that a line costs no object.
  readonly #shape = new Shape();
  readonly #columns = new Columns();
  readonly #kinds = new Uint8Array(TOKENS_MAX);
  readonly #sums = { one: 0, two: 0 };

  constructor(options: MinerOptions = {}) {
    this.#table = new Table(options.templatesMax ?? limits.TEMPLATES_MAX);
  }

  /**
   * A miner that knows what `snapshot` holds: known lines get the ids they had. Throws
   * PROTOCOL_VIOLATION for a snapshot that is damaged or of another version; its owner then begins with
   * a new miner, whose ids are the same for all templates that were never joined.
   */
  static restore(snapshot: Uint8Array, options: MinerOptions = {}): TemplateMiner {
    const miner = new TemplateMiner(options);
    for (const node of miner.#table.restore(readSnapshot(snapshot))) miner.#gaps.restore(node);
    return miner;
  }

  /** Templates known now. */
  get size(): number {
    return this.#table.size;
  }

  /**
   * The template of a record; `undefined` when the table is full, or its service holds all that one may,
   * and nothing known is near.
   */
  match(record: Matched): Template | undefined {
    const found = this.#match(record);
    if (found !== undefined || this.#triedIn === this.#generation) return found;
    this.#triedIn = this.#generation;
    return this.#makeRoom() ? this.#match(record) : undefined;
  }

  #match({ service, logger, message }: Matched): Template | undefined {
    const place = this.#table.place(service, logger);
    if (place === undefined) return undefined;
    const node = this.#seenMessages.get(message, place.index) ?? this.#scan(message, place);
    if (node === undefined) return undefined;
    const root = node.parent === undefined ? node : rootOf(node);
    root.seen = this.#generation;
    return root.template;
  }

  /** What a template's id stands for now; `undefined` for an id that is not known. */
  resolve(id: string): Template | undefined {
    const node = this.#table.byId(id);
    return node === undefined ? undefined : rootOf(node).template;
  }

  /**
   * Begins the next generation; its owner calls it once for each window. When the table is nearly full,
   * templates that were not seen for GENERATIONS_KEPT of them are forgotten: {@link resolve} does not
   * know them, and when they are seen again they are new, under the same id if they read the same.
   */
  nextGeneration(): void {
    this.#generation += 1;
    this.#makeRoom();
  }

  /** Looks at all that is known, so it is called once a generation, and once when a line finds no room. */
  #makeRoom(): boolean {
    const gone = this.#table.forget(this.#generation);
    if (gone.size === 0) return false;
    const isGone = (node: Node) => gone.has(rootOf(node));
    // What was coarse for want of room may now have a template of its own.
    const isStale = (node: Node) => isCoarse(node) || isGone(node);
    this.#gaps.forget(isGone);
    this.#seenMessages.forget(isStale);
    this.#seenShapes.forget(isStale);
    return true;
  }

  /** What is known, as bytes for a store: at most SNAPSHOT_BYTES_MAX, the last seen first. */
  snapshot(): Uint8Array {
    const { places, nodes } = this.#table;
    return writeSnapshot({ places, nodes, generation: this.#generation });
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
    return this.#table.add(place, key, texts, kinds);
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
    const node = this.#table.add(place, coarseKey(place, first), columns, new Uint8Array([OTHER]));
    if (node !== undefined) this.#gaps.restore(node);
    return node;
  }
}

/** Below zero, as no key of a sequence is. */
function coarseKey(place: Place, first: string): number {
  return -1 - (hashOfWord(first) >>> 0) * 2 ** 20 - (place.index & 0xfffff);
}

function isCoarse({ key }: Node): boolean {
  return key < 0;
}
