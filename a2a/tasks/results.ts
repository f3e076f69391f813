/** What the operations answer with: tasks as they are shown, and the errors A2A names for what cannot be. */
import type { Message, Task } from "@a2a-js/sdk";
import { A2AError, PushNotificationNotSupportedError, TaskNotFoundError } from "@a2a-js/sdk/errors";
import { formatTraceparent, PetrelError } from "../../core/mod.ts";
import type { CallInfo } from "../call.ts";
import { toA2AError } from "../errors.ts";
import { isAtRest, snapshotOf } from "./fold.ts";
import type { TaskPlace } from "./log.ts";
import type { TurnEntry } from "./record.ts";
import type { TaskWriter } from "./writer.ts";

/** A call, as the turn it begins remembers it. */
export function turnEntryOf(call: CallInfo): TurnEntry {
  const { caller, onBehalf, trace, shardKey, method, deadlineMs } = call;
  const traceparent = formatTraceparent(trace);
  return { caller, onBehalf, traceparent, shardKey, method, deadlineMs, attempt: 1 };
}

/** The task with at most so many of its last messages (A2A 1.0 section 3.2.4). */
export function withHistory(task: Task, historyLength: number | undefined): Task {
  if (historyLength === undefined) return task;
  return { ...task, history: historyLength > 0 ? task.history.slice(-historyLength) : [] };
}

/** What a turn that is over has brought; undefined where another replica's record stands instead. */
export function resultOf({ folded, lost }: TaskWriter): Message | Task | undefined {
  const { answer, task } = folded;
  if (answer) return answer;
  return task && (!lost || isAtRest(task)) ? snapshotOf(task) : undefined;
}

/** Also for a task of somebody else: nobody learns that there is one. */
export function notFound({ taskId }: TaskPlace): TaskNotFoundError {
  return new TaskNotFoundError(`Task not found: ${taskId.slice(0, 128)}`);
}

export function notPushed(): PushNotificationNotSupportedError {
  return new PushNotificationNotSupportedError("the agent sends no push notifications");
}

export function shuttingDown(): A2AError {
  return toA2AError(new PetrelError("UNAVAILABLE", "the agent is shutting down"));
}

export function tooLate({ taskId }: TaskPlace): A2AError {
  const message = "the task did not come to rest in time";
  return toA2AError(new PetrelError("DEADLINE_EXCEEDED", message, { taskId }));
}

/** Whether a log is no log: nobody will read it before it expires. */
export function isBroken(error: unknown): boolean {
  const cause = error instanceof A2AError ? error.cause : error;
  return cause instanceof PetrelError && cause.code === "PROTOCOL_VIOLATION";
}

/** For `catch`: whatever was thrown, as what A2A's layer carries to the other end. */
export function rethrown(error: unknown): never {
  throw toA2AError(error);
}
