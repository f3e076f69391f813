/**
 * A2A's operations for one agent: the SDK's request-handler interface over live tasks and KV
 * snapshots. What is not served yet answers UnsupportedOperation (A2A 1.0 section 3.3.2).
 */
import {
  type AgentCard,
  type CancelTaskRequest,
  type GetTaskRequest,
  type Message,
  type SendMessageRequest,
  type StreamResponse,
  type Task,
  TaskState,
  type TaskStatus,
} from "@a2a-js/sdk";
import {
  RequestMalformedError,
  TaskNotCancelableError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from "@a2a-js/sdk/errors";
import type { A2ARequestHandler, ServerCallContext } from "@a2a-js/sdk/server";
import {
  type Clock,
  type Logger,
  limits,
  messageOf,
  newId,
  PetrelError,
  unlessAborted,
} from "../../core/mod.ts";
import type { AgentDefinition, Turn, TurnResult } from "../agent.ts";
import type { CallInfo } from "../call.ts";
import { toA2AError } from "../errors.ts";
import { agentMessage, dataPart, isTerminal, LiveTask, textPart } from "./live.ts";
import type { TaskSnapshot, TaskStore } from "./store.ts";

const STORE_ATTEMPTS = 3;

/** The call's identity, deadline and trace, from the server to the handler beside the SDK's context. */
const calls = new WeakMap<ServerCallContext, CallInfo>();

export function attachCall(context: ServerCallContext, call: CallInfo): void {
  calls.set(context, call);
}

export interface HandlerOptions {
  readonly agent: AgentDefinition;
  readonly card: AgentCard;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly runningMax?: number;
  /**
   * Told of every change of every task, before anybody else is. `n` counts a task's changes from 1; it
   * is 0 for the end another replica gave a task whose own is gone, which nobody can have counted.
   */
  readonly onEvent: (taskId: string, n: number, event: StreamResponse, call: CallInfo) => void;
  /** Asks the replica that runs a task to cancel it; false when that replica is gone. */
  readonly cancelElsewhere: (instance: string, taskId: string) => Promise<boolean>;
}

export class AgentHandler implements A2ARequestHandler {
  readonly #options: HandlerOptions;
  readonly #running = new Map<string, LiveTask>();

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running.size;
  }

  async getAgentCard(): Promise<AgentCard> {
    return this.#options.card;
  }

  async sendMessage(
    params: SendMessageRequest,
    context: ServerCallContext,
  ): Promise<Message | Task> {
    const call = callOf(context);
    const message = checkedMessage(params);
    if (this.#options.agent.messageOnly) return this.#answer(message, call);
    const live = await this.#admit(message, call);
    void this.#execute(live, message, call);
    if (params.configuration?.returnImmediately) return live.task;
    return live.ended;
  }

  async *sendMessageStream(
    params: SendMessageRequest,
    context: ServerCallContext,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const call = callOf(context);
    const message = checkedMessage(params);
    if (this.#options.agent.messageOnly) {
      yield { payload: { $case: "message", value: await this.#answer(message, call) } };
      return;
    }
    const live = await this.#admit(message, call);
    const events = live.watch();
    void this.#execute(live, message, call);
    yield* events;
  }

  async getTask(params: GetTaskRequest, context: ServerCallContext): Promise<Task> {
    const { caller } = callOf(context);
    const live = this.#running.get(params.id);
    const own = live?.caller === caller ? live.task : undefined;
    const task = own ?? (await this.#load(params.id, caller)).task;
    const { historyLength } = params;
    if (historyLength === undefined) return task;
    return { ...task, history: historyLength > 0 ? task.history.slice(-historyLength) : [] };
  }

  async cancelTask(params: CancelTaskRequest, context: ServerCallContext): Promise<Task> {
    const call = callOf(context);
    const { caller } = call;
    if (this.cancelHere(params.id, caller)) {
      return (await this.#running.get(params.id)?.ended) ?? this.#reload(params.id, caller);
    }
    const snapshot = await this.#load(params.id, caller);
    if (isTerminal(snapshot.task)) throw new TaskNotCancelableError(`Task ${params.id} has ended`);
    if (await this.#options.cancelElsewhere(snapshot.instance, params.id)) {
      return this.#reload(params.id, caller);
    }
    return this.#cancelOrphan(snapshot, call);
  }

  /** Cancels a task this replica runs; false when it does not run here (for this caller). */
  cancelHere(taskId: string, caller?: string): boolean {
    const live = this.#running.get(taskId);
    if (!live || (caller !== undefined && live.caller !== caller)) return false;
    live.abort.abort(new PetrelError("CANCELLED", "cancelled by its caller", { taskId }));
    return true;
  }

  /** Resolves when the task has ended and its last snapshot is stored. */
  async waitEnded(taskId: string): Promise<void> {
    await this.#running.get(taskId)?.ended;
  }

  /** Ends every running task as failed: this replica is going away. */
  async shutdown(): Promise<void> {
    const reason = new PetrelError("UNAVAILABLE", "the agent is shutting down");
    const running = [...this.#running.values()];
    for (const live of running) live.abort.abort(reason);
    await Promise.all(running.map((live) => live.ended));
  }

  listTasks(): Promise<never> {
    return unsupported("ListTasks");
  }
  resubscribe(): AsyncGenerator<StreamResponse, void, undefined> {
    throw new UnsupportedOperationError("SubscribeToTask is not served by this agent");
  }
  createTaskPushNotificationConfig(): Promise<never> {
    return unsupported("CreateTaskPushNotificationConfig");
  }
  getTaskPushNotificationConfig(): Promise<never> {
    return unsupported("GetTaskPushNotificationConfig");
  }
  listTaskPushNotificationConfigs(): Promise<never> {
    return unsupported("ListTaskPushNotificationConfigs");
  }
  deleteTaskPushNotificationConfig(): Promise<never> {
    return unsupported("DeleteTaskPushNotificationConfig");
  }
  getAuthenticatedExtendedAgentCard(): Promise<never> {
    return unsupported("GetExtendedAgentCard");
  }

  /** A plain answer: runs the agent, keeps nothing. */
  async #answer(message: Message, call: CallInfo): Promise<Message> {
    const ids = { taskId: "", contextId: message.contextId || newId() };
    const late = new AbortController();
    const leftMs = Math.max(0, call.deadlineMs - this.#options.clock.nowMs());
    const timer = setTimeout(
      () => late.abort(new PetrelError("DEADLINE_EXCEEDED", "nobody waits any more")),
      leftMs,
    );
    const turn = this.#turn(message, ids, call, late.signal, undefined);
    try {
      const result = await this.#options.agent.run(turn);
      if (result.kind === "failed") throw new PetrelError("INTERNAL", result.text);
      const data = result.kind === "message" && result.data ? [dataPart(result.data)] : [];
      return agentMessage(ids, [textPart(result.text), ...data]);
    } catch (error) {
      throw toA2AError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A task that is stored and counted, and not yet run. */
  async #admit(message: Message, call: CallInfo): Promise<LiveTask> {
    const { store, clock, agent, runningMax = limits.TASKS_RUNNING_MAX } = this.#options;
    if (this.#running.size >= runningMax) {
      throw toA2AError(
        new PetrelError("OVERLOADED", `agent "${agent.name}" already runs ${runningMax} tasks`, {
          limit: runningMax,
        }),
      );
    }
    const live = new LiveTask({
      message,
      caller: call.caller,
      clock,
      listener: ({ id }, n, event) => this.#options.onEvent(id, n, event, call),
    });
    this.#running.set(live.task.id, live);
    try {
      live.revision = await store.create(live.task, call.caller);
    } catch (error) {
      this.#running.delete(live.task.id);
      live.end(live.status(TaskState.TASK_STATE_REJECTED, []));
      live.finish();
      throw toA2AError(new PetrelError("UNAVAILABLE", "tasks cannot be stored now", {}, error));
    }
    return live;
  }

  async #execute(live: LiveTask, message: Message, call: CallInfo): Promise<void> {
    const ids = { taskId: live.task.id, contextId: live.task.contextId };
    const turn = this.#turn(message, ids, call, live.abort.signal, live);
    // A turn that ignores its signal does not hold its task open.
    const status = await unlessAborted(this.#runTurn(turn), live.abort.signal).then(
      (result) => live.status(...endOf(result)),
      (error: unknown) => {
        const cancelled = error instanceof PetrelError && error.code === "CANCELLED";
        turn.log.warn(cancelled ? "task.cancelled" : "task.failed", { error });
        const state = cancelled ? TaskState.TASK_STATE_CANCELED : TaskState.TASK_STATE_FAILED;
        return live.status(state, [textPart(messageOf(error))]);
      },
    );
    live.end(status);
    // Stored before anybody is told: whoever hears of the end finds it on every replica.
    await this.#storeEnd(live, status, turn);
    live.finish();
    this.#running.delete(live.task.id);
  }

  async #storeEnd(live: LiveTask, status: TaskStatus, turn: Turn): Promise<void> {
    const task = { ...live.task, status };
    for (let attempt = 1; attempt <= STORE_ATTEMPTS; attempt++) {
      try {
        const stored = await this.#options.store.end(task, live.caller, live.revision);
        if (!stored) turn.log.warn("task.ended_elsewhere");
        return;
      } catch (error) {
        // NATS may be restarting; each attempt waits for its own answer.
        turn.log.error("task.not_stored", { attempt, error });
        await this.#options.clock.sleep(100 * 2 ** attempt);
      }
    }
  }

  async #runTurn(turn: Turn): Promise<TurnResult> {
    return this.#options.agent.run(turn);
  }

  #turn(
    message: Message,
    ids: { taskId: string; contextId: string },
    call: CallInfo,
    signal: AbortSignal,
    live: LiveTask | undefined,
  ): Turn {
    const { log } = this.#options;
    return {
      ...ids,
      message,
      data: firstData(message),
      text: firstText(message),
      caller: call.caller,
      trace: call.trace,
      deadlineMs: call.deadlineMs,
      signal,
      log: log.with({ taskId: ids.taskId, traceId: call.trace.traceId }),
      progress: (text, data) => live?.progress(text, data),
      artifact: (name, data) => {
        checkArtifactSize(name, data);
        live?.addArtifact(name, data);
      },
    };
  }

  async #load(taskId: string, caller: string): Promise<TaskSnapshot> {
    const snapshot = await this.#options.store.load(taskId, caller);
    if (!snapshot) throw new TaskNotFoundError(`Task not found: ${taskId.slice(0, 128)}`);
    return snapshot;
  }

  async #reload(taskId: string, caller: string): Promise<Task> {
    return (await this.#load(taskId, caller)).task;
  }

  /** The replica that ran it is gone: nobody else will end it. */
  async #cancelOrphan(snapshot: TaskSnapshot, call: CallInfo): Promise<Task> {
    const status = {
      state: TaskState.TASK_STATE_CANCELED,
      message: undefined,
      timestamp: new Date(this.#options.clock.nowMs()).toISOString(),
    };
    const { id: taskId, contextId } = snapshot.task;
    const task = { ...snapshot.task, status };
    if (!(await this.#options.store.replace(snapshot, task))) {
      return this.#reload(taskId, call.caller);
    }
    // Only one replica replaces it, and only that one reports it.
    const value = { taskId, contextId, status, metadata: undefined };
    this.#options.onEvent(taskId, 0, { payload: { $case: "statusUpdate", value } }, call);
    return task;
  }
}

function callOf(context: ServerCallContext): CallInfo {
  const call = calls.get(context);
  if (!call) throw new PetrelError("INTERNAL", "a call reached the handler without its identity");
  return call;
}

function checkedMessage(params: SendMessageRequest): Message {
  const { message } = params;
  if (!message) throw new RequestMalformedError("params.message is missing");
  if (!message.messageId) throw new RequestMalformedError("params.message.messageId is missing");
  if (message.parts.length === 0) throw new RequestMalformedError("params.message.parts is empty");
  if (message.taskId) {
    throw new UnsupportedOperationError("params.message.taskId: a task takes one message");
  }
  if (params.configuration?.taskPushNotificationConfig) {
    throw new UnsupportedOperationError("params.configuration: push notifications are not served");
  }
  return message;
}

function firstData(message: Message): unknown {
  for (const { content } of message.parts) if (content?.$case === "data") return content.value;
  return undefined;
}

function firstText(message: Message): string {
  for (const { content } of message.parts) if (content?.$case === "text") return content.value;
  return "";
}

function endOf(result: TurnResult): [TaskState, Message["parts"]] {
  const failed = result.kind === "failed";
  const state = failed ? TaskState.TASK_STATE_FAILED : TaskState.TASK_STATE_COMPLETED;
  return [state, [textPart(result.text)]];
}

function checkArtifactSize(name: string, data: Record<string, unknown>): void {
  const bytes = Buffer.byteLength(JSON.stringify(data));
  if (bytes > limits.ARTIFACT_BYTES_MAX) {
    throw new PetrelError("TOO_LARGE", `artifact "${name}" has ${bytes} bytes`, {
      limit: limits.ARTIFACT_BYTES_MAX,
    });
  }
}

function unsupported(operation: string): Promise<never> {
  return Promise.reject(new UnsupportedOperationError(`${operation} is not served by this agent`));
}
