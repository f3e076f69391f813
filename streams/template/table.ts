/**
 * The places, nodes and ids of a miner within their bounds: how much one service may hold of it, and
 * which templates are forgotten when room is needed. It knows nothing of how statements are found.
 */
import { type ColumnText, joinColumns, packColumns, unpackColumns } from "./column-text.ts";
import {
  type Counts,
  type Node,
  PATTERNS_MAX,
  type Place,
  rootOf,
  type Service,
  TEXT_CHARS_MAX,
} from "./node.ts";
import { columnCounts, newPlace, newService, tidy } from "./place.ts";
import type { SavedMiner } from "./snapshot.ts";

/** Statements of one service and logger; what comes after them is told by its first word. */
export const PLACE_TEMPLATES_MAX = 1_000;
/** Shapes noted for each template that may be known. */
const NODES_PER_TEMPLATE = 3;
/**
 * Of the table, for one service: a service that logs without bounds leaves as much to all others
 * together as it takes, and one that logs alone still has thousands of statements.
 */
const SERVICE_SHARE = 0.5;
/** Two days of windows of five minutes: what runs each night is seen, with a night to spare. */
export const GENERATIONS_KEPT = 576;
/** A bound this near asks for room, and so much is left when there is room again. */
const NEARLY_FULL = 0.9;
const ROOMY = 0.8;

export class Table {
  readonly #max: Counts;
  readonly #serviceMax: Counts;
  readonly #services = new Map<string, Service>();
  readonly #places = new Map<number, Place>();
  /** Indexes of forgotten places. */
  #free: number[] = [];
  #nodes: Node[] = [];
  readonly #byId = new Map<string, Node>();
  readonly #all: Counts = { templates: 0, nodes: 0 };
  /** Nodes made so far; the index of the next. */
  #made = 0;

