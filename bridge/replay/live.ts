/**
 * A task as the mesh has it now, beside the one from the audit.
 *
 * The task's own log is compared, not the answer of GetTask: an agent shows a task to nobody but its
 * caller, and to see every task by asking, an auditor would have to be every caller. The log is what
 * every replica answers from. Its events bear the numbers that the audit's bear, so that a task that
 * still runs is compared at the same event on both sides.
 */
import { Task, TaskState } from "@a2a-js/sdk";
import { type FoundTask, isTerminal } from "../../a2a/mod.ts";
import type { Redactor } from "../../core/mod.ts";
import { type Diff, type Difference, diffJson } from "./diff.ts";
import { envelopeOf, kindOf, type TrailEntry } from "./entry.ts";
import { foldTask, type TaskState as Replayed } from "./fold.ts";

export { type FoundTask as LiveTask, findTask as readLive } from "../../a2a/mod.ts";

export interface Comparison extends Diff {
  /** Number of the event after which the live task is compared. */
  readonly atEvent: number;
  /** True when it has not ended: both are compared after an event that both have. */
  readonly isRunning: boolean;
}

/**
 * Compares the task of the audit with the one of its log, which has to be read after the audit: an event
 * is reported once it is stored, so the log is never behind. Where it is, `lastEvent` is among the
 * differences. The log's task is redacted first as the audit was: a secret that was taken out of the one
 * is not to be found, nor shown, in the other.
 */
export function compareLive(
  entries: readonly TrailEntry[],
  replayed: Replayed,
  live: FoundTask,
  redactor: Redactor,
): Comparison {
  const isRunning = live.task !== undefined && !isTerminal(live.task);
  const isNumbered = replayed.basis === "events";
  const isCut = isRunning && isNumbered;
  const atEvent = isCut ? Math.min(replayed.lastEvent, live.lastEvent) : live.lastEvent;
  const ours = isCut ? replayedAt(entries, replayed, atEvent) : replayed.task;
  const diff = diffJson(ours && taskJson(ours), redacted(live.at(atEvent), redactor));
  const differences = isNumbered
    ? [...numbers(replayed, live, isRunning), ...diff.differences]
    : diff.differences;
  return { differences, leftOut: diff.leftOut, atEvent, isRunning };
}

/** The task as A2A writes it in JSON. */
export function taskJson(task: Task): unknown {
  return JSON.parse(JSON.stringify(Task.toJSON(task)));
}

/** The state of a task in a word, such as `completed`. */
export function stateWord(task: Task | undefined): string {
  const state = task?.status?.state;
  if (state === undefined) return "unknown";
  const name: string | undefined = TaskState[state];
  return (name ?? "unrecognized").replace(/^TASK_STATE_/, "").toLowerCase();
}

function redacted(task: Task | undefined, redactor: Redactor): unknown {
  return task && JSON.parse(redactor.redactJson(JSON.stringify(Task.toJSON(task))));
}

/** The task of the audit as it was after an event. */
function replayedAt(entries: readonly TrailEntry[], replayed: Replayed, event: number) {
  if (event >= replayed.lastEvent) return replayed.task;
  const { taskId } = replayed;
  const isLater = (entry: TrailEntry) => {
    const { taskid } = entry.event.extensions;
    return kindOf(entry) === "task" && taskid === taskId && numberOf(entry) > event;
  };
  return foldTask(
    entries.filter((entry) => !isLater(entry)),
    taskId,
  ).task;
}

/** Events that one side has and the other should have. */
function numbers(replayed: Replayed, live: FoundTask, isRunning: boolean): Difference[] {
  const [ours, theirs] = [replayed.lastEvent, live.lastEvent];
  const isSame = isRunning ? ours <= theirs : ours === theirs;
  return isSame ? [] : [{ path: "lastEvent", ours, theirs }];
}

/** `<taskId>.e<n>`: n. */
function numberOf(entry: TrailEntry): number {
  return Number(/\.e(\d{1,15})$/.exec(envelopeOf(entry) ?? "")?.[1] ?? 0);
}
