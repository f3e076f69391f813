/** The example agent on a real mesh: what docs/write-an-agent.md says of it is so. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  CancelTaskRequest,
  GetTaskRequest,
  SendMessageRequest,
  type StreamResponse,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import { callParameters, type Mesh } from "../../a2a/mod.ts";
import { makeEchoAgent } from "../../agents/mod.ts";
import { type Clock, newId, newTrace, systemClock } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";

/** A word each turn of the event loop, however slow the echo was asked to be. */
const fast: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(0, signal) };
/** Says nothing after the second word. */
function stuckClock(): Clock {
  let sleeps = 0;
  return {
    ...systemClock,
    sleep: (_ms, signal) => systemClock.sleep(++sleeps > 2 ? 600_000 : 0, signal),
  };
}

let nats: NatsServer;
let serving: Mesh;
let client: Mesh;
beforeAll(async () => {
  nats = await startNats();
  serving = await openMesh(nats.url, "serving");
  client = await openMesh(nats.url, "client");
  await serving.serve(makeEchoAgent(systemClock));
});
afterAll(async () => {
  await Promise.all([serving.close(), client.close()]);
  await nats[Symbol.asyncDispose]();
});

interface Saying {
  readonly data?: unknown;
  readonly taskId?: string;
  readonly skillId?: string;
  readonly returnImmediately?: boolean;
}

function saying(text: string, options: Saying = {}): SendMessageRequest {
  const { data, taskId, skillId, returnImmediately = false } = options;
  const parts = [{ text }, ...(data === undefined ? [] : [{ data }])];
  const metadata = skillId === undefined ? undefined : { skillId };
  return SendMessageRequest.fromJSON({
    message: { messageId: newId(), role: "ROLE_USER", taskId, parts, metadata },
    configuration: { returnImmediately },
  });
}

/** The text of the artifact, as it has grown so far. */
function echoOf(task: Task): string {
  const parts = task.artifacts.at(-1)?.parts ?? [];
  return parts.map(({ content }) => (content?.$case === "text" ? content.value : "")).join("");
}

function saidBy({ status }: Task): unknown {
  return status?.message?.parts[0]?.content?.value;
}

async function send(request: SendMessageRequest, scopes?: string): Promise<Task> {
  const options = scopes === undefined ? {} : { serviceParameters: { "a2a-scopes": scopes } };
  return (await client.transport("echo").sendMessage(request, options)) as Task;
}

test("a text is said again word by word: progress and a growing artifact in the order they were told", async () => {
  const events: StreamResponse[] = [];
  for await (const event of client.transport("echo").sendMessageStream(saying("ahoy  there"))) {
    events.push(event);
  }
  const told = events.map(({ payload }) => {
    if (payload?.$case === "statusUpdate")
      return payload.value.status?.message?.parts[0]?.content?.value;
    if (payload?.$case !== "artifactUpdate") return payload?.$case;
    const { artifact, append, lastChunk } = payload.value;
    return [artifact?.parts[0]?.content?.value, append, lastChunk];
  });
  expect(told).toEqual([
    "task",
    "word 1 of 2",
    ["ahoy ", false, false],
    "word 2 of 2",
    ["there ", true, true],
    "That was all.",
  ]);
});

test("without a text the task waits for one, and the next message is its next turn", async () => {
  const asked = await send(saying("  "));
  expect(asked.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
  expect(saidBy(asked)).toBe("What shall I say?");
  const ended = await send(saying("never mind", { taskId: asked.id }));
  expect(ended.id).toBe(asked.id);
  expect(ended.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(echoOf(ended)).toBe("never mind ");
  expect(ended.history).toHaveLength(2);
});

test("a slow echo is cancelled while it waits for its next word", async () => {
  const request = saying("a b c", { data: { everyMs: 60_000 }, returnImmediately: true });
  const started = await send(request);
  const transport = client.transport("echo");
  const cancelled = await transport.cancelTask(CancelTaskRequest.fromJSON({ id: started.id }));
  expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
});

test.each([
  [{ everyMs: -1 }, "data.everyMs: "],
  [{ everyMs: "soon" }, "data.everyMs: "],
  [{ everyMs: 1e9 }, "data.everyMs: "],
  ["now", "expected object"],
])("a wish that cannot be is rejected by its name: %j", async (data, named) => {
  const task = await send(saying("x", { data }));
  expect(task.status?.state).toBe(TaskState.TASK_STATE_REJECTED);
  expect(saidBy(task)).toContain(named);
});

test("a text without end is rejected", async () => {
  const task = await send(saying("x ".repeat(1_001)));
  expect(task.status?.state).toBe(TaskState.TASK_STATE_REJECTED);
  expect(saidBy(task)).toBe("1001 words, at most 1000");
});

test("shouting needs its scope, echoing none; in the mesh nobody asks", async () => {
  const shout = saying("quiet", { skillId: "shout" });
  await expect(send(shout, "other")).rejects.toMatchObject({ code: "FORBIDDEN" });
  expect(echoOf(await send(saying("quiet", { skillId: "shout" }), "echo:shout"))).toBe("QUIET ");
  expect(echoOf(await send(saying("quiet", { skillId: "shout" })))).toBe("QUIET ");
  expect(echoOf(await send(saying("quiet", { skillId: "echo" }), "other"))).toBe("quiet ");
  // Who names no skill may mean any.
  await expect(send(saying("quiet"), "other")).rejects.toMatchObject({ code: "FORBIDDEN" });
});

test("the replica dies in mid-word: another says the whole text, and none of it twice", async () => {
  await using other = await startNats();
  const doomed = await openMesh(other.url, "doomed");
  await doomed.serve(makeEchoAgent(stuckClock()));
  const asking = await openMesh(other.url, "asking");
  const request = saying("one two three four", { returnImmediately: true });
  const transport = asking.transport("echo");
  const { id } = (await transport.sendMessage(request)) as Task;
  // A request that reached the replica as it died is never answered: another look is.
  const serviceParameters = callParameters({ timeoutMs: 1_000, trace: newTrace() });
  const look = () => transport.getTask(GetTaskRequest.fromJSON({ id }), { serviceParameters });
  await until("two words are said", async () => echoOf(await look()) === "one two ");
  const heir = await openMesh(other.url, "heir");
  await heir.serve(makeEchoAgent(fast));
  await doomed.nc.close();
  await until("its end", async () => {
    const task = await look().catch(() => undefined);
    return task?.status?.state === TaskState.TASK_STATE_COMPLETED;
  });
  const ended = await look();
  expect(ended.artifacts).toHaveLength(1);
  expect(echoOf(ended)).toBe("one two three four ");
  await Promise.all([asking.close(), heir.close()]);
});
