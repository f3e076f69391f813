/** A task as the log has it, on whatever replica: its last record alone, or its snapshot and the rest. */
import { apply, emptyFold, type Folded } from "./fold.ts";
import type { TaskLog, TaskPlace } from "./log.ts";
import type { OpenTasks } from "./open.ts";
import type { StoredRecord } from "./record.ts";

export interface Loaded {
  readonly folded: Folded;
  /** Sequence of the last record. */
  readonly seq: number;
  /** The replica that wrote it, and runs the task if it still runs. */
  readonly instance: string;
}

/** Undefined where there is no such task. Throws UNAVAILABLE, or PROTOCOL_VIOLATION for a broken log. */
export async function loadTask(
  log: TaskLog,
  open: OpenTasks,
  place: TaskPlace,
): Promise<Loaded | undefined> {
  const last = await log.last(place);
  if (!last) return undefined;
  const { seq, owner: instance } = last;
  if (last.first <= 1 && last.entries.some((entry) => "turn" in entry)) {
    const folded = emptyFold();
    for (const entry of last.entries) apply(folded, entry);
    return { folded, seq, instance };
  }
  const snapshot = await open.snapshot(place);
  const isUsable = snapshot !== undefined && snapshot.seq <= seq;
  const folded = isUsable ? snapshot.folded : emptyFold();
  for await (const record of log.read(place, isUsable ? snapshot.seq : 0, seq)) {
    const isHeadless = record.first > 1 && !folded.task && !startsWithTask(record);
    // The task's beginning has expired: there is no such task any more.
    if (isHeadless) return undefined;
    // Where records have expired the numbers go on all the same.
    folded.event = record.first - 1;
    for (const entry of record.entries) apply(folded, entry);
  }
  return { folded, seq, instance };
}

function startsWithTask({ entries }: StoredRecord): boolean {
  const [first] = entries.filter((entry) => "event" in entry);
  return first !== undefined && first.event.payload?.$case === "task";
}
