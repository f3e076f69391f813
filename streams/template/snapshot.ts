/**
 * A miner's knowledge as bytes: compressed JSON with a version, for a store that keeps it over restarts.
 * It holds templates and keys, no line. Evidence that did not yet make a variable is not kept: known
 * shapes give it again when they are next seen.
 */
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { messageOf, PetrelError } from "../../core/mod.ts";
import { COLUMNS_MAX, type Node, PATTERNS_MAX, type Place, rootOf } from "./node.ts";
import { TOKENS_MAX } from "./shape.ts";

/** Another number when keys, looks or texts are made in another way. */
const VERSION = 2;
/** Of a snapshot; half of what NATS carries in one message by default. */
export const SNAPSHOT_BYTES_MAX = 512 * 1024;
/** Of what it unpacks to: some times what thousands of long templates take. */
const UNPACKED_BYTES_MAX = 16 * 1024 * 1024;
const NODES_MAX = 200_000;
const COLUMNS_CHARS_MAX = 64 * 1024;
/** Of a service and of a logger. */
const NAME_CHARS_MAX = 2_000;
const GENERATIONS_MAX = 2 ** 31 - 1;

const index = z.number().int().min(0).max(NODES_MAX);
const name = z.string().max(NAME_CHARS_MAX);
const columns = z.array(z.number().int().min(0).max(TOKENS_MAX)).max(COLUMNS_MAX);

const SavedPlace = z.object({
  index,
  service: name,
  logger: name.optional(),
  /** For a count of columns: columns that vary together, calls whose name varies. */
  patterns: z
    .array(
      z.tuple([
        z.number().int().min(0).max(TOKENS_MAX),
        z.array(z.tuple([columns, columns])).max(PATTERNS_MAX),
      ]),
    )
    .max(TOKENS_MAX + 1),
});

const SavedNode = z.object({
  key: z.number(),
  /** Index of a place. */
  place: index,
  id: z.string().max(64),
  /** Position of the node it was joined to. */
  root: index.optional(),
  /** Packed; of a root only, as all that follows. */
  columns: z.string().max(COLUMNS_CHARS_MAX).optional(),
  kinds: z.array(z.number().int().min(0).max(255)).max(TOKENS_MAX).optional(),
  /** Generations since it was last seen; none is left out. */
  unseen: z.number().int().min(0).max(GENERATIONS_MAX).optional(),
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
  readonly generation: number;
}

/** At most SNAPSHOT_BYTES_MAX: when all is more, the templates unseen for longest are left out. */
export function writeSnapshot({ places, nodes, generation }: Known): Uint8Array {
  const roots = nodes
    .filter((node) => node.parent === undefined && fits(node))
    .toSorted((a, b) => b.seen - a.seen || a.index - b.index);
  let count = roots.length;
  for (;;) {
    const kept = nodesOf(nodes, new Set(roots.slice(0, count)));
    const used = new Set(kept.map(({ place }) => place));
    const json = JSON.stringify({
      version: VERSION,
      places: places.filter((place) => used.has(place)).map(savedPlace),
      nodes: savedNodes(kept, generation),
    });
    const bytes = Bun.gzipSync(json);
    const share = Math.max(
      bytes.length / SNAPSHOT_BYTES_MAX,
      Buffer.byteLength(json) / UNPACKED_BYTES_MAX,
      kept.length / NODES_MAX,
    );
    if (share <= 1 || count === 0) return bytes;
    // A little below its share, for what is left may pack worse.
    count = Math.floor((0.9 * count) / share);
  }
}

/** What a reader would refuse is not written. */
function fits({ place, columns: packed }: Node): boolean {
  const { service, logger = "" } = place;
  return (
    service.length <= NAME_CHARS_MAX &&
    logger.length <= NAME_CHARS_MAX &&
    packed.length <= COLUMNS_CHARS_MAX
  );
}

function nodesOf(nodes: readonly Node[], roots: ReadonlySet<Node>): Node[] {
  return nodes.filter((node) => roots.has(rootOf(node)) && fits(node));
}

function savedPlace({ index: at, service, logger, patterns }: Place): z.infer<typeof SavedPlace> {
  const all = [...patterns].map(([count, of]): [number, [number[], number[]][]] => [
    count,
    of.map((one) => [[...one.columns], [...one.calls]]),
  ]);
  return { index: at, service, ...(logger !== undefined && { logger }), patterns: all };
}

function savedNodes(nodes: readonly Node[], generation: number): SavedNode[] {
  const positions = new Map<Node, number>();
  return nodes.map((node, at) => {
    const { key, place, id } = node;
    const saved = { key, place: place.index, id };
    if (node.parent !== undefined) return { ...saved, root: positions.get(rootOf(node)) };
    positions.set(node, at);
    const unseen = Math.min(generation - node.seen, GENERATIONS_MAX);
    const known = { ...saved, columns: node.columns, kinds: [...node.kinds] };
    return unseen > 0 ? { ...known, unseen } : known;
  });
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
  const indexes = new Set(places.map((place) => place.index));
  const names = new Set(places.map(({ service, logger }) => JSON.stringify([service, logger])));
  if (indexes.size < places.length || names.size < places.length) {
    throw refused("it names a place twice", "places");
  }
  const wrong = nodes.findIndex(
    ({ place, root }, at) =>
      !indexes.has(place) || (root !== undefined && isNoRoot(nodes, root, at)),
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
