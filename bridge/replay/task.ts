/**
 * A2A's Task as its events make it: the semantics of A2A 1.0 section 4.2, applied to a task that
 * only this fold owns.
 */
import {
  type Artifact,
  type Message,
  type StreamResponse,
  Task,
  TaskState,
  type TaskStatus,
} from "@a2a-js/sdk";

export type Payload = NonNullable<StreamResponse["payload"]>;

const TERMINAL: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
]);

/** A task on its way through its events. */
export class TaskBuild {
  task: Task | undefined;
  /** Artifacts whose last chunk has not come. */
  readonly open: Set<string>;

  constructor(task?: Task, open: Iterable<string> = []) {
    this.task = task;
    this.open = new Set(open);
  }

  /** A copy that shares nothing that {@link apply} changes. */
  copy(): TaskBuild {
    const { task } = this;
    const artifacts = task?.artifacts.map((one) => ({ ...one, parts: [...one.parts] }));
    return new TaskBuild(
      task && { ...task, artifacts: artifacts ?? [], history: [...task.history] },
      this.open,
    );
  }

  /** Applies what a task said of itself. Returns what is odd about it, if anything is. */
  apply(payload: Payload): string | undefined {
    switch (payload.$case) {
      case "task":
        return this.replace(payload.value, false);
      case "message":
        return this.addMessage(payload.value);
      case "statusUpdate": {
        const { taskId, contextId, status, metadata } = payload.value;
        const task = this.#begun(taskId, contextId);
        task.metadata = merged(task.metadata, metadata);
        return status ? setStatus(task, status) : "a status update without a status";
      }
      case "artifactUpdate": {
        const { taskId, contextId, artifact, append, lastChunk, metadata } = payload.value;
        const task = this.#begun(taskId, contextId);
        task.metadata = merged(task.metadata, metadata);
        if (!artifact) return "an artifact update without an artifact";
        return this.#putArtifact(task, artifact, append, lastChunk);
      }
      default:
        payload satisfies never;
        return "an event of no known kind";
    }
  }

  /**
   * Takes a whole task. `isPartial`: it is an answer, whose history may have been cut as the caller
   * wished; messages that are known stay.
   */
  replace(task: Task, isPartial: boolean): string | undefined {
    const { task: known } = this;
    const own = ownCopy(task);
    this.open.clear();
    this.task = own;
    if (!known) return undefined;
    if (isPartial) own.history = joined(known.history, own.history);
    const { status } = own;
    if (!known.status || !status) {
      own.status ??= known.status;
      return undefined;
    }
    own.status = known.status;
    return setStatus(own, status);
  }

  /** A message that was sent to the task, or that it sent; one that is known changes nothing. */
  addMessage(message: Message): undefined {
    const task = this.#begun(message.taskId, message.contextId);
    task.history = joined(task.history, [message]);
  }

  #begun(taskId: string, contextId: string): Task {
    this.task ??= Task.fromJSON({ id: taskId, contextId });
    if (this.task.contextId === "") this.task.contextId = contextId;
    return this.task;
  }

  #putArtifact(
    task: Task,
    artifact: Artifact,
    append: boolean,
    lastChunk: boolean,
  ): string | undefined {
    const { artifactId: id } = artifact;
    const at = task.artifacts.findIndex((one) => one.artifactId === id);
    const known = task.artifacts[at];
    const wasOpen = this.open.delete(id);
    if (!lastChunk) this.open.add(id);
    if (!known) {
      task.artifacts.push({ ...artifact, parts: [...artifact.parts] });
      return append ? `artifact ${id}: a chunk to append, and nothing to append it to` : undefined;
    }
    if (!append) {
      task.artifacts[at] = { ...artifact, parts: [...artifact.parts] };
      return undefined;
    }
    for (const part of artifact.parts) known.parts.push(part);
    if (artifact.name) known.name = artifact.name;
    if (artifact.description) known.description = artifact.description;
    known.metadata = merged(known.metadata, artifact.metadata);
    return wasOpen ? undefined : `artifact ${id}: a chunk after its last one`;
  }
}

/** A status that ends a task is its last (A2A 1.0 section 4.1.3): what comes later is odd, and changes nothing. */
function setStatus(task: Task, status: TaskStatus): string | undefined {
  const before = task.status?.state;
  if (before !== undefined && TERMINAL.has(before)) {
    const isSame = before === status.state;
    return isSame ? undefined : "a status after the end of the task";
  }
  task.status = status;
  return undefined;
}

function joined(known: readonly Message[], more: readonly Message[]): Message[] {
  const ids = new Set(known.map(({ messageId }) => messageId));
  return [...known, ...more.filter(({ messageId }) => !ids.has(messageId))];
}

function merged<T extends Record<string, unknown> | undefined>(known: T, more: T): T {
  return more === undefined ? known : { ...known, ...more };
}

function ownCopy(task: Task): Task {
  const artifacts = task.artifacts.map((one) => ({ ...one, parts: [...one.parts] }));
  return { ...task, artifacts, history: [...task.history] };
}
