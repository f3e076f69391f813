/** Which incident a sign belongs to. Pure; the rules are told in docs/incidents.md. */

import type { Head } from "./book.ts";
import type { LifeRules } from "./rules.ts";
import type { Sighting, Sign } from "./sighting.ts";
import { windowMsOf } from "./times.ts";

/** As far apart an incident that is open is the same when its cause shows again: nobody saw its end. */
const UNSEEN_MS = 86_400_000;
/** Less than this many windows apart, an incident that is not known to be over is the same. */
const GAP_WINDOWS = 2;

/**
 * The head that `sign` is about: the same cause first, then the same service, then an incident that one
 * of the two explains the other of. Undefined when it is something new.
 */
export function headOf(
  heads: readonly Head[],
  sign: Sign,
  sighting: Sighting,
  rules: LifeRules,
): Head | undefined {
  const near = heads.filter(
    (head) =>
      head.state !== "closed" &&
      head.kind === sign.kind &&
      isNear(head, sighting, rules.reopenWithinMs),
  );
  const same = latest(near.filter(({ fingerprint }) => fingerprint === sign.fingerprint));
  if (same || sign.kind !== "fault") return same;
  const going = near.filter((head) => isGoing(head, sighting, rules));
  return (
    latest(going.filter(({ service }) => service === sign.service)) ??
    latest(going.filter((head) => isRelated(head, sign)))
  );
}

/** One of the two causes is among those the other one names. */
function isRelated(head: Head, sign: Sign): boolean {
  return sign.services.includes(head.service) || head.services.includes(sign.service);
}

/** No further than `withinMs` after the incident was over, or before it first was there. */
function isNear(head: Head, { window }: Sighting, withinMs: number): boolean {
  const { startMs, endMs } = windowMsOf(window);
  const { resolvedAt, lastWindow, firstWindow } = head;
  const sinceMs = startMs - Date.parse(resolvedAt ?? lastWindow.end);
  const isOver = sinceMs > (resolvedAt === undefined ? Math.max(withinMs, UNSEEN_MS) : withinMs);
  return !isOver && Date.parse(firstWindow.start) - endMs <= withinMs;
}

/**
 * Whether it is known to be going on: another cause than the one it was told with joins it only while it
 * is, for after a pause it is likelier to be another fault.
 */
function isGoing(head: Head, { window }: Sighting, { resolveAfterWindows }: LifeRules): boolean {
  if (head.state !== "open" && head.state !== "pending") return false;
  const { startMs, endMs } = windowMsOf(window);
  const gapMs = startMs - Date.parse(head.lastWindow.end);
  return gapMs <= GAP_WINDOWS * resolveAfterWindows * (endMs - startMs);
}

function latest(heads: readonly Head[]): Head | undefined {
  return heads.reduce<Head | undefined>(
    (best, head) =>
      best && Date.parse(best.lastWindow.end) >= Date.parse(head.lastWindow.end) ? best : head,
    undefined,
  );
}
