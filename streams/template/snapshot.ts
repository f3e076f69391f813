/**
 * A miner's knowledge as bytes: compressed JSON with a version, for a store that keeps it over restarts.
 * It holds templates and keys, no line. Evidence that did not yet make a variable is not kept: known
 * shapes give it again when they are next seen.
 */
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { type Node, type Place, rootOf } from "./node.ts";

/** Another number when keys, looks or texts are made in another way. */
const VERSION = 1;
/** Of a snapshot; half of what NATS carries in one message by default. */
export const SNAPSHOT_BYTES_MAX = 512 * 1024;
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024;
const NODES_MAX = 200_000;

const COLUMNS_CHARS_MAX = 64 * 1024;

const index = z.number().int().min(0).max(NODES_MAX);
const text = z.string().max(2_000);

const SavedPlace = z.object({
  service: text,
  logger: text.optional(),
  /** Count of columns, columns that vary together, calls whose name varies. */
  patterns: z.array(z.tuple([index, z.array(index), z.array(index)])),
});

const SavedNode = z.object({
  key: z.number(),
  place: index,
  id: z.string().max(64),
  /** Index of the node it was joined to. */
  root: index.optional(),
  /** Packed; of a root only. */
  columns: z.string().max(COLUMNS_CHARS_MAX).optional(),
  kinds: z.array(z.number().int().min(0).max(255)).optional(),
});

const SavedMiner = z.object({
  version: z.literal(VERSION),
  places: z.array(SavedPlace).max(NODES_MAX),
  nodes: z.array(SavedNode).max(NODES_MAX),
});
export type SavedMiner = z.infer<typeof SavedMiner>;
type SavedNode = z.infer<typeof SavedNode>;

interface Known {
  readonly places: readonly Place[];
  readonly nodes: readonly Node[];
}

/** At most SNAPSHOT_BYTES_MAX: when all is more, the youngest templates are left out. */
export function writeSnapshot({ places, nodes }: Known): Uint8Array {
  let roots = nodes.filter(({ parent }) => parent === undefined).length;
  for (;;) {
    const saved = {
      version: VERSION,
      places: places.map(savedPlace),
      nodes: savedNodes(nodes, roots),
    };
    const bytes = Bun.gzipSync(JSON.stringify(saved));
    if (bytes.length <= SNAPSHOT_BYTES_MAX || roots === 0) return bytes;
    // A little below its share, for what is left may pack worse.
    roots = Math.floor((0.9 * roots * SNAPSHOT_BYTES_MAX) / bytes.length);
  }
}

function savedPlace({ service, logger, patterns }: Place): z.infer<typeof SavedPlace> {
  const all = [...patterns].flatMap(([count, of]) =>
    of.map(({ columns, calls }): [number, number[], number[]] => [count, [...columns], [...calls]]),
  );
  return { service, ...(logger !== undefined && { logger }), patterns: all };
}

function savedNodes(nodes: readonly Node[], roots: number): SavedNode[] {
  const saved: SavedNode[] = [];
  const places = new Map<Node, number>();
  for (const node of nodes) {
    const isRoot = node.parent === undefined;
    if (isRoot && places.size >= roots) continue;
    const root = isRoot ? undefined : places.get(rootOf(node));
    if (!isRoot && root === undefined) continue;
    if (isRoot) places.set(node, saved.length);
    saved.push(root === undefined ? savedRoot(node) : { ...savedJoined(node), root });
  }
  return saved;
}

function savedJoined({ key, place, id }: Node): SavedNode {
  return { key, place: place.index, id };
}

function savedRoot(node: Node): SavedNode {
  return { ...savedJoined(node), columns: node.columns, kinds: [...node.kinds] };
}

/** Throws PROTOCOL_VIOLATION naming what is wrong. */
export function readSnapshot(bytes: Uint8Array): SavedMiner {
  if (bytes.length > SNAPSHOT_BYTES_MAX) throw refused(`it has ${bytes.length} bytes`, "size");
  const parsed = SavedMiner.safeParse(unpacked(bytes));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refused(issue?.message ?? "its form is not known", issue?.path.join(".") ?? "");
  }
  const { places, nodes } = parsed.data;
  const wrong = nodes.findIndex(
    ({ place, root }, at) =>
      place >= places.length || (root !== undefined && isNoRoot(nodes, root, at)),
  );
  if (wrong !== -1) throw refused("it names a place or a root that is not there", `nodes.${wrong}`);
  return parsed.data;
}

function isNoRoot(nodes: readonly SavedNode[], root: number, at: number): boolean {
  const node = nodes[root];
  return root >= at || node === undefined || node.root !== undefined;
}

function unpacked(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(gunzipSync(bytes, { maxOutputLength: UNPACKED_BYTES_MAX }).toString());
  } catch (error) {
    throw refused(messageOf(error), "bytes");
  }
}

function refused(why: string, place: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `a snapshot of log templates: ${why}`, { place });
}
