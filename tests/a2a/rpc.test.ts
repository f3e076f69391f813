import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { GetTaskRequest, ListTasksRequest, type Task, TaskState } from "@a2a-js/sdk";
import { UnsupportedOperationError } from "@a2a-js/sdk/errors";
import { callParameters, type Mesh } from "../../a2a/mod.ts";
import { newTrace, PetrelError } from "../../core/mod.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { echo, openMesh, request, worker } from "./echo.ts";

let nats: NatsServer;
let host: Mesh;
let other: Mesh;
let client: Mesh;

beforeAll(async () => {
  nats = await startNats();
  host = await openMesh(nats.url, "host");
  other = await openMesh(nats.url, "other");
  client = await openMesh(nats.url, "client");
  await host.serve(echo);
  await host.serve(worker, { runningMax: 5 });
});
afterAll(async () => {
  await Promise.all([host.close(), other.close(), client.close()]);
  await nats[Symbol.asyncDispose]();
});

const cancelled = { tenant: "", metadata: undefined };

describe("unary calls", () => {
  test("a message agent answers with a message and learns its caller from the subject", async () => {
    const answer = await client.transport("echo").sendMessage(request({ n: 1 }, { text: "hi" }));
    expect(answer).toMatchObject({ messageId: expect.any(String) });
    const parts = (answer as { parts: { content: { value: unknown } }[] }).parts;
    expect(parts.map((part) => part.content.value)).toEqual([
      "hi",
      { caller: "client", got: { n: 1 } },
    ]);
  });

  test("a blocking SendMessage returns the finished task with its artifact", async () => {
    const trace = newTrace();
    const task = (await client.transport("worker").sendMessage(request({ steps: 2, artifact: 7 }), {
      serviceParameters: callParameters({ timeoutMs: 5_000, trace }),
    })) as Task;
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(task.artifacts[0]?.parts[0]?.content?.value).toEqual({
      artifact: 7,
      trace: trace.traceId,
    });
  });

  test("returnImmediately gives a running task; GetTask sees it on any replica, but only its caller", async () => {
    const task = (await client
      .transport("worker")
      .sendMessage(request({ hang: true }, { returnImmediately: true }))) as Task;
    expect(task.status?.state).toBe(TaskState.TASK_STATE_WORKING);
    const asked = await client
      .transport("worker")
      .getTask(GetTaskRequest.fromJSON({ id: task.id }));
    expect(asked.id).toBe(task.id);
    const stranger = other.transport("worker").getTask(GetTaskRequest.fromJSON({ id: task.id }));
    await expect(stranger).rejects.toThrow(/not found/i);
    const ended = await client.transport("worker").cancelTask({ ...cancelled, id: task.id });
    expect(ended.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
    await expect(
      client.transport("worker").cancelTask({ ...cancelled, id: task.id }),
    ).rejects.toThrow(/ended/);
  });

  test("a failing agent fails its task, and the reason is in the status", async () => {
    const task = (await client
      .transport("worker")
      .sendMessage(request({ fail: "no luck" }))) as Task;
    expect(task.status?.state).toBe(TaskState.TASK_STATE_FAILED);
    expect(task.status?.message?.parts[0]?.content?.value).toBe("no luck");
  });

  test("an agent that is not there is told at once, as UNAVAILABLE", async () => {
    const call = client.transport("nobody").sendMessage(request({}));
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE", retry: "later" });
  });

  test("beyond its bound an agent answers OVERLOADED, and the code survives the wire", async () => {
    const transport = client.transport("worker");
    const hang = () => transport.sendMessage(request({ hang: true }, { returnImmediately: true }));
    const running = (await Promise.all(Array.from({ length: 5 }, hang))) as Task[];
    const error = await hang().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PetrelError);
    expect(error).toMatchObject({ code: "OVERLOADED", retry: "later" });
    await Promise.all(running.map(({ id }) => transport.cancelTask({ ...cancelled, id })));
  });

  test("ListTasks gives a caller its own tasks, newest first, page by page; another caller none", async () => {
    const transport = client.transport("worker");
    const sent: string[] = [];
    for (let n = 1; n <= 3; n++) {
      const task = (await transport.sendMessage(request({ steps: n }))) as Task;
      sent.unshift(task.id);
    }
    const ask = (params: object) => transport.listTasks(ListTasksRequest.fromJSON(params));
    const whole = await ask({ includeArtifacts: true });
    expect(whole.tasks.slice(0, 3).map(({ id }) => id)).toEqual(sent);
    expect(whole.tasks[0]?.artifacts).toHaveLength(1);
    const first = await ask({ pageSize: 2 });
    expect(first.tasks.map(({ id }) => id)).toEqual(sent.slice(0, 2));
    expect(first.tasks[0]?.artifacts).toEqual([]);
    expect(first).toMatchObject({ pageSize: 2, totalSize: whole.totalSize });
    const second = await ask({ pageSize: 2, pageToken: first.nextPageToken });
    expect(second.tasks[0]?.id).toBe(sent[2]);
    const none = await other.transport("worker").listTasks(ListTasksRequest.fromJSON({}));
    expect(none).toMatchObject({ tasks: [], totalSize: 0, nextPageToken: "" });
    await expect(ask({ pageSize: 101 })).rejects.toThrow(/pageSize/);
  });

  test("an operation that is not served answers UnsupportedOperation", async () => {
    const call = client.transport("worker").getExtendedAgentCard({ tenant: "" });
    await expect(call).rejects.toBeInstanceOf(UnsupportedOperationError);
  });
});

