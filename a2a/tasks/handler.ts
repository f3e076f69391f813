/**
 * A2A's operations for one agent: the SDK's request-handler interface over the tasks' logs. A task that
 * runs here is read from its writer, any other from its log, and both say the same.
 */
import {
  type AgentCard,
  type CancelTaskRequest,
  type DeleteTaskPushNotificationConfigRequest,
  type GetExtendedAgentCardRequest,
  type GetTaskPushNotificationConfigRequest,
  type GetTaskRequest,
  type ListTaskPushNotificationConfigsRequest,
  type ListTaskPushNotificationConfigsResponse,
  type ListTasksRequest,
  type ListTasksResponse,
  type Message,
  type SendMessageRequest,
  type StreamResponse,
  type SubscribeToTaskRequest,
  Task,
  type TaskPushNotificationConfig,
  TaskState,
} from "@a2a-js/sdk";
import {
  RequestMalformedError,
  TaskNotCancelableError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from "@a2a-js/sdk/errors";
import type { A2ARequestHandler, ServerCallContext } from "@a2a-js/sdk/server";
import { type Clock, isSubjectToken, limits, PetrelError, unlessAborted } from "../../core/mod.ts";
import { type AgentDefinition, extendedCardOf } from "../agent.ts";
import type { CallInfo } from "../call.ts";
import { toA2AError } from "../errors.ts";
import type { PushConfigs } from "../push/configs.ts";
import { ownerOf } from "../subjects.ts";
import { answerWithMessage } from "./answer.ts";
import { checkedMessage, checkScopes } from "./checks.ts";
import { eventsAfter, isRest } from "./events.ts";
import { isAtRest, isTerminal, snapshotOf } from "./fold.ts";
import { Gate } from "./gate.ts";
import { pageOf } from "./list.ts";
import { type Loaded, loadTask } from "./load.ts";
import type { TaskHead, TaskPlace } from "./log.ts";
import {
  isBroken,
  notFound,
  notPushed,
  resultOf,
  rethrown,
  shuttingDown,
  tooLate,
  turnEntryOf,
  withHistory,
} from "./results.ts";
import type { Begun, TaskRunner } from "./runner.ts";

/** What travels beside the SDK's context, between the server and the handler. */
export interface CallState {
  readonly call: CallInfo;
  /** Aborts when the client has left, and its stream is nobody's. */
  readonly left?: AbortSignal;
  /** Number of the event in a stream's first frame; each later frame bears the next. */
  firstEvent?: number;
}

const states = new WeakMap<ServerCallContext, CallState>();

export function attachCall(context: ServerCallContext, state: CallState): void {
  states.set(context, state);
}

export interface HandlerOptions {
  readonly agent: AgentDefinition;
  readonly card: AgentCard;
  readonly runner: TaskRunner;
  readonly clock: Clock;
  readonly push?: PushConfigs | undefined;
  /** Aborts when the agent stops: streams end, and their clients go on at another replica. */
  readonly stopping: AbortSignal;
}

export class AgentHandler implements A2ARequestHandler {
  readonly #options: HandlerOptions;
  readonly #answers = new Gate("answers under way", limits.ANSWERS_RUNNING_MAX);
  readonly #streams = new Gate("streams", limits.STREAMS_OPEN_MAX);
  readonly #waits = new Gate("calls that wait for tasks", limits.ANSWERS_RUNNING_MAX);
  readonly #lists = new Gate("lists under way", limits.LISTS_RUNNING_MAX);

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  async getAgentCard(): Promise<AgentCard> {
    return this.#options.card;
  }

  async getAuthenticatedExtendedAgentCard(
    _params: GetExtendedAgentCardRequest,
    _context: ServerCallContext,
  ): Promise<AgentCard> {
    const { agent, card } = this.#options;
    const extended = extendedCardOf(agent, card);
    if (!extended) throw new UnsupportedOperationError("the agent has no extended card");
    return extended;
  }

  async sendMessage(
    params: SendMessageRequest,
    context: ServerCallContext,
  ): Promise<Message | Task> {
    const { call } = stateOf(context);
    const { agent } = this.#options;
    const message = this.#checked(params, call);
    if (agent.messageOnly) return this.#answer(message, call);
    const begun = await this.#begin(params, message, context);
    const immediately = params.configuration?.returnImmediately === true;
    const found = await this.#outcome(begun, call, immediately);
    if ("messageId" in found) return found;
    return withHistory(found, params.configuration?.historyLength);
  }

  async *sendMessageStream(
    params: SendMessageRequest,
    context: ServerCallContext,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const state = stateOf(context);
    const { call } = state;
    const { agent } = this.#options;
    const message = this.#checked(params, call);
    if (agent.messageOnly) {
      yield { payload: { $case: "message", value: await this.#answer(message, call) } };
      return;
    }
    const begun = await this.#begin(params, message, context);
    if (begun.running && !begun.isKnown) yield* this.#watch(begun, begun.from, state, true);
    else yield* this.#fromSnapshot(begun, state, true);
  }

  async getTask(params: GetTaskRequest, context: ServerCallContext): Promise<Task> {
    const task = await this.#task(this.#place(params.id, context));
    return withHistory(task, params.historyLength);
  }

  async listTasks(
    params: ListTasksRequest,
    context: ServerCallContext,
  ): Promise<ListTasksResponse> {
    const owner = this.#owner(context);
    const { runner } = this.#options;
    const listed = await this.#lists
      .within(async () => {
        const page = pageOf(await runner.log.heads(owner), params);
        const tasks = await Promise.all(page.heads.map((head) => this.#listed(owner, head)));
        return { page, tasks };
      })
      .catch(rethrown);
    const { page } = listed;
    const tasks = listed.tasks
      .filter((task) => task !== undefined)
      .map((task) => withHistory(task, params.historyLength))
      .map((task) => (params.includeArtifacts ? task : { ...task, artifacts: [] }));
    const { totalSize, pageSize, nextPageToken } = page;
    return { tasks, totalSize, pageSize, nextPageToken };
  }

  /** A task of a page: as it is, or as its head shows it where its log cannot be read. */
  async #listed(owner: string, head: TaskHead): Promise<Task | undefined> {
    try {
      return await this.#task({ owner, taskId: head.taskId });
    } catch (error) {
      if (error instanceof TaskNotFoundError) return undefined;
      if (!isBroken(error)) throw error;
      this.#options.runner.logger.error("task.unreadable", { taskId: head.taskId, error });
      const { taskId: id, state, at: timestamp } = head;
      return Task.fromJSON({ id, contextId: head.context, status: { state, timestamp } });
    }
  }

  async cancelTask(params: CancelTaskRequest, context: ServerCallContext): Promise<Task> {
    const place = this.#place(params.id, context);
    const { runner } = this.#options;
    const before = await this.#task(place);
    if (isTerminal(before)) throw new TaskNotCancelableError(`Task ${place.taskId} has ended`);
    await runner.cancel(place, turnEntryOf(stateOf(context).call)).catch(rethrown);
    const task = await this.#task(place);
    if (task.status?.state === TaskState.TASK_STATE_CANCELED) return task;
    throw new TaskNotCancelableError(`Task ${place.taskId} ended by itself`);
  }

  async *resubscribe(
    params: SubscribeToTaskRequest,
    context: ServerCallContext,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const state = stateOf(context);
    const place = this.#place(params.id, context);
    const { runner } = this.#options;
    const running = runner.running(place);
    const { cursor } = state.call;
    const loaded = running ? undefined : await this.#load(place);
    const folded = running?.writer.folded ?? loaded?.folded;
    if (!folded?.task) throw notFound(place);
    if (cursor !== undefined) {
      if (cursor > folded.event) {
        throw new RequestMalformedError(`cursor ${cursor}: the task has ${folded.event} events`);
      }
      if (cursor === folded.event && isTerminal(folded.task)) return;
      // Whoever says what it has seen gets the rest, of a task that has ended too.
      yield* this.#watch({ place, running, seq: 0 }, cursor, state, false);
      return;
    }
    if (isTerminal(folded.task)) {
      throw new UnsupportedOperationError(
        `Task ${place.taskId} has ended: there is nothing to wait for`,
      );
    }
    yield* this.#fromSnapshot({ place, running, loaded, from: 0 }, state, false);
  }

  async createTaskPushNotificationConfig(
    params: TaskPushNotificationConfig,
    context: ServerCallContext,
  ): Promise<TaskPushNotificationConfig> {
    const { push, place, event } = await this.#pushOf(params.taskId, context);
    return push.create(place.owner, params, event).catch(rethrown);
  }

  async getTaskPushNotificationConfig(
    params: GetTaskPushNotificationConfigRequest,
    context: ServerCallContext,
  ): Promise<TaskPushNotificationConfig> {
    const { push, place } = await this.#pushOf(params.taskId, context);
    return push.get(place.owner, params).catch(rethrown);
  }

  async listTaskPushNotificationConfigs(
    params: ListTaskPushNotificationConfigsRequest,
    context: ServerCallContext,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    const { push, place } = await this.#pushOf(params.taskId, context);
    return push.list(place.owner, params).catch(rethrown);
  }

  async deleteTaskPushNotificationConfig(
    params: DeleteTaskPushNotificationConfigRequest,
    context: ServerCallContext,
  ): Promise<void> {
    const { push, place } = await this.#pushOf(params.taskId, context);
    await push.delete(place.owner, params).catch(rethrown);
  }

  #answer(message: Message, call: CallInfo): Promise<Message> {
    const { agent, clock, stopping } = this.#options;
    const log = this.#log(call);
    return this.#answers
      .within(() => answerWithMessage({ agent, message, call, clock, log, stopping }))
      .catch(rethrown);
  }

  #checked(params: SendMessageRequest, call: CallInfo): Message {
    const { agent } = this.#options;
    const message = checkedMessage(params, agent);
    try {
      checkScopes(message, call, agent);
    } catch (error) {
      throw toA2AError(error);
    }
    return message;
  }

  /** Begins the turn the message asks for, or finds the one it began before. */
  async #begin(
    params: SendMessageRequest,
    message: Message,
    context: ServerCallContext,
  ): Promise<Begun> {
    const { runner } = this.#options;
    const owner = this.#owner(context);
    const { call } = stateOf(context);
    const { push } = this.#options;
    const config = params.configuration?.taskPushNotificationConfig;
    if (config && !push) throw notPushed();
    if (config) push?.check(config);
    const entry = turnEntryOf(call);
    const begun = message.taskId
      ? await runner
          .continueTask(this.#place(message.taskId, context), message, entry)
          .catch(rethrown)
      : await runner.begin(owner, message, entry).catch(rethrown);
    const { taskId } = begun.place;
    if (config) await push?.create(owner, { ...config, taskId }, begun.from).catch(rethrown);
    return begun;
  }

  /** The task at rest, or the answer; at once if asked so and there is a task to show. */
  async #outcome(begun: Begun, call: CallInfo, immediately: boolean): Promise<Message | Task> {
    const { runner, stopping, clock } = this.#options;
    const { place, running } = begun;
    const leave = this.#waits.enter();
    const late = new AbortController();
    const leftMs = Math.max(1, call.deadlineMs - clock.nowMs());
    const timer = setTimeout(() => late.abort(tooLate(place)), leftMs);
    try {
      if (running) {
        const first = immediately ? runner.shown(running) : running.done;
        await unlessAborted(first, late.signal);
      }
      const found = running && resultOf(running.writer);
      if (found) return found;
      return await runner.awaitRest(place, immediately, AbortSignal.any([late.signal, stopping]));
    } catch (error) {
      if (stopping.aborted) throw shuttingDown();
      throw late.signal.aborted ? tooLate(place) : toA2AError(error);
    } finally {
      clearTimeout(timer);
      leave();
    }
  }

  /** The task as it is, then what follows. */
  async *#fromSnapshot(
    begun: Pick<Begun, "place" | "running" | "loaded" | "from">,
    state: CallState,
    untilRest: boolean,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const { place, running } = begun;
    const loaded = running ? undefined : (begun.loaded ?? (await this.#load(place)));
    const folded = running?.writer.folded ?? loaded?.folded;
    if (folded?.answer) {
      yield { payload: { $case: "message", value: folded.answer } };
      return;
    }
    if (!folded?.task) {
      // Claimed by a replica that has told nothing of it yet.
      yield* this.#watch({ place, running, seq: 0 }, 0, state, untilRest);
      return;
    }
    const { event, task } = folded;
    state.firstEvent = event;
    const seq = running?.writer.seq ?? loaded?.seq ?? 0;
    yield { payload: { $case: "task", value: snapshotOf(task) } };
    if (isTerminal(task) || (untilRest && isAtRest(task))) return;
    yield* this.#watch({ place, running, seq }, event, state, untilRest);
  }

  async *#watch(
    source: Pick<Begun, "place" | "running"> & { readonly seq?: number },
    event: number,
    state: CallState,
    untilRest: boolean,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const { runner } = this.#options;
    const { place, running, seq = 0 } = source;
    state.firstEvent ??= event + 1;
    const leaving = new AbortController();
    const { stopping } = this.#options;
    const left = state.left ? [state.left] : [];
    const signal = AbortSignal.any([leaving.signal, stopping, ...left]);
    const { log } = runner;
    let leave = () => {};
    try {
      leave = this.#streams.enter();
      const from = { log, place, writer: running?.writer, seq, event };
      for await (const { response } of eventsAfter(from, signal)) {
        yield response;
        if (untilRest && isRest(response)) return;
      }
      if (stopping.aborted) throw shuttingDown();
    } catch (error) {
      throw toA2AError(error);
    } finally {
      leaving.abort();
      leave();
    }
  }

  async #pushOf(
    taskId: string,
    context: ServerCallContext,
  ): Promise<{ push: PushConfigs; place: TaskPlace; event: number }> {
    const { push, runner } = this.#options;
    if (!push) throw notPushed();
    const place = this.#place(taskId, context);
    const folded = runner.running(place)?.writer.folded ?? (await this.#load(place))?.folded;
    if (!folded?.task) throw notFound(place);
    return { push, place, event: folded.event };
  }

  /** The task as it is stored. Throws TaskNotFound for one of somebody else too. */
  async #task(place: TaskPlace): Promise<Task> {
    const running = this.#options.runner.running(place);
    const folded = running?.writer.folded ?? (await this.#load(place))?.folded;
    if (!folded?.task) throw notFound(place);
    return running ? snapshotOf(folded.task) : folded.task;
  }

  #load(place: TaskPlace): Promise<Loaded | undefined> {
    const { log, open } = this.#options.runner;
    return loadTask(log, open, place).catch(rethrown);
  }

  #place(taskId: string, context: ServerCallContext): TaskPlace {
    const place = { owner: this.#owner(context), taskId };
    if (!isSubjectToken(taskId)) throw notFound(place);
    return place;
  }

  #owner(context: ServerCallContext): string {
    const { caller, onBehalf } = stateOf(context).call;
    return ownerOf(caller, onBehalf, context.tenant);
  }

  #log(call: CallInfo) {
    return this.#options.runner.logger.with({ traceId: call.trace.traceId });
  }
}

function stateOf(context: ServerCallContext): CallState {
  const state = states.get(context);
  if (!state) throw new PetrelError("INTERNAL", "a call reached the handler without its identity");
  return state;
}
