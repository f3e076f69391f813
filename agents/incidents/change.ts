/** Writes a change into a head, for whoever sees to it. Pure. */
import { type Head, PENDING_MAX, type Pending } from "./book.ts";
import type { ChangeKind } from "./record.ts";
import type { Circumstances } from "./rules.ts";
import type { WindowText } from "./times.ts";

export interface News {
  readonly kind: ChangeKind;
  readonly text: string;
  readonly isTold?: boolean;
  readonly by?: string;
}

/** What brought a change: a window, or a person. */
export interface Occasion {
  readonly at: string;
  readonly investigation?: string;
  readonly window?: WindowText;
}

const TEXT_CHARS_MAX = 1_000;

/** The head with one change more. Where too many wait already, the oldest that nobody is told of goes. */
export function changed(
  head: Head,
  { at, investigation, window }: Occasion,
  { owner }: Pick<Circumstances, "owner">,
  { kind, text, isTold = false, by }: News,
): Head {
  const seq = head.seq + 1;
  const change: Pending = {
    seq,
    kind,
    at,
    text: text.slice(0, TEXT_CHARS_MAX),
    ...(investigation === undefined ? {} : { investigation }),
    ...(window === undefined ? {} : { window: { ...window } }),
    ...(by === undefined ? {} : { by: by.slice(0, 200) }),
    isTold,
    // Whoever still has some to do does this one too: sinks hear of changes in their order.
    owner: head.pending[0]?.owner ?? owner,
  };
  return { ...head, seq, updatedAt: at, pending: roomFor([...head.pending, change]) };
}

function roomFor(pending: readonly Pending[]): Pending[] {
  if (pending.length <= PENDING_MAX) return [...pending];
  const untold = pending.findIndex(({ isTold }) => !isTold);
  const spare = untold === -1 ? pending.findIndex(({ kind }) => kind === "updated") : untold;
  return pending.filter((_, at) => at !== (spare === -1 ? 0 : spare));
}