describe("streams", () => {
  test("frames arrive in order: the task, each step, the artifact, the end", async () => {
    const cases: string[] = [];
    for await (const event of client.transport("worker").sendMessageStream(request({ steps: 3 }))) {
      cases.push(event.payload?.$case ?? "?");
    }
    expect(cases).toEqual([
      "task",
      "statusUpdate",
      "statusUpdate",
      "statusUpdate",
      "artifactUpdate",
      "statusUpdate",
    ]);
  });

  test("a client that goes away does not stop the task", async () => {
    let id = "";
    for await (const event of client
      .transport("worker")
      .sendMessageStream(request({ hang: true }))) {
      if (event.payload?.$case === "task") id = event.payload.value.id;
      break;
    }
    const task = await client.transport("worker").getTask(GetTaskRequest.fromJSON({ id }));
    expect(task.status?.state).toBe(TaskState.TASK_STATE_WORKING);
    await client.transport("worker").cancelTask({ ...cancelled, id });
  });

  test("a stream to nobody fails at once", async () => {
    const stream = client.transport("nobody").sendMessageStream(request({}));
    await expect(stream.next()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("a stream that outlives its deadline ends with DEADLINE_EXCEEDED", async () => {
    const serviceParameters = callParameters({ timeoutMs: 200, trace: newTrace() });
    const stream = client
      .transport("worker")
      .sendMessageStream(request({ hang: true }), { serviceParameters });
    const first = await stream.next();
    const id = first.value?.payload?.$case === "task" ? first.value.payload.value.id : "";
    await expect(stream.next()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await client.transport("worker").cancelTask({ ...cancelled, id });
  });
});

test("cancel reaches the replica that runs the task, whichever one is asked", async () => {
  const second = await openMesh(nats.url, "host2");
  await second.serve(worker);
  const transport = client.transport("worker");
  const tasks = (await Promise.all(
    Array.from({ length: 4 }, () =>
      transport.sendMessage(request({ hang: true }, { returnImmediately: true })),
    ),
  )) as Task[];
  const ended = await Promise.all(
    tasks.map(({ id }) => transport.cancelTask({ ...cancelled, id })),
  );
  expect(ended.map((task) => task.status?.state)).toEqual(
    tasks.map(() => TaskState.TASK_STATE_CANCELED),
  );
  await second.close();
});
