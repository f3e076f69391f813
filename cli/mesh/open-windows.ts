/**
 * The investigations that have no verdict yet, from the SRE agents' own records. A user who may not read
 * those gets the server's refusal, not an empty list.
 */
import { z } from "zod";
import type { Mesh } from "../../a2a/mod.ts";
import { INVESTIGATIONS_BUCKET } from "../../agents/mod.ts";
import { asPetrelError, unlessAborted } from "../../core/mod.ts";
import type { PendingWork } from "../../mcp/mod.ts";

/** What is read of a record; the rest is the SRE agents'. */
const Open = z.object({
  id: z.string().max(128),
  window: z.object({ start: z.string().max(40), end: z.string().max(40) }),
  state: z.string(),
  openedAt: z.string().max(40),
});

const READ_MS = 10_000;
/** Records that changed last; one that is open does not stay untouched for long. */
const READ_MAX = 500;
const READ_AT_ONCE = 50;
const SHOWN_MAX = 200;

/** In the order of their last change. Rejects with the server's refusal, or DEADLINE_EXCEEDED. */
export async function openWindows(
  mesh: Mesh,
  signal: AbortSignal,
): Promise<PendingWork["windows"]> {
  const late = AbortSignal.timeout(READ_MS);
  try {
    return await unlessAborted(read(mesh), AbortSignal.any([signal, late]));
  } catch (error) {
    signal.throwIfAborted();
    throw asPetrelError(error, "UNAVAILABLE", "the SRE agents' records");
  }
}

async function read(mesh: Mesh): Promise<PendingWork["windows"]> {
  const kv = await mesh.kvm.open(INVESTIGATIONS_BUCKET);
  const keys = (await Array.fromAsync(await kv.keys("task.*"))).slice(-READ_MAX);
  const open: PendingWork["windows"] = [];
  for (let at = 0; at < keys.length; at += READ_AT_ONCE) {
    const entries = await Promise.all(keys.slice(at, at + READ_AT_ONCE).map((key) => kv.get(key)));
    for (const entry of entries) {
      const parsed = Open.safeParse(
        entry?.operation === "PUT" ? jsonOf(entry.string()) : undefined,
      );
      if (!parsed.success || parsed.data.state !== "open") continue;
      const { id, window, openedAt } = parsed.data;
      open.push({ id, window: { start: window.start, end: window.end }, openedAt });
    }
  }
  return open.slice(-SHOWN_MAX);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
