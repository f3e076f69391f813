/** Services and places as they begin, and what is taken out of a place when templates are forgotten. */
import type { Node, Place, Service } from "./node.ts";

export function newService(): Service {
  return { templates: 0, nodes: 0, places: new Map() };
}

export function newPlace(
  index: number,
  service: string,
  logger: string | undefined,
  owner: Service,
): Place {
  return { index, service, logger, owner, size: 0, patterns: new Map(), nodes: new Map() };
}

/** How many columns the templates of each place have. */
export function columnCounts(nodes: readonly Node[]): Map<Place, Set<number>> {
  const counts = new Map<Place, Set<number>>();
  for (const { place, kinds, parent } of nodes) {
    if (parent !== undefined) continue;
    const all = counts.get(place) ?? new Set();
    counts.set(place, all.add(kinds.length));
  }
  return counts;
}

/** Takes out nodes that are gone, and what varies in statements of a length that no other has. */
export function tidy(
  place: Place,
  isKept: (node: Node) => boolean,
  counts: ReadonlySet<number> | undefined,
): void {
  for (const [count, nodes] of place.nodes) {
    const kept = nodes.filter(isKept);
    if (kept.length > 0) place.nodes.set(count, kept);
    else place.nodes.delete(count);
  }
  for (const count of place.patterns.keys()) {
    const isUsed = counts?.has(count) === true || place.nodes.has(count);
    if (!isUsed) place.patterns.delete(count);
  }
}
