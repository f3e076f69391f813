/**
 * Counts envelopes and finds those that only one end reported. Two reports meet by envelope id; a pair
 * is closed once it is whole, so memory holds what is still open, and the ids of the last pairs: a copy of
 * a pack is no new envelope.
 */
import type { AuditEntry } from "./reader.ts";

export interface Tally {
  /** Distinct envelopes seen. */
  readonly envelopes: number;
  /** Envelopes reported by one end only. */
  readonly halfReported: number;
  readonly malformedPacks: number;
  /** At most {@link NAMED_MAX} ids of half-reported envelopes, `<side>:<id>`. */
  readonly examples: readonly string[];
}

const NAMED_MAX = 10;
/** Copies of a pack come soon after it, or not at all. */
const CLOSED_MAX = 100_000;

export async function tallyAudit(entries: AsyncIterable<AuditEntry>): Promise<Tally> {
  const open = new Map<string, string>();
  const closed = new Set<string>();
  let envelopes = 0;
  let malformedPacks = 0;
  for await (const entry of entries) {
    if (entry.kind === "malformed") {
      malformedPacks++;
      continue;
    }
    const { id, side, kind } = entry.record;
    if (closed.has(id)) continue;
    const other = open.get(id);
    if (kind === "task" || kind === "alarm") {
      // Its agent alone reports it.
      envelopes++;
      close(closed, id);
    } else if (other === undefined) {
      open.set(id, side);
      envelopes++;
    } else if (other !== side) {
      open.delete(id);
      close(closed, id);
    }
  }
  const examples = [...open].slice(0, NAMED_MAX).map(([id, side]) => `${side}:${id}`);
  return { envelopes, halfReported: open.size, malformedPacks, examples };
}

function close(closed: Set<string>, id: string): void {
  closed.add(id);
  if (closed.size > CLOSED_MAX) for (const oldest of closed.keys().take(1)) closed.delete(oldest);
}
