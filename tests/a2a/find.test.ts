/** A task found by its id alone: whose it is, how it stood after each event, and what is no task's log. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { StreamResponse, type Task, TaskState } from "@a2a-js/sdk";
import * as fc from "fast-check";
import type { Mesh } from "../../a2a/mod.ts";
import { type FindOptions, findTask } from "../../a2a/tasks/find.ts";
import { TaskLog } from "../../a2a/tasks/log.ts";
import { type Entry, entryJson } from "../../a2a/tasks/record.ts";
import { newId, silentLogger, systemClock } from "../../core/mod.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { openMesh, request, worker } from "./echo.ts";

const AGENT = "worker";
let nats: NatsServer;
let mesh: Mesh;
let log: TaskLog;

beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "client");
  const { nc, js } = mesh;
  log = new TaskLog({ nc, js, agent: AGENT, clock: systemClock, log: silentLogger });
});
afterAll(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

const find = (taskId: string, more: Partial<FindOptions> = {}) =>
  findTask({ js: mesh.js, agent: AGENT, taskId, ...more });

function begun(id: string): Entry {
  const status = { state: "TASK_STATE_WORKING" };
  return { event: StreamResponse.fromJSON({ task: { id, contextId: "c", status } }) };
}

function chunk(taskId: string, text: string): Entry {
  const artifact = { artifactId: "a", name: "a", parts: [{ text }] };
  const update = { taskId, contextId: "c", artifact, append: true };
  return { event: StreamResponse.fromJSON({ artifactUpdate: update }) };
}

/** Appends a record behind `seq` that claims to begin with event `first`. */
function append(
  taskId: string,
  entries: readonly Entry[],
  { first = 1, seq = 0, owner = "client", instance = "i1" } = {},
): Promise<number> {
  const events = entries.filter((entry) => "event" in entry).length;
  const state = "TASK_STATE_WORKING";
  const last = first + events - 1;
  const head = { owner: instance, writer: 1, first, last, state, context: "c", at: "" };
  return log.append({ owner, taskId }, head, entries.map(entryJson), seq);
}

const textsOf = (task: Task | undefined) =>
  task?.artifacts.flatMap(({ parts }) => parts.map(({ content }) => content?.value));

test("a real task of whatever owner is found by its agent and its id", async () => {
  const host = await openMesh(nats.url, AGENT);
  await host.serve(worker);
  const task = await mesh.transport(AGENT).sendMessage(request({ steps: 2 }));
  if (!("status" in task)) throw new Error("the worker answers with a task");
  const found = await find(task.id);
  expect(found).toMatchObject({
    taskId: task.id,
    owner: "client",
    instance: host.instance,
    lastEvent: 5,
  });
  expect(found?.task).toEqual(task);
  expect(found?.at(1)?.status?.state).toBe(TaskState.TASK_STATE_WORKING);
  expect(found?.at(0)).toBeUndefined();
  await host.close();
});

test("however its events lie in records, a task is folded up to each of them", async () => {
  const seed = Number(process.env.PETREL_TEST_SEED ?? 1);
  const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(sizes, async (records) => {
      const taskId = newId();
      const owner = "client=abc";
      let seq = await append(taskId, [begun(taskId)], { owner });
      let event = 1;
      for (const size of records) {
        const chunks = Array.from({ length: size }, (_, at) => chunk(taskId, `${event + at + 1}`));
        seq = await append(taskId, chunks, { owner, seq, first: event + 1 });
        event += size;
      }
      const found = await find(taskId);
      expect(found).toMatchObject({ owner, lastEvent: event });
      for (let at = 1; at <= event; at++) {
        const expected = Array.from({ length: at - 1 }, (_, index) => `${index + 2}`);
        expect(textsOf(found?.at(at))).toEqual(expected);
      }
    }),
    { seed, numRuns: 30 },
  );
});

test("the replica is the one that wrote last; parts that were moved stand as they were told", async () => {
  const taskId = newId();
  const seq = await append(taskId, [begun(taskId), chunk(taskId, "one"), chunk(taskId, "two")]);
  const moved = { artifactId: "a", at: 0, parts: 2, part: { url: "nats-object:x" } };
  const entries: Entry[] = [{ moved }, chunk(taskId, "three")];
  await append(taskId, entries, { seq, first: 4, instance: "i2" });
  const found = await find(taskId);
  expect(found).toMatchObject({ instance: "i2", lastEvent: 4 });
  expect(textsOf(found?.task)).toEqual(["one", "two", "three"]);
});

test("only an event that the task has can be asked for", async () => {
  const taskId = newId();
  await append(taskId, [begun(taskId)]);
  const found = await find(taskId);
  for (const event of [-1, 2, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => found?.at(event)).toThrow(/the task has events 1 to 1/);
});

test("what has no log is not found: no task, no name, a beginning that expired", async () => {
  for (const taskId of ["no-such-task", "*", ">", "a.b", "", "x".repeat(129)])
    expect(await find(taskId)).toBeUndefined();
  const taskId = newId();
  await append(taskId, [begun(taskId)]);
  for (const agent of ["other", "*", ">", ""])
    expect(await find(taskId, { agent })).toBeUndefined();
  const rest = newId();
  await append(rest, [chunk(rest, "late")], { first: 9 });
  expect(await find(rest)).toBeUndefined();
});

test("a log that is broken is named with its place", async () => {
  const junk = newId();
  await mesh.js.publish(`a2a.v1.task.${AGENT}.client.${junk}`, "no JSON");
  await expect(find(junk)).rejects.toMatchObject({
    code: "PROTOCOL_VIOLATION",
    message: expect.stringMatching(new RegExp(`^the log of a task: ${junk} at \\d+: `)),
  });
  const gap = newId();
  const seq = await append(gap, [begun(gap)]);
  const after = await append(gap, [chunk(gap, "3")], { seq, first: 3 });
  await expect(find(gap)).rejects.toMatchObject({
    code: "PROTOCOL_VIOLATION",
    message: `the log of a task: ${gap} at ${after}: its events do not go on from number 1`,
  });
  const twice = newId();
  await append(twice, [begun(twice)]);
  await append(twice, [begun(twice)], { owner: "mallory" });
  await expect(find(twice)).rejects.toThrow(/is of another owner/);
});

test("it is bounded: by bytes, by time, by who asked", async () => {
  const taskId = newId();
  await append(taskId, [begun(taskId), chunk(taskId, "x".repeat(2_000))]);
  await expect(find(taskId, { bytesMax: 1_000 })).rejects.toMatchObject({ code: "TOO_LARGE" });
  await expect(find(taskId, { timeoutMs: 0 })).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  const signal = AbortSignal.abort(new Error("left"));
  await expect(find(taskId, { signal })).rejects.toThrow("left");
  // It leaves nothing behind on the server.
  const { state } = await mesh.jsm.streams.info("A2A_TASK_LOG");
  expect(state.consumer_count).toBe(0);
});

test("a log that grows while it is read is read to what was its end", async () => {
  const taskId = newId();
  let seq = await append(taskId, [begun(taskId)]);
  let event = 1;
  const growing = new AbortController();
  const grown = (async () => {
    while (!growing.signal.aborted)
      seq = await append(taskId, [chunk(taskId, "x")], { seq, first: ++event });
  })();
  for (let round = 0; round < 5; round++) {
    const found = await find(taskId);
    expect(textsOf(found?.task)).toHaveLength((found?.lastEvent ?? 0) - 1);
  }
  growing.abort();
  await grown;
});
