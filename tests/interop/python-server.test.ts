/** An agent that the Python SDK serves, added by the URL of its card and called like one of the mesh. */
import { afterAll, beforeAll, expect } from "bun:test";
import { join } from "node:path";
import {
  CancelTaskRequest,
  GetTaskRequest,
  type StreamResponse,
  SubscribeToTaskRequest,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import type { Transport } from "@a2a-js/sdk/client";
import type { Mesh } from "../../a2a/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { type Child, onFreePort, startChild } from "../support/process.ts";
import { PYTHON, testWithPython } from "./python.ts";
import { saying } from "./script.ts";

const testPython = await testWithPython();
const SERVER = join(import.meta.dir, "server.py");

let nats: NatsServer;
let mesh: Mesh;
beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "asking");
});
afterAll(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

/** The Python agent that serves these bindings, as our callers have it. */
async function startParrot(bindings: string): Promise<{ parrot: Transport } & AsyncDisposable> {
  const launch = (port: number): Promise<Child> =>
    startChild({
      command: [PYTHON, "-B", SERVER, `${port}`, bindings],
      ready: /Uvicorn running/,
      timeoutMs: 30_000,
    });
  const [port, child] = await onFreePort(launch);
  const name = `parrot-${port}`;
  await (await mesh.external()).add(`http://127.0.0.1:${port}`, { name });
  const parrot = await mesh.agent(`external:${name}`);
  return { parrot, [Symbol.asyncDispose]: () => child.stop(3_000) };
}

const textOf = ({ artifacts }: Task) =>
  artifacts
    .flatMap(({ parts }) => parts)
    .map(({ content }) => (content?.$case === "text" ? content.value : ""))
    .join("");

async function send(parrot: Transport, ...words: Parameters<typeof saying>): Promise<Task> {
  const answer = await parrot.sendMessage(saying(...words));
  if ("messageId" in answer) throw new Error("a message in place of a task");
  return answer;
}

const nameOf = (call: Promise<unknown>) =>
  call.then(
    () => "it succeeded",
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );

testPython.each(["JSONRPC", "HTTP+JSON"])("called over %s", async (binding) => {
  await using served = await startParrot(binding);
  const { parrot } = served;
  const said = await send(parrot, "say one two three");
  expect(said.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(textOf(said)).toBe("one two three ");

  const events: StreamResponse[] = [];
  for await (const event of parrot.sendMessageStream(saying("say a b"))) events.push(event);
  expect(events.map(({ payload }) => payload?.$case)).toEqual([
    "task",
    "statusUpdate",
    "artifactUpdate",
    "artifactUpdate",
    "statusUpdate",
  ]);

  const asked = await send(parrot, "ask");
  expect(asked.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
  const ended = await send(parrot, "say this", { taskId: asked.id, contextId: asked.contextId });
  expect(ended.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  const got = await parrot.getTask(GetTaskRequest.fromJSON({ id: asked.id }));
  expect(textOf(got)).toBe("this ");
  const failed = await send(parrot, "fail");
  expect(failed.status?.state).toBe(TaskState.TASK_STATE_FAILED);
});

testPython.each(["JSONRPC", "HTTP+JSON"])(
  "left, subscribed to, cancelled and refused over %s",
  async (binding) => {
    await using served = await startParrot(binding);
    const { parrot } = served;
    const { id } = await send(parrot, "hang", { returnImmediately: true });
    const states: (TaskState | undefined)[] = [];
    for await (const { payload } of parrot.resubscribeTask(
      SubscribeToTaskRequest.fromJSON({ id }),
    )) {
      if (payload?.$case === "statusUpdate") states.push(payload.value.status?.state);
      if (payload?.$case !== "task") continue;
      const cancelled = await parrot.cancelTask(CancelTaskRequest.fromJSON({ id }));
      expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
    }
    expect(states.at(-1)).toBe(TaskState.TASK_STATE_CANCELED);
    const none = GetTaskRequest.fromJSON({ id: "no-such-task" });
    expect(await nameOf(parrot.getTask(none))).toBe("TaskNotFoundError");
    expect(await nameOf(parrot.cancelTask(CancelTaskRequest.fromJSON({ id })))).toBe(
      "TaskNotCancelableError",
    );
    expect(await nameOf(send(parrot, "say x", { taskId: id }))).toBe("UnsupportedOperationError");
  },
);
