/** Where A2A 1.0 keeps the ids of context and task, and what hostile bodies make of it. */
import { describe, expect, test } from "bun:test";
import {
  CancelTaskRequest,
  GetTaskRequest,
  ListTasksRequest,
  Role,
  SendMessageRequest,
  SendMessageResponse,
  StreamResponse,
  Task,
  TaskPushNotificationConfig,
  TaskState,
} from "@a2a-js/sdk";
import * as fc from "fast-check";
import { callOf, type Ids, idsOf, taskOfEvent } from "../../../bridge/records/ids.ts";
import { hostileJson, SEED } from "./samples.ts";

const BOTH: Ids = { contextId: "c-1", taskId: "t-1" };
const TASK: Ids = { taskId: "t-1" };
const NONE: Ids = {};

const message = {
  messageId: "m",
  contextId: "c-1",
  taskId: "t-1",
  role: Role.ROLE_USER,
  parts: [],
  metadata: undefined,
  extensions: [],
  referenceTaskIds: [],
};
const status = { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined };
const task: Task = {
  id: "t-1",
  contextId: "c-1",
  status,
  artifacts: [],
  history: [],
  metadata: undefined,
};

/** The SDK's own writers, so that the names are A2A's and not ours. */
const SENT = SendMessageRequest.toJSON(SendMessageRequest.fromJSON({ message }));
const CONFIG = TaskPushNotificationConfig.toJSON(
  TaskPushNotificationConfig.fromJSON({ taskId: "t-1", id: "cfg", url: "http://x" }),
);

describe("requests", () => {
  test.each<[string, unknown, Ids]>([
    ["SendMessage", SENT, BOTH],
    ["SendStreamingMessage", SENT, BOTH],
    ["GetTask", GetTaskRequest.toJSON(GetTaskRequest.fromJSON({ id: "t-1" })), TASK],
    ["CancelTask", CancelTaskRequest.toJSON(CancelTaskRequest.fromJSON({ id: "t-1" })), TASK],
    ["SubscribeToTask", { id: "t-1" }, TASK],
    [
      "ListTasks",
      ListTasksRequest.toJSON(ListTasksRequest.fromJSON({ contextId: "c-1" })),
      { contextId: "c-1" },
    ],
    ["CreateTaskPushNotificationConfig", CONFIG, TASK],
    ["GetTaskPushNotificationConfig", { taskId: "t-1", id: "cfg" }, TASK],
    ["DeleteTaskPushNotificationConfig", { taskId: "t-1", id: "cfg" }, TASK],
    ["ListTaskPushNotificationConfigs", { taskId: "t-1" }, TASK],
    ["GetExtendedAgentCard", {}, NONE],
  ])("%s", (method, params, expected) => {
    const body = { jsonrpc: "2.0", id: "x", method, params };
    expect(idsOf(method, "request", body)).toEqual(expected);
  });

  test("fields in the spelling of the .proto are read as well", () => {
    const params = { message: { context_id: "c-1", task_id: "t-1" } };
    expect(idsOf("SendMessage", "request", { params })).toEqual(BOTH);
  });
});

function event(payload: StreamResponse["payload"]): unknown {
  return StreamResponse.toJSON({ payload });
}

const EVENTS: [string, unknown][] = [
  ["a task", event({ $case: "task", value: task })],
  ["a message", event({ $case: "message", value: message })],
  [
    "a status",
    event({
      $case: "statusUpdate",
      value: { taskId: "t-1", contextId: "c-1", status, metadata: undefined },
    }),
  ],
  [
    "an artifact",
    event({
      $case: "artifactUpdate",
      value: {
        taskId: "t-1",
        contextId: "c-1",
        artifact: undefined,
        append: false,
        lastChunk: true,
        metadata: undefined,
      },
    }),
  ],
];

describe("answers", () => {
  test.each<[string, unknown, Ids]>([
    ["SendMessage", SendMessageResponse.toJSON({ payload: { $case: "task", value: task } }), BOTH],
    [
      "SendMessage",
      SendMessageResponse.toJSON({ payload: { $case: "message", value: message } }),
      BOTH,
    ],
    ["GetTask", Task.toJSON(task), BOTH],
    ["CancelTask", Task.toJSON(task), BOTH],
    ["ListTasks", { tasks: [Task.toJSON(task)] }, NONE],
    ["CreateTaskPushNotificationConfig", CONFIG, TASK],
    ["GetTaskPushNotificationConfig", CONFIG, TASK],
    ["ListTaskPushNotificationConfigs", { configs: [CONFIG] }, TASK],
    ["ListTaskPushNotificationConfigs", { configs: [] }, NONE],
    ["GetExtendedAgentCard", { name: "splunk" }, NONE],
  ])("%s", (method, result, expected) => {
    expect(idsOf(method, "response", { jsonrpc: "2.0", id: "x", result })).toEqual(expected);
  });

  test("an error has none", () => {
    const body = { jsonrpc: "2.0", id: "x", error: { code: 1, message: "no", data: BOTH } };
    expect(idsOf("GetTask", "response", body)).toEqual(NONE);
  });

  test.each(EVENTS)("%s, in a stream and as an event of a task", (_name, result) => {
    const body = { jsonrpc: "2.0", id: "x", result };
    expect(idsOf("SendStreamingMessage", "frame", body)).toEqual(BOTH);
    expect(idsOf("SubscribeToTask", "frame", body)).toEqual(BOTH);
    expect(idsOf("SendMessage", "task", result)).toEqual(BOTH);
  });
});

test("whatever a peer sends, an id is a string of 1 to 200 characters that stands in the body", () => {
  const kinds = fc.constantFrom("request", "response", "frame", "task", "alarm");
  const methods = fc.constantFrom("SendMessage", "GetTask", "ListTasks", "__proto__", "");
  fc.assert(
    fc.property(methods, kinds, hostileJson(), (method, kind, body) => {
      const ids = idsOf(method, kind, body);
      for (const id of Object.values(ids)) {
        expect(typeof id).toBe("string");
        expect(id.length).toBeWithin(1, 201);
        expect(JSON.stringify(body)).toContain(JSON.stringify(id));
      }
    }),
    { seed: SEED, numRuns: 400 },
  );
});

test("ids of other types, empty ones and long ones say nothing", () => {
  const long = "x".repeat(201);
  for (const id of [7, null, true, ["a"], { a: 1 }, "", long]) {
    const body = { params: { message: { contextId: id, taskId: id } } };
    expect(idsOf("SendMessage", "request", body)).toEqual(NONE);
    expect(idsOf("GetTask", "request", { params: { id } })).toEqual(NONE);
  }
  for (const body of [undefined, null, 1, "x", [], [[]], { params: [] }, { params: "id" }])
    expect(idsOf("GetTask", "request", body)).toEqual(NONE);
});

test("an envelope's id tells its call, and a task event's its task", () => {
  expect(callOf("a.b")).toBe("a.b");
  expect(callOf("a.b.r")).toBe("a.b");
  expect(callOf("a.17")).toBe("a");
  expect(callOf(".r")).toBe(".r");
  expect(taskOfEvent("t-1.e12")).toBe("t-1");
  expect(taskOfEvent("t-1.12")).toBeUndefined();
});