  constructor(templatesMax: number) {
    this.#max = { templates: templatesMax, nodes: NODES_PER_TEMPLATE * templatesMax };
    this.#serviceMax = {
      templates: Math.ceil(SERVICE_SHARE * this.#max.templates),
      nodes: Math.ceil(SERVICE_SHARE * this.#max.nodes),
    };
  }

  get size(): number {
    return this.#all.templates;
  }

  get places(): readonly Place[] {
    return [...this.#places.values()];
  }

  /** The oldest first. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  byId(id: string): Node | undefined {
    return this.#byId.get(id);
  }

  /** The place of a service and logger, a new one when there is room for a statement in it. */
  place(service: string, logger: string | undefined): Place | undefined {
    return this.#services.get(service)?.places.get(logger ?? "") ?? this.#addPlace(service, logger);
  }

  #addPlace(
    service: string,
    logger: string | undefined,
    index = this.#free.at(-1) ?? this.#places.size,
  ): Place | undefined {
    const owner = this.#services.get(service) ?? newService();
    if (!this.#hasRoom(owner) || this.#places.size >= this.#max.nodes) return undefined;
    const name = logger === "" ? undefined : logger;
    const place = newPlace(index, service, name, owner);
    if (index === this.#free.at(-1)) this.#free.pop();
    this.#services.set(service, owner);
    owner.places.set(name ?? "", place);
    this.#places.set(index, place);
    return place;
  }

  #hasRoom(owner: Counts): boolean {
    return isBelow(this.#all, this.#max) && isBelow(owner, this.#serviceMax);
  }

  /** A new node, which is of an older template when it reads the same; `undefined` without room. */
  add(
    place: Place,
    key: number,
    columns: readonly ColumnText[],
    kinds: Uint8Array,
  ): Node | undefined {
    if (!this.#hasRoom(place.owner)) return undefined;
    const { service, logger } = place;
    const text = joinColumns(columns, TEXT_CHARS_MAX);
    const id = templateId(service, logger, text);
    const template = { id, service, logger, text };
    const same = this.#byId.get(id);
    const parent = same === undefined ? undefined : rootOf(same);
    return this.#note({ key, id, place, template, columns: packColumns(columns), kinds, parent });
  }

  #note(fields: Omit<Node, "index" | "seen" | "terms">, seen = 0): Node {
    const node: Node = { ...fields, index: this.#made, seen, terms: undefined };
    this.#made += 1;
    this.#nodes.push(node);
    if (!this.#byId.has(node.id)) this.#byId.set(node.id, node);
    this.#count(node);
    return node;
  }

  #count({ place, parent }: Node): void {
    this.#all.nodes += 1;
    place.owner.nodes += 1;
    if (parent === undefined) this.#countTemplate(place, 1);
  }

  #countTemplate(place: Place, change: number): void {
    place.size += change;
    place.owner.templates += change;
    this.#all.templates += change;
  }

  /** Counts a template that went up in another. */
  joined(gone: Node): void {
    this.#countTemplate(gone.place, -1);
  }

  /** Takes what a snapshot holds, as much as there is room for; answers its nodes. */
  restore({ places, nodes }: SavedMiner): readonly Node[] {
    for (const { index, service, logger, patterns } of places) {
      const place = this.#addPlace(service, logger, index);
      for (const [count, all] of patterns) {
        const saved = all.slice(0, PATTERNS_MAX).map(([columns, calls]) => ({ columns, calls }));
        place?.patterns.set(count, saved);
      }
    }
    const known = new Map<number, Node>();
    for (const [at, saved] of nodes.entries()) {
      const node = this.#restoreNode(saved, known);
      if (node !== undefined) known.set(at, node);
    }
    this.#dropEmptyPlaces();
    return this.#nodes;
  }

  #restoreNode(
    saved: SavedMiner["nodes"][number],
    known: ReadonlyMap<number, Node>,
  ): Node | undefined {
    const { key, id, root, columns = "", kinds = [], unseen = 0 } = saved;
    const place = this.#places.get(saved.place);
    const parent = root === undefined ? undefined : known.get(root);
    if (place === undefined || !this.#hasRoom(place.owner)) return undefined;
    if (root !== undefined && parent === undefined) return undefined;
    const { service, logger } = place;
    const text = joinColumns(unpackColumns(columns), TEXT_CHARS_MAX);
    const template = parent?.template ?? { id, service, logger, text };
    const fields = { key, id, place, template, columns, kinds: Uint8Array.from(kinds), parent };
    return this.#note(fields, -unseen);
  }

  /**
   * Makes room where a bound is near: of the table, of a service, of a place. Templates that were not
   * seen for GENERATIONS_KEPT generations go, the longest unseen first. Answers their roots.
   */
  forget(generation: number): ReadonlySet<Node> {
    const gone = new Set<Node>();
    const crowded = new Set(this.places.filter((place) => this.#fill(place) >= NEARLY_FULL));
    if (crowded.size === 0) return gone;
    const groups = new Map<Node, number>();
    for (const node of this.#nodes) {
      const root = rootOf(node);
      const isOld = generation - root.seen > GENERATIONS_KEPT && crowded.has(root.place);
      if (isOld) groups.set(root, (groups.get(root) ?? 0) + 1);
    }
    const oldest = [...groups].toSorted(([a], [b]) => a.seen - b.seen || a.index - b.index);
    for (const [root, nodes] of oldest) {
      if (this.#fill(root.place) <= ROOMY) continue;
      gone.add(root);
      this.#countTemplate(root.place, -1);
      root.place.owner.nodes -= nodes;
      this.#all.nodes -= nodes;
    }
    if (gone.size > 0) this.#sweep(gone);
    return gone;
  }

  /** How near the nearest bound is, 1 for full. */
  #fill({ owner, size }: Place): number {
    return Math.max(
      size / PLACE_TEMPLATES_MAX,
      owner.templates / this.#serviceMax.templates,
      owner.nodes / this.#serviceMax.nodes,
      this.#all.templates / this.#max.templates,
      this.#all.nodes / this.#max.nodes,
    );
  }

  /** Takes out whole groups, and places that are empty then; counts what is left anew. */
  #sweep(gone: ReadonlySet<Node>): void {
    const isKept = (node: Node) => !gone.has(rootOf(node));
    for (const node of this.#nodes) {
      if (!isKept(node) && this.#byId.get(node.id) === node) this.#byId.delete(node.id);
    }
    this.#nodes = this.#nodes.filter(isKept);
    this.#all.templates = 0;
    this.#all.nodes = 0;
    for (const place of this.#places.values()) {
      place.size = 0;
      place.owner.templates = 0;
      place.owner.nodes = 0;
    }
    for (const node of this.#nodes) this.#count(node);
    this.#dropEmptyPlaces();
    const counts = columnCounts(this.#nodes);
    for (const place of this.#places.values()) tidy(place, isKept, counts.get(place));
  }

  /** Their indexes are free for others: no node with a key made of them is left. */
  #dropEmptyPlaces(): void {
    const used = new Set(this.#nodes.map(({ place }) => place));
    for (const place of this.places) {
      if (used.has(place)) continue;
      const { index, service, logger, owner } = place;
      this.#places.delete(index);
      owner.places.delete(logger ?? "");
      if (owner.places.size === 0) this.#services.delete(service);
    }
    let highest = -1;
    for (const index of this.#places.keys()) highest = Math.max(highest, index);
    this.#free = [];
    for (let index = 0; index < highest; index++) {
      if (!this.#places.has(index)) this.#free.push(index);
    }
  }
}

function isBelow(counts: Counts, max: Counts): boolean {
  return counts.templates < max.templates && counts.nodes < max.nodes;
}

/** Sixteen hexadecimal digits of SHA-256: the same on every host and in every run. */
function templateId(service: string, logger: string | undefined, text: string): string {
  const hash = new Bun.CryptoHasher("sha256");
  return hash
    .update(`${service}\n${logger ?? ""}\n${text}`)
    .digest("hex")
    .slice(0, 16);
}
