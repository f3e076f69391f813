/** A task's state at any moment, from the audit alone: every change is reported, numbered, before it is told. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { CancelTaskRequest, GetTaskRequest, StreamResponse, Task, TaskState } from "@a2a-js/sdk";
import { AUDIT_STREAM, type AuditRecord, type Mesh, unpackRecords } from "../../a2a/mod.ts";
import { TASKS_BUCKET, TaskStore } from "../../a2a/tasks/store.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { openMesh, request, worker } from "./echo.ts";

let nats: NatsServer;
let host: Mesh;
let client: Mesh;

beforeAll(async () => {
  nats = await startNats();
  host = await openMesh(nats.url, "worker");
  client = await openMesh(nats.url, "client");
  await host.serve(worker);
});
afterAll(async () => {
  await Promise.all([host.close(), client.close()]);
  await nats[Symbol.asyncDispose]();
});

/** The reports of a task's changes, in stream order. */
async function eventsOf(taskId: string): Promise<AuditRecord[]> {
  await host.outbox.drain(5_000);
  const records: AuditRecord[] = [];
  const { state } = await client.jsm.streams.info(AUDIT_STREAM);
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await client.jsm.streams.getMessage(AUDIT_STREAM, { seq });
    if (message) records.push(...unpackRecords(message.data));
  }
  return records.filter(({ kind, id }) => kind === "task" && id.startsWith(`${taskId}.e`));
}

/** The task its events make. */
function fold(events: readonly AuditRecord[]): unknown {
  let task: Task | undefined;
  for (const { body } of events) {
    const { payload } = StreamResponse.fromJSON(JSON.parse(body));
    if (payload?.$case === "task") task = payload.value;
    if (payload?.$case === "statusUpdate" && task) task.status = payload.value.status;
    if (payload?.$case === "artifactUpdate" && task && payload.value.artifact)
      task.artifacts.push(payload.value.artifact);
  }
  return task && Task.toJSON(task);
}

test.each([
  ["that completes", { steps: 3 }, TaskState.TASK_STATE_COMPLETED, 6],
  ["that fails", { steps: 1, fail: "no" }, TaskState.TASK_STATE_FAILED, 3],
])(
  "a task %s, and nobody listens: its events make the task that is stored",
  async (_, plan, state, count) => {
    const started = await client
      .transport("worker")
      .sendMessage(request(plan, { returnImmediately: true }));
    const { id } = started as Task;
    let task = started as Task;
    await until("its end", async () => {
      task = await client.transport("worker").getTask(GetTaskRequest.fromJSON({ id }));
      return task.status?.state === state;
    });
    const events = await eventsOf(id);
    expect(events.map((event) => event.id)).toEqual(
      events.map((_event, index) => `${id}.e${index + 1}`),
    );
    expect(events.length).toBe(count);
    for (const event of events)
      expect(event).toMatchObject({ side: "agent", caller: "client", agent: "worker" });
    expect(fold(events)).toEqual(Task.toJSON(task));
  },
);

test("a cancelled task ends once; what its turn says afterwards is nobody's", async () => {
  const started = await client
    .transport("worker")
    .sendMessage(request({ steps: 1, hang: true }, { returnImmediately: true }));
  const { id } = started as Task;
  await client.transport("worker").cancelTask(CancelTaskRequest.fromJSON({ id }));
  const task = await client.transport("worker").getTask(GetTaskRequest.fromJSON({ id }));
  const events = await eventsOf(id);
  expect(events.map((event) => event.id)).toEqual([`${id}.e1`, `${id}.e2`, `${id}.e3`]);
  expect(fold(events)).toEqual(Task.toJSON(task));
});

test("the end that another replica gives a task whose own is gone bears the number 0", async () => {
  const started = await client
    .transport("worker")
    .sendMessage(request({}, { returnImmediately: true }));
  const orphan = { ...(started as Task), id: "orphan-1", artifacts: [] };
  orphan.status = { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined };
  const kv = await client.kvm.open(TASKS_BUCKET);
  await new TaskStore(kv, "worker", "gone").create(orphan, "client");
  const cancelled = await client
    .transport("worker")
    .cancelTask(CancelTaskRequest.fromJSON({ id: orphan.id }));
  expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
  const [event, ...more] = await eventsOf(orphan.id);
  expect(more).toEqual([]);
  expect(event).toMatchObject({ id: "orphan-1.e0", method: "CancelTask" });
  const { payload } = StreamResponse.fromJSON(JSON.parse(event?.body ?? ""));
  expect(payload?.value).toMatchObject({ taskId: "orphan-1", status: cancelled.status });
});
