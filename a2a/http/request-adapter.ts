/**
 * The SDK's `A2ARequestHandler` over an agent that is somewhere else: what its transport handlers call is
 * asked there, in ProtoJSON. It decides nothing and keeps nothing.
 */
import {
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
  type Message,
  SendMessageRequest,
  SendMessageResponse,
  StreamResponse,
  SubscribeToTaskRequest,
  Task,
  TaskPushNotificationConfig,
} from "@a2a-js/sdk";
import { InvalidAgentResponseError } from "@a2a-js/sdk/errors";
import type { A2ARequestHandler } from "@a2a-js/sdk/server";
import type { Method } from "../subjects.ts";

/** How the agent is asked: parameters and results are JSON-RPC's `params` and `result`. */
export interface AgentCalls {
  card(): AgentCard;
  unary(method: Method, params: unknown): Promise<unknown>;
  stream(method: Method, params: unknown): AsyncGenerator<unknown, void, undefined>;
}

export class RequestAdapter implements A2ARequestHandler {
  readonly #calls: AgentCalls;

  constructor(calls: AgentCalls) {
    this.#calls = calls;
  }

  async getAgentCard(): Promise<AgentCard> {
    return this.#calls.card();
  }

  async getAuthenticatedExtendedAgentCard(params: GetExtendedAgentCardRequest): Promise<AgentCard> {
    const json = GetExtendedAgentCardRequest.toJSON(params);
    return AgentCard.fromJSON(await this.#calls.unary("GetExtendedAgentCard", json));
  }

  async sendMessage(params: SendMessageRequest): Promise<Message | Task> {
    const result = await this.#calls.unary("SendMessage", SendMessageRequest.toJSON(params));
    const { payload } = SendMessageResponse.fromJSON(result);
    if (payload) return payload.value;
    throw new InvalidAgentResponseError("SendMessage: neither a task nor a message");
  }

  async *sendMessageStream(
    params: SendMessageRequest,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const events = this.#calls.stream("SendStreamingMessage", SendMessageRequest.toJSON(params));
    for await (const event of events) yield StreamResponse.fromJSON(event);
  }

  async *resubscribe(
    params: SubscribeToTaskRequest,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const events = this.#calls.stream("SubscribeToTask", SubscribeToTaskRequest.toJSON(params));
    for await (const event of events) yield StreamResponse.fromJSON(event);
  }

  async getTask(params: GetTaskRequest): Promise<Task> {
    return Task.fromJSON(await this.#calls.unary("GetTask", GetTaskRequest.toJSON(params)));
  }

  async cancelTask(params: CancelTaskRequest): Promise<Task> {
    return Task.fromJSON(await this.#calls.unary("CancelTask", CancelTaskRequest.toJSON(params)));
  }

  async listTasks(params: ListTasksRequest): Promise<ListTasksResponse> {
    const json = ListTasksRequest.toJSON(params);
    return ListTasksResponse.fromJSON(await this.#calls.unary("ListTasks", json));
  }

  async createTaskPushNotificationConfig(
    params: TaskPushNotificationConfig,
  ): Promise<TaskPushNotificationConfig> {
    const json = TaskPushNotificationConfig.toJSON(params);
    const result = await this.#calls.unary("CreateTaskPushNotificationConfig", json);
    return TaskPushNotificationConfig.fromJSON(result);
  }

  async getTaskPushNotificationConfig(
    params: GetTaskPushNotificationConfigRequest,
  ): Promise<TaskPushNotificationConfig> {
    const json = GetTaskPushNotificationConfigRequest.toJSON(params);
    const result = await this.#calls.unary("GetTaskPushNotificationConfig", json);
    return TaskPushNotificationConfig.fromJSON(result);
  }

  async listTaskPushNotificationConfigs(
    params: ListTaskPushNotificationConfigsRequest,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    const json = ListTaskPushNotificationConfigsRequest.toJSON(params);
    const result = await this.#calls.unary("ListTaskPushNotificationConfigs", json);
    return ListTaskPushNotificationConfigsResponse.fromJSON(result);
  }

  async deleteTaskPushNotificationConfig(
    params: DeleteTaskPushNotificationConfigRequest,
  ): Promise<void> {
    const json = DeleteTaskPushNotificationConfigRequest.toJSON(params);
    await this.#calls.unary("DeleteTaskPushNotificationConfig", json);
  }
}
