/** The SDK's codec, there and back, for every operation. */
import {
  CancelTaskRequest,
  DeleteTaskPushNotificationConfigRequest,
  GetExtendedAgentCardRequest,
  GetTaskPushNotificationConfigRequest,
  GetTaskRequest,
  ListTaskPushNotificationConfigsRequest,
  ListTasksRequest,
  SendMessageRequest,
  SubscribeToTaskRequest,
  TaskPushNotificationConfig,
} from "@a2a-js/sdk";
import type { Method } from "./params-model.ts";

/** What the agent's handler would be given, in words again. */
export const THROUGH: Readonly<Record<Method, (params: unknown) => unknown>> = {
  SendMessage: (params) => SendMessageRequest.toJSON(SendMessageRequest.fromJSON(params)),
  SendStreamingMessage: (params) => SendMessageRequest.toJSON(SendMessageRequest.fromJSON(params)),
  GetTask: (params) => GetTaskRequest.toJSON(GetTaskRequest.fromJSON(params)),
  ListTasks: (params) => ListTasksRequest.toJSON(ListTasksRequest.fromJSON(params)),
  CancelTask: (params) => CancelTaskRequest.toJSON(CancelTaskRequest.fromJSON(params)),
  SubscribeToTask: (params) =>
    SubscribeToTaskRequest.toJSON(SubscribeToTaskRequest.fromJSON(params)),
  CreateTaskPushNotificationConfig: (params) =>
    TaskPushNotificationConfig.toJSON(TaskPushNotificationConfig.fromJSON(params)),
  GetTaskPushNotificationConfig: (params) =>
    GetTaskPushNotificationConfigRequest.toJSON(
      GetTaskPushNotificationConfigRequest.fromJSON(params),
    ),
  DeleteTaskPushNotificationConfig: (params) =>
    DeleteTaskPushNotificationConfigRequest.toJSON(
      DeleteTaskPushNotificationConfigRequest.fromJSON(params),
    ),
  ListTaskPushNotificationConfigs: (params) =>
    ListTaskPushNotificationConfigsRequest.toJSON(
      ListTaskPushNotificationConfigsRequest.fromJSON(params),
    ),
  GetExtendedAgentCard: (params) =>
    GetExtendedAgentCardRequest.toJSON(GetExtendedAgentCardRequest.fromJSON(params ?? {})),
};
