/** A task's events for one who watches: every one once, in order, from this replica or from the log. */
import { type StreamResponse, taskStateFromJSON } from "@a2a-js/sdk";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import { isInterruptedState, isTerminalState } from "./fold.ts";
import type { TaskLog, TaskPlace } from "./log.ts";
import { ANSWERED_BY_MESSAGE, type StoredRecord } from "./record.ts";
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
  const { writer, log, place, seq } = source;
  let { event } = source;
  if (writer) {
    for await (const one of fromWriter(source, writer, signal)) {
      event = one.event;
      yield one;
      if (isLast(one.response)) return;
    }
  }
  if (signal.aborted || (await hasEndedBy(log, place, event))) return;
  for await (const one of numbered(log.follow(place, seq, signal), event)) {
    yield one;
    if (isLast(one.response)) return;
  }
}

/** Whether the event was the last there will be: whoever has it waits for nothing. */
async function hasEndedBy(log: TaskLog, place: TaskPlace, event: number): Promise<boolean> {
  if (event === 0) return false;
  const last = await log.last(place);
  if (!last || last.last > event) return false;
  return last.state === ANSWERED_BY_MESSAGE || isTerminalState(taskStateFromJSON(last.state));
}

/** As long as the task is run here, as it is stored. */
async function* fromWriter(
  { event: seen, seq, log, place }: EventSource,
  writer: TaskWriter,
  signal: AbortSignal,
): AsyncGenerator<NumberedEvent, void, undefined> {
  let event = seen;
  while (!signal.aborted) {
    // Who fell so far behind that the writer does not keep it any more, gets it from the log.
    const next = writer.after(event) ?? numbered(log.read(place, seq, writer.seq), event);
    for await (const one of next) {
      event = one.event;
      yield one;
    }
    if (writer.after(event)?.length !== 0) continue;
    if (writer.isOver) return;
    await writer.change(signal);
  }
}

/**
 * As {@link eventsAfter}, for somebody who knows only that there is such a task. Throws TaskNotFound when
 * there is none.
 */
export async function* followTask(
  source: Pick<EventSource, "log" | "place" | "writer">,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<NumberedEvent, void, undefined> {
  const { log, place, writer } = source;
  if (!writer && !(await log.last(place))) {
    throw new TaskNotFoundError(`Task not found: ${place.taskId}`);
  }
  yield* eventsAfter({ ...source, seq: 0, event: after }, signal);
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

/** After it a turn does nothing more: the task has ended, or waits for its caller. */
export function isRest(response: StreamResponse): boolean {
  const { payload } = response;
  if (payload?.$case === "message") return true;
  if (payload?.$case !== "statusUpdate" && payload?.$case !== "task") return false;
  const state = payload.value.status?.state;
  return isTerminalState(state) || isInterruptedState(state);
}

/** Nothing follows it: a plain answer, or the task's end. */
export function isLast({ payload }: StreamResponse): boolean {
  if (payload?.$case === "message") return true;
  const ends = payload?.$case === "statusUpdate" || payload?.$case === "task";
  return ends && isTerminalState(payload.value.status?.state);
}
