/**
 * The SDK's own transport to an agent over HTTP, called like one over NATS: every call has a deadline, and
 * errors are ours or A2A's. It retries nothing; see {@link ResilientTransport}.
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
import { type Clock, unlessAborted } from "../../core/mod.ts";
import { DEFAULT_TIMEOUT_MS } from "../call.ts";
import { HEADER } from "../subjects.ts";
import { startDeadline } from "./deadline.ts";
import { fromHttpError } from "./http-errors.ts";

export interface HttpTransportOptions {
  readonly inner: Transport;
  readonly agent: string;
  readonly clock: Clock;
}

export class HttpTransport implements Transport {
  readonly #inner: Transport;
  readonly #agent: string;
  readonly #clock: Clock;

  constructor({ inner, agent, clock }: HttpTransportOptions) {
    this.#inner = inner;
    this.#agent = agent;
    this.#clock = clock;
  }

  get protocolName(): string {
    return this.#inner.protocolName;
  }

  get protocolVersion(): string {
    return this.#inner.protocolVersion;
  }

  sendMessage(params: SendMessageRequest, options?: RequestOptions): Promise<Message | Task> {
    return this.#unary((given) => this.#inner.sendMessage(params, given), options);
  }

  sendMessageStream(
    params: SendMessageRequest,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    return this.#stream((given) => this.#inner.sendMessageStream(params, given), options);
  }

  resubscribeTask(
    params: SubscribeToTaskRequest,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    return this.#stream((given) => this.#inner.resubscribeTask(params, given), options);
  }

  getTask(params: GetTaskRequest, options?: RequestOptions): Promise<Task> {
    return this.#unary((given) => this.#inner.getTask(params, given), options);
  }

  cancelTask(params: CancelTaskRequest, options?: RequestOptions): Promise<Task> {
    return this.#unary((given) => this.#inner.cancelTask(params, given), options);
  }

  listTasks(params: ListTasksRequest, options?: RequestOptions): Promise<ListTasksResponse> {
    return this.#unary((given) => this.#inner.listTasks(params, given), options);
  }

  getExtendedAgentCard(
    params: GetExtendedAgentCardRequest,
    options?: RequestOptions,
  ): Promise<AgentCard> {
    return this.#unary((given) => this.#inner.getExtendedAgentCard(params, given), options);
  }

  createTaskPushNotificationConfig(
    params: TaskPushNotificationConfig,
    options?: RequestOptions,
  ): Promise<TaskPushNotificationConfig> {
    return this.#unary(
      (given) => this.#inner.createTaskPushNotificationConfig(params, given),
      options,
    );
  }

  getTaskPushNotificationConfig(
    params: GetTaskPushNotificationConfigRequest,
    options?: RequestOptions,
  ): Promise<TaskPushNotificationConfig> {
    return this.#unary(
      (given) => this.#inner.getTaskPushNotificationConfig(params, given),
      options,
    );
  }

  listTaskPushNotificationConfig(
    params: ListTaskPushNotificationConfigsRequest,
    options?: RequestOptions,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    return this.#unary(
      (given) => this.#inner.listTaskPushNotificationConfig(params, given),
      options,
    );
  }

  deleteTaskPushNotificationConfig(
    params: DeleteTaskPushNotificationConfigRequest,
    options?: RequestOptions,
  ): Promise<void> {
    return this.#unary(
      (given) => this.#inner.deleteTaskPushNotificationConfig(params, given),
      options,
    );
  }

  async #unary<T>(
    send: (options: RequestOptions) => Promise<T>,
    options: RequestOptions | undefined,
  ): Promise<T> {
    using deadline = this.#deadline(options);
    try {
      return await unlessAborted(send({ ...options, signal: deadline.signal }), deadline.signal);
    } catch (error) {
      throw this.#errorOf(error, deadline.signal);
    }
  }

  async *#stream(
    open: (options: RequestOptions) => AsyncGenerator<StreamResponse, void, undefined>,
    options: RequestOptions | undefined,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    using deadline = this.#deadline(options);
    const left = new AbortController();
    const leave = () => left.abort(deadline.signal.reason);
    deadline.signal.addEventListener("abort", leave, { once: true });
    try {
      yield* open({ ...options, signal: left.signal });
    } catch (error) {
      throw this.#errorOf(error, deadline.signal);
    } finally {
      // The connection is not held open by a stream nobody reads.
      left.abort();
    }
  }

  #deadline(options: RequestOptions | undefined) {
    const asked = Number(options?.serviceParameters?.[HEADER.timeout] ?? DEFAULT_TIMEOUT_MS);
    return startDeadline({
      clock: this.#clock,
      timeoutMs: asked > 0 ? asked : DEFAULT_TIMEOUT_MS,
      signal: options?.signal,
      what: `agent "${this.#agent}"`,
    });
  }

  /** After an abort whatever was thrown is only its echo. */
  #errorOf(error: unknown, signal: AbortSignal): unknown {
    return signal.aborted ? signal.reason : fromHttpError(error, this.#agent);
  }
}
