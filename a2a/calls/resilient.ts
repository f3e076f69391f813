/**
 * Any transport with a circuit breaker and retries around it: an agent over NATS and one over HTTP are
 * called the same way. A stream is never begun twice: whoever lost one subscribes to its task.
 */
import type {
  AgentCard,
  CancelTaskRequest,
  DeleteTaskPushNotificationConfigRequest,
  GetExtendedAgentCardRequest,
  GetTaskPushNotificationConfigRequest,
  GetTaskRequest,
  ListTaskPushNotificationConfigsRequest,
  ListTaskPushNotificationConfigsResponse,
  ListTasksRequest,
  ListTasksResponse,
  Message,
  SendMessageRequest,
  StreamResponse,
  SubscribeToTaskRequest,
  Task,
  TaskPushNotificationConfig,
} from "@a2a-js/sdk";
import type { RequestOptions, Transport } from "@a2a-js/sdk/client";
import type { Clock, RetryPolicy } from "../../core/mod.ts";
import { DEFAULT_TIMEOUT_MS } from "../call.ts";
import { HEADER } from "../subjects.ts";
import type { CircuitBreakers } from "./breaker.ts";
import { callWithRetry, type RetryBudget } from "./call.ts";

export interface ResilientOptions {
  readonly inner: Transport;
  readonly target: string;
  readonly breakers: CircuitBreakers;
  readonly budget: RetryBudget;
  readonly clock: Clock;
  readonly policy?: RetryPolicy;
  /** Whether the agent runs a message once however often it is sent. Default true: ours do. */
  readonly isIdempotent?: boolean;
  readonly random?: () => number;
}

/** Whether the call may reach the agent twice. */
type Repeat = "always" | "if-idempotent" | "never-twice";

export class ResilientTransport implements Transport {
  readonly #options: ResilientOptions;

  constructor(options: ResilientOptions) {
    this.#options = options;
  }

  get protocolName(): string {
    return this.#options.inner.protocolName;
  }

  get protocolVersion(): string {
    return this.#options.inner.protocolVersion;
  }

  sendMessage(params: SendMessageRequest, options?: RequestOptions): Promise<Message | Task> {
    return this.#call((inner, given) => inner.sendMessage(params, given), options, "if-idempotent");
  }

  sendMessageStream(
    params: SendMessageRequest,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    return this.#stream((inner) => inner.sendMessageStream(params, options));
  }

  resubscribeTask(
    params: SubscribeToTaskRequest,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    return this.#stream((inner) => inner.resubscribeTask(params, options));
  }

  getTask(params: GetTaskRequest, options?: RequestOptions): Promise<Task> {
    return this.#call((inner, given) => inner.getTask(params, given), options);
  }

  cancelTask(params: CancelTaskRequest, options?: RequestOptions): Promise<Task> {
    // The second would hear that the task has ended already.
    return this.#call((inner, given) => inner.cancelTask(params, given), options, "never-twice");
  }

  listTasks(params: ListTasksRequest, options?: RequestOptions): Promise<ListTasksResponse> {
    return this.#call((inner, given) => inner.listTasks(params, given), options);
  }

  getExtendedAgentCard(
    params: GetExtendedAgentCardRequest,
    options?: RequestOptions,
  ): Promise<AgentCard> {
    return this.#call((inner, given) => inner.getExtendedAgentCard(params, given), options);
  }

  createTaskPushNotificationConfig(
    params: TaskPushNotificationConfig,
    options?: RequestOptions,
  ): Promise<TaskPushNotificationConfig> {
    // Without an id each attempt would make another one.
    return this.#call(
      (inner, given) => inner.createTaskPushNotificationConfig(params, given),
      options,
      params.id === "" ? "never-twice" : "always",
    );
  }

  getTaskPushNotificationConfig(
    params: GetTaskPushNotificationConfigRequest,
    options?: RequestOptions,
  ): Promise<TaskPushNotificationConfig> {
    return this.#call(
      (inner, given) => inner.getTaskPushNotificationConfig(params, given),
      options,
    );
  }

  listTaskPushNotificationConfig(
    params: ListTaskPushNotificationConfigsRequest,
    options?: RequestOptions,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    return this.#call(
      (inner, given) => inner.listTaskPushNotificationConfig(params, given),
      options,
    );
  }

  deleteTaskPushNotificationConfig(
    params: DeleteTaskPushNotificationConfigRequest,
    options?: RequestOptions,
  ): Promise<void> {
    return this.#call(
      (inner, given) => inner.deleteTaskPushNotificationConfig(params, given),
      options,
    );
  }

  /** The time that is left travels with each attempt. */
  #call<T>(
    send: (inner: Transport, options: RequestOptions) => Promise<T>,
    given: RequestOptions | undefined,
    repeat: Repeat = "always",
  ): Promise<T> {
    const { inner, clock, isIdempotent = true, ...rest } = this.#options;
    const asked = Number(given?.serviceParameters?.[HEADER.timeout] ?? DEFAULT_TIMEOUT_MS);
    const deadlineMs = clock.nowMs() + (asked > 0 ? asked : DEFAULT_TIMEOUT_MS);
    const isRepeatable = repeat === "always" || (repeat === "if-idempotent" && isIdempotent);
    const options = { ...rest, clock, deadlineMs, signal: given?.signal, isRepeatable };
    return callWithRetry(options, () => {
      const leftMs = Math.max(1, Math.round(deadlineMs - clock.nowMs()));
      const serviceParameters = { ...given?.serviceParameters, [HEADER.timeout]: String(leftMs) };
      return send(inner, { ...given, serviceParameters });
    });
  }

  async *#stream(
    open: (inner: Transport) => AsyncGenerator<StreamResponse, void, undefined>,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const { breakers, target, inner, budget } = this.#options;
    const permit = breakers.admit(target);
    budget.called();
    try {
      for await (const response of open(inner)) {
        // Its first word shows that the target is well; hours may pass until its last.
        permit.succeeded();
        yield response;
      }
      permit.succeeded();
    } catch (error) {
      permit.failed(error);
      throw error;
    } finally {
      // Left early: nothing is known.
      permit.left();
    }
  }
}
