/**
 * A task this process runs: its state, folded event by event without copying, and its watchers.
 * A watcher that goes away never touches the task; a slow one misses progress, nothing else.
 */
import {
  type Artifact,
  type Message,
  Role,
  type StreamResponse,
  type Task,
  TaskState,
  type TaskStatus,
} from "@a2a-js/sdk";
import { type Clock, newId } from "../../core/mod.ts";

const TERMINAL: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
]);

export function isTerminal(task: Task): boolean {
  return task.status !== undefined && TERMINAL.has(task.status.state);
}

/** A progress event waits here at most; the states and artifacts of a task are always delivered. */
const WATCHER_EVENTS_MAX = 256;

type Event = NonNullable<StreamResponse["payload"]>;

/**
 * Told of every change of a task before anybody else is, and before it is stored. `n` counts the
 * changes made by the replica that runs the task: 1, 2, 3 … without holes.
 */
export type TaskListener = (task: Task, n: number, event: StreamResponse) => void;

class Watcher {
  readonly #events: Event[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  push(event: Event, droppable: boolean): void {
    if (droppable && this.#events.length >= WATCHER_EVENTS_MAX) return;
    this.#events.push(event);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *events(): AsyncGenerator<StreamResponse, void, undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event) yield { payload: event };
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** An agent's own message, for statuses and plain answers. */
export function agentMessage(
  ids: { taskId: string; contextId: string },
  parts: Message["parts"],
): Message {
  return {
    messageId: newId(),
    contextId: ids.contextId,
    taskId: ids.taskId,
    role: Role.ROLE_AGENT,
    parts,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  };
}

export function textPart(text: string): Message["parts"][number] {
  const content = { $case: "text", value: text } as const;
  return { content, metadata: undefined, filename: "", mediaType: "text/plain" };
}

export function dataPart(data: unknown): Message["parts"][number] {
  const content = { $case: "data", value: data } as const;
  return { content, metadata: undefined, filename: "", mediaType: "application/json" };
}

export class LiveTask {
  readonly task: Task;
  readonly caller: string;
  readonly abort = new AbortController();
  /** Of its first snapshot in KV. */
  revision = 0;
  /** Resolves with the task once it is terminal. Never rejects. */
  readonly ended: Promise<Task>;
  readonly #watchers = new Set<Watcher>();
  readonly #clock: Clock;
  readonly #listener: TaskListener;
  #events = 0;
  /** Set once it is known how the task ends, before that is stored. */
  #last: TaskStatus | undefined;
  #end: (task: Task) => void = () => {};

  constructor(options: {
    message: Message;
    caller: string;
    clock: Clock;
    listener: TaskListener;
  }) {
    this.#clock = options.clock;
    this.#listener = options.listener;
    this.caller = options.caller;
    const id = newId();
    const contextId = options.message.contextId || newId();
    this.task = {
      id,
      contextId,
      status: { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: this.#now() },
      artifacts: [],
      history: [{ ...options.message, taskId: id, contextId }],
      metadata: undefined,
    };
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#tell({ $case: "task", value: this.task });
  }

  /** The task as it is now, then every later event, until it is terminal. */
  watch(): AsyncGenerator<StreamResponse, void, undefined> {
    const watcher = new Watcher();
    watcher.push(
      { $case: "task", value: { ...this.task, artifacts: [...this.task.artifacts] } },
      false,
    );
    if (isTerminal(this.task)) watcher.end();
    else this.#watchers.add(watcher);
    return watcher.events();
  }

  progress(text: string, data?: Record<string, unknown>): void {
    if (this.#last) return;
    const parts = data ? [textPart(text), dataPart(data)] : [textPart(text)];
    this.task.status = this.status(TaskState.TASK_STATE_WORKING, parts);
    const event = this.#statusUpdate(this.task.status);
    this.#tell(event);
    for (const watcher of this.#watchers) watcher.push(event, true);
  }

  addArtifact(name: string, data: Record<string, unknown>): void {
    if (this.#last) return;
    const artifact: Artifact = {
      artifactId: newId(),
      name,
      description: "",
      parts: [dataPart(data)],
      metadata: undefined,
      extensions: [],
    };
    this.task.artifacts.push(artifact);
    const value = { ...this.#ids(), artifact, append: false, lastChunk: true, metadata: undefined };
    const event = { $case: "artifactUpdate", value } as const;
    this.#tell(event);
    for (const watcher of this.#watchers) watcher.push(event, false);
  }

  /** The status this task would have now, with a word from the agent. */
  status(state: TaskState, parts: Message["parts"]): TaskStatus {
    return { state, message: agentMessage(this.#ids(), parts), timestamp: this.#now() };
  }

  /**
   * Takes the status the task ends with, once; later progress and artifacts are nobody's. The listener
   * is told now; everybody else by {@link finish}, when it is stored.
   */
  end(status: TaskStatus): void {
    if (this.#last) return;
    this.#last = status;
    this.#tell(this.#statusUpdate(status));
  }

  /** Tells everybody how it ended. */
  finish(): void {
    if (!this.#last || isTerminal(this.task)) return;
    this.task.status = this.#last;
    const event = this.#statusUpdate(this.#last);
    for (const watcher of this.#watchers) {
      watcher.push(event, false);
      watcher.end();
    }
    this.#watchers.clear();
    this.#end(this.task);
  }

  #statusUpdate(status: TaskStatus): Event {
    return { $case: "statusUpdate", value: { ...this.#ids(), status, metadata: undefined } };
  }

  #tell(event: Event): void {
    this.#listener(this.task, ++this.#events, { payload: event });
  }

  #ids(): { taskId: string; contextId: string } {
    return { taskId: this.task.id, contextId: this.task.contextId };
  }

  #now(): string {
    return new Date(this.#clock.nowMs()).toISOString();
  }
}
