/** A task's state at any moment, from the audit alone: every change is reported, numbered, once it is stored. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { CancelTaskRequest, GetTaskRequest, StreamResponse, Task, TaskState } from "@a2a-js/sdk";
import {
  AUDIT_STREAM,
  type AuditRecord,
  findTask,
  type Mesh,
  unpackRecords,
} from "../../a2a/mod.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { openMesh, request, worker } from "./echo.ts";
import { callContext, replicaOf } from "./replica.ts";

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
    // The log and the audit have the same events under the same numbers.
    const found = await findTask({ js: client.js, agent: "worker", taskId: id });
    expect(found?.lastEvent).toBe(count);
    for (const [at] of events.entries()) {
      const then = found?.at(at + 1);
      expect(fold(events.slice(0, at + 1))).toEqual(then && Task.toJSON(then));
    }
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

test("the end that another replica gives a task whose own is gone bears the next number", async () => {
  const gone = await replicaOf(client, worker, { instance: "gone" });
  const plan = request({ steps: 2, hang: true }, { returnImmediately: true });
  const { id } = (await gone.handler.sendMessage(plan, callContext())) as Task;
  await until("its steps", () => gone.reported.length === 3);
  const cancelled = await client.transport("worker").cancelTask(CancelTaskRequest.fromJSON({ id }));
  expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
  const events = await eventsOf(id);
  const event = events.at(-1);
  // The dead one's last record is told again: nobody can know whether it was.
  expect(events.map((one) => one.id)).toEqual([1, 2, 3, 4].map((n) => `${id}.e${n}`));
  expect(event).toMatchObject({ id: `${id}.e4`, method: "CancelTask", caller: "client" });
  const { payload } = StreamResponse.fromJSON(JSON.parse(event?.body ?? ""));
  expect(payload?.value).toMatchObject({ taskId: id, status: cancelled.status });
  expect(gone.reported).toEqual([`${id}.e1`, `${id}.e2`, `${id}.e3`]);
  await gone.runner.shutdown();
  const found = await findTask({ js: client.js, agent: "worker", taskId: id });
  expect(found).toMatchObject({ lastEvent: 4, instance: host.instance, task: cancelled });
});

test("a task whose replica died is ended by another, under the next number", async () => {
  const gone = await replicaOf(client, worker, { instance: "gone-2" });
  const plan = request({ steps: 1, hang: true }, { returnImmediately: true });
  const { id } = (await gone.handler.sendMessage(plan, callContext())) as Task;
  const ended = async () =>
    (await client.transport("worker").getTask(GetTaskRequest.fromJSON({ id }))).status?.state ===
    TaskState.TASK_STATE_FAILED;
  await until("its end", ended);
  const events = await eventsOf(id);
  // Nobody can know whether the dead one told of its last record: it is told again.
  expect(events.map((event) => event.id)).toEqual([`${id}.e1`, `${id}.e2`, `${id}.e3`]);
  // It is reported as part of the call that began the task.
  expect(events[0]).toMatchObject({ method: "SendMessage", caller: "client", agent: "worker" });
  await gone.runner.shutdown();
  expect((await eventsOf(id)).length).toBe(3);
});
