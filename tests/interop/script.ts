/**
 * What a client of an agent does, once through, with the JS SDK's own client: the same calls whatever
 * carries them. It writes down what it saw, without ids and times, so that two runs can be compared.
 */
import {
  CancelTaskRequest,
  DeleteTaskPushNotificationConfigRequest,
  GetTaskPushNotificationConfigRequest,
  GetTaskRequest,
  ListTaskPushNotificationConfigsRequest,
  ListTasksRequest,
  type Message,
  SendMessageRequest,
  type StreamResponse,
  SubscribeToTaskRequest,
  type Task,
  TaskPushNotificationConfig,
  TaskState,
  taskStateToJSON,
} from "@a2a-js/sdk";
import type { Client } from "@a2a-js/sdk/client";
import { newId } from "../../core/mod.ts";

export interface Saying {
  readonly messageId?: string;
  readonly taskId?: string;
  readonly contextId?: string;
  readonly everyMs?: number;
  readonly mediaType?: string;
  readonly returnImmediately?: boolean;
}

export function saying(text: string, options: Saying = {}): SendMessageRequest {
  const { messageId = newId(), taskId, contextId, everyMs, mediaType, returnImmediately } = options;
  const data = everyMs === undefined ? [] : [{ data: { everyMs } }];
  const parts = [{ text, mediaType }, ...data];
  return SendMessageRequest.fromJSON({
    message: { messageId, taskId, contextId, role: "ROLE_USER", parts },
    configuration: { returnImmediately },
  });
}

/** Runs the script; `client` asks an agent that is agents/echo under whatever name. */
export async function runScript(client: Client): Promise<string[]> {
  const seen: string[] = [];
  const contextId = newId();
  await conversation(client, contextId, seen);
  await slowTask(client, contextId, seen);
  const { id } = await taskOf(client.sendMessage(saying("the end", { contextId })));
  await refusals(client, id, seen);
  await webhooks(client, id, seen);
  const page = await client.listTasks(ListTasksRequest.fromJSON({ contextId, pageSize: 3 }));
  seen.push(`list: ${page.tasks.length} of ${page.totalSize}, more: ${page.nextPageToken !== ""}`);
  return seen;
}

async function conversation(client: Client, contextId: string, seen: string[]): Promise<void> {
  const messageId = newId();
  const first = await taskOf(client.sendMessage(saying("ahoy there", { messageId, contextId })));
  seen.push(`send: ${wordsOf(first)}`);
  const again = await taskOf(client.sendMessage(saying("ahoy there", { messageId, contextId })));
  seen.push(`send again: ${again.id === first.id ? "the same task" : "another task"}`);
  for await (const event of client.sendMessageStream(saying("one two", { contextId }))) {
    seen.push(`stream: ${eventWords(event)}`);
  }
  const asked = await taskOf(client.sendMessage(saying("", { contextId })));
  seen.push(`ask: ${wordsOf(asked)}`);
  const reply = saying("this", { taskId: asked.id });
  seen.push(`reply: ${wordsOf(await taskOf(client.sendMessage(reply)))}`);
  const short = await client.getTask(GetTaskRequest.fromJSON({ id: asked.id, historyLength: 1 }));
  seen.push(`get: ${wordsOf(short)}, history ${short.history.length}`);
}

/** Left, found again, watched, and cancelled. */
async function slowTask(client: Client, contextId: string, seen: string[]): Promise<void> {
  const request = saying("never heard", { contextId, everyMs: 60_000, returnImmediately: true });
  const { id } = await taskOf(client.sendMessage(request));
  for await (const event of client.resubscribeTask(SubscribeToTaskRequest.fromJSON({ id }))) {
    seen.push(`subscribe: ${eventWords(event)}`);
    if (event.payload?.$case !== "task") continue;
    const cancelled = await client.cancelTask(CancelTaskRequest.fromJSON({ id }));
    seen.push(`cancel: ${wordsOf(cancelled)}`);
  }
}

