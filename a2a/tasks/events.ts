/** A task's events for one who watches: every one once, in order, from this replica or from the log. */
import type { StreamResponse } from "@a2a-js/sdk";
import { isTerminalState } from "./fold.ts";
import type { TaskLog, TaskPlace } from "./log.ts";
import type { StoredRecord } from "./record.ts";
import type { NumberedEvent, TaskWriter } from "./writer.ts";

export interface EventSource {
  readonly log: TaskLog;
  readonly place: TaskPlace;
  /** Where it is run here. */
  readonly writer?: TaskWriter | undefined;
  /** Sequence of the record up to which nothing is missing. */
  readonly seq: number;
  /** Number of the last event the watcher has seen. */
  readonly event: number;
}

/** Events with greater numbers, until the task has ended or `signal` aborts. */
export async function* eventsAfter(
  source: EventSource,
  signal: AbortSignal,
): AsyncGenerator<NumberedEvent, void, undefined> {
  let { event, seq } = source;
  const { writer, log, place } = source;
  while (writer && !signal.aborted) {
    const kept = writer.after(event);
    // It fell so far behind that the log has to help out.
    const missing = kept ?? log.read(place, seq, writer.seq);
    const through = writer.seq;
    for await (const one of kept ?? numbered(missing as AsyncIterable<StoredRecord>, event)) {
      event = one.event;
      yield one;
      if (isLast(one.response)) return;
    }
    seq = kept ? seq : through;
    if (writer.after(event)?.length !== 0) continue;
    if (writer.isOver) break;
    await writer.change(signal);
  }
  if (signal.aborted) return;
  for await (const one of numbered(log.follow(place, seq, signal), event)) {
    yield one;
    if (isLast(one.response)) return;
  }
}

/** The events of records with numbers greater than `after`. */
async function* numbered(
  records: AsyncIterable<StoredRecord>,
  after: number,
): AsyncGenerator<NumberedEvent, void, undefined> {
  for await (const { first, entries } of records) {
    let event = first;
    for (const entry of entries) {
      if (!("event" in entry)) continue;
      if (event > after) yield { event, response: entry.event };
      event++;
    }
  }
}

/** Nothing follows it: a plain answer, or the task's end. */
export function isLast({ payload }: StreamResponse): boolean {
  if (payload?.$case === "message") return true;
  const ends = payload?.$case === "statusUpdate" || payload?.$case === "task";
  return ends && isTerminalState(payload.value.status?.state);
}
