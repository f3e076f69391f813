/**
 * A task as the mesh has it now, beside the one from the log.
 *
 * The snapshot in KV is compared, not the answer of GetTask: an agent shows a task to nobody but its
 * caller, and to see every task by asking, an auditor would have to be every caller. The snapshot is what
 * any replica answers from; it is written when a task begins and when it ends, so a task that runs is
 * compared as it was when it began.
 */
import { Task, TaskState } from "@a2a-js/sdk";
import type { KV } from "@nats-io/kv";
import { z } from "zod";
import { isTerminal } from "../../a2a/mod.ts";
import { isSubjectToken, messageOf, PetrelError, type Redactor } from "../../core/mod.ts";
import { type Diff, diffJson } from "./diff.ts";
import type { TrailEntry } from "./entry.ts";
import { foldTask, type TaskState as Replayed } from "./fold.ts";

/** The bucket of the snapshots: docs/binding-nats.md. */
export const TASKS_BUCKET = "A2A_TASKS";

export interface LiveTask {
  readonly task: Task;
  readonly caller: string;
  /** The replica that runs it, or ran it. */
  readonly instance: string;
}

const Stored = z.object({ task: z.unknown(), caller: z.string(), instance: z.string() });

/** The snapshot of a task; undefined when there is none (any more). Throws PROTOCOL_VIOLATION for another thing. */
export async function readLive(
  kv: KV,
  agent: string,
  taskId: string,
): Promise<LiveTask | undefined> {
  if (!isSubjectToken(agent) || !isSubjectToken(taskId)) return undefined;
  const key = `${agent}.${taskId}`;
  const entry = await kv.get(key);
  if (entry?.operation !== "PUT") return undefined;
  try {
    const { task, caller, instance } = Stored.parse(entry.json());
    return { task: Task.fromJSON(task), caller, instance };
  } catch (error) {
    throw new PetrelError(
      "PROTOCOL_VIOLATION",
      `${TASKS_BUCKET}: ${key}: ${messageOf(error)}`,
      { place: key },
      error,
    );
  }
}

export interface Comparison extends Diff {
  /** True when it still runs, and both were compared as they were when it began. */
  readonly isRunning: boolean;
}

/**
 * Compares the task of a log with its snapshot, which is redacted first as the log was: a secret that was
 * taken out of the one is not to be found, nor shown, in the other.
 */
export function compareLive(
  entries: readonly TrailEntry[],
  replayed: Replayed,
  live: LiveTask,
  redactor: Redactor,
): Comparison {
  const isRunning = !isTerminal(live.task);
  const ours = isRunning ? asBegun(entries, replayed) : replayed.task;
  const theirs = Task.fromJSON(
    JSON.parse(redactor.redactJson(JSON.stringify(Task.toJSON(live.task)))),
  );
  return { ...diffJson(ours && taskJson(ours), taskJson(theirs)), isRunning };
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

/** The first state of a task: what the replica that runs it stored of it. */
function asBegun(entries: readonly TrailEntry[], { taskId, basis, task }: Replayed) {
  if (basis !== "events") return task;
  const first = entries.find(({ event }) => event.extensions.envelopeid === `${taskId}.e1`);
  return first ? foldTask([first], taskId).task : task;
}