async function refusals(client: Client, ended: string, seen: string[]): Promise<void> {
  const note = async (what: string, call: Promise<unknown>) =>
    seen.push(`${what}: ${await refusalOf(call)}`);
  const none = "no-such-task";
  const stream = (id: string) =>
    Array.fromAsync(client.resubscribeTask(SubscribeToTaskRequest.fromJSON({ id })));
  await note("get none", client.getTask(GetTaskRequest.fromJSON({ id: none })));
  await note("cancel none", client.cancelTask(CancelTaskRequest.fromJSON({ id: none })));
  await note("subscribe to none", stream(none));
  await note("subscribe to ended", stream(ended));
  await note("cancel ended", client.cancelTask(CancelTaskRequest.fromJSON({ id: ended })));
  await note("send to ended", client.sendMessage(saying("x", { taskId: ended })));
  await note("send a film", client.sendMessage(saying("x", { mediaType: "video/mp4" })));
  await note("send nothing", client.sendMessage(SendMessageRequest.fromJSON({})));
  await note("page of 0", client.listTasks(ListTasksRequest.fromJSON({ pageSize: 0 })));
  const config = { taskId: ended, id: "c", url: "https://127.0.0.1/" };
  const inside = TaskPushNotificationConfig.fromJSON(config);
  await note("webhook inside", client.createTaskPushNotificationConfig(inside));
  // The client itself does not ask where the card says that there is none.
  const serviceParameters = { "A2A-Version": "1.0" };
  const card = client.transport.getExtendedAgentCard({ tenant: "" }, { serviceParameters });
  await note("extended card", card);
}

async function webhooks(client: Client, taskId: string, seen: string[]): Promise<void> {
  const url = "https://hooks.petrel.example/a2a";
  const place = { taskId, id: "hook-1" };
  const made = await client.createTaskPushNotificationConfig(
    TaskPushNotificationConfig.fromJSON({ ...place, url, token: "t" }),
  );
  seen.push(`create config: ${made.id} ${made.url}`);
  const got = await client.getTaskPushNotificationConfig(
    GetTaskPushNotificationConfigRequest.fromJSON(place),
  );
  seen.push(`get config: ${got.id} ${got.url}`);
  const list = () =>
    client.listTaskPushNotificationConfig(
      ListTaskPushNotificationConfigsRequest.fromJSON({ taskId }),
    );
  seen.push(`list configs: ${(await list()).configs.map(({ id }) => id).join()}`);
  for (const time of ["once", "twice"]) {
    await client.deleteTaskPushNotificationConfig(
      DeleteTaskPushNotificationConfigRequest.fromJSON(place),
    );
    seen.push(`delete config ${time}: ${(await list()).configs.length} left`);
  }
}

async function taskOf(answer: Promise<Message | Task>): Promise<Task> {
  const found = await answer;
  if ("messageId" in found) throw new Error("a message in place of a task");
  return found;
}

/** The state, what the agent says of it, and the text of the artifacts. */
function wordsOf({ status, artifacts }: Pick<Task, "status" | "artifacts">): string {
  const state = taskStateToJSON(status?.state ?? TaskState.TASK_STATE_UNSPECIFIED).slice(
    "TASK_STATE_".length,
  );
  const told = status?.message ? ` "${textOf(status.message.parts)}"` : "";
  const text = textOf(artifacts.flatMap(({ parts }) => parts));
  return `${state}${told}${text ? ` [${text.trim()}]` : ""}`;
}

function textOf(parts: Message["parts"]): string {
  return parts.map(({ content }) => (content?.$case === "text" ? content.value : "")).join("");
}

function eventWords({ payload }: StreamResponse): string {
  switch (payload?.$case) {
    case "task":
      return `task ${wordsOf(payload.value)}`;
    case "statusUpdate":
      return wordsOf({ status: payload.value.status, artifacts: [] });
    case "artifactUpdate": {
      const { artifact, append, lastChunk } = payload.value;
      const flags = `${append ? " append" : ""}${lastChunk ? " last" : ""}`;
      return `artifact ${artifact?.name} [${textOf(artifact?.parts ?? []).trim()}]${flags}`;
    }
    default:
      return payload?.$case ?? "nothing";
  }
}

/** The name of the error, which says what it is; what it says may differ from binding to binding. */
async function refusalOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "it succeeded",
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );
}
