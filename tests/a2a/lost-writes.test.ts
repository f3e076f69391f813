/**
 * A record of a task that is lost on its way to the log, or whose acknowledgement is: the log holds every
 * event once, in order, whatever is lost; and a replica that lost its task to another writes no more.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { GetTaskRequest, type Task, TaskState } from "@a2a-js/sdk";
import type { NatsConnection } from "@nats-io/nats-core";
import * as fc from "fast-check";
import { findTask, type Mesh } from "../../a2a/mod.ts";
import { loadTask } from "../../a2a/tasks/load.ts";
import { newId } from "../../core/mod.ts";
import { noAnswer, withFaults } from "../support/faults.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { openMesh, request, worker } from "./echo.ts";
import { callContext, hastyClock, type Replica, replicaOf } from "./replica.ts";

let nats: NatsServer;
let mesh: Mesh;
const replicas: Replica[] = [];

beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "client");
});
afterEach(async () => {
  await Promise.all(replicas.splice(0).map(({ runner }) => runner.shutdown()));
});
afterAll(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

/** What becomes of the n-th write of a log, from 1. */
type Fate = "arrives" | "request" | "acknowledgement";
type Fates = (write: number) => Fate;

/** A connection on which writes of logs are lost; `writes` counts them all. */
function lossy(fates: Fates): { nc: NatsConnection; writes: () => number } {
  let writes = 0;
  const nc = withFaults(mesh.nc, {
    request: async (subject, payload, options) => {
      if (!subject.startsWith("a2a.v1.task.")) return mesh.nc.request(subject, payload, options);
      const fate = fates(++writes);
      if (fate === "request") throw noAnswer();
      const answer = await mesh.nc.request(subject, payload, options);
      if (fate === "acknowledgement") throw noAnswer();
      return answer;
    },
  });
  return { nc, writes: () => writes };
}

let name: string;
beforeEach(() => {
  name = `worker-${newId()}`;
});

/** A replica of {@link worker}, or of what `more` makes of it. */
async function replica(
  fates: Fates = () => "arrives",
  more: Partial<typeof worker> = {},
): Promise<Replica & { writes: () => number }> {
  const { nc, writes } = lossy(fates);
  const made = await replicaOf(mesh, { ...worker, name, ...more }, { nc, clock: hastyClock() });
  replicas.push(made);
  return { ...made, writes };
}

const find = (taskId: string) => findTask({ js: mesh.js, agent: name, taskId });

/** The ids under which so many events of a task are reported. */
const idsOf = (taskId: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${taskId}.e${at + 1}`);

describe.each([
  ["an agent whose work may be repeated", true],
  ["an agent whose work may not", false],
] as const)("%s", (_what, repeatable) => {
  test.each(["request", "acknowledgement"] as const)(
    "each write in its turn loses its %s: the task is stored whole, once",
    async (lost) => {
      const { writes: count } = await sent({ steps: 3 }, () => "arrives");
      for (let nth = 1; nth <= count; nth++) {
        const { task, writes } = await sent({ steps: 3 }, (at) => (at === nth ? lost : "arrives"));
        expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
        expect(writes).toBeGreaterThan(count);
      }
    },
  );

  test("whatever is lost, again and again: every event stands there once, and is reported once", async () => {
    const seed = Number(process.env.PETREL_TEST_SEED ?? 1);
    const fate = fc.constantFrom<Fate>("arrives", "request", "acknowledgement");
    const fates = fc.array(fate, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fates, fc.integer({ min: 0, max: 40 }), async (given, steps) => {
        const { task } = await sent({ steps }, (at) => given[at - 1] ?? "arrives");
        expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
      }),
      { seed, numRuns: 30 },
    );
  });

  /** Runs a task to its end, and holds the log and the reports against each other. */
  async function sent(plan: object, fates: Fates) {
    const { handler, reported, writes } = await replica(fates, { repeatable });
    const task = (await handler.sendMessage(request(plan), callContext())) as Task;
    const found = await find(task.id);
    expect(found?.task).toEqual(task);
    expect(reported).toEqual(idsOf(task.id, found?.lastEvent ?? 0));
    return { task, writes: writes() };
  }
});

describe("nothing gets through", () => {
  test("the first write: the call is told, nothing runs, and shutting down ends", async () => {
    let runs = 0;
    const run = async () => {
      runs++;
      return { kind: "completed", text: "done" } as const;
    };
    const { handler, runner, reported, writes } = await replica(() => "request", { run });
    const call = handler.sendMessage(request({}), callContext());
    await expect(call).rejects.toThrow("the task's log cannot be written now");
    await runner.shutdown();
    expect([runs, runner.size, reported]).toEqual([0, 0, []]);
    expect(writes()).toBeGreaterThan(10);
  });

  test("the rest: the caller is told of no end that is not stored, and nobody else either", async () => {
    // The claim and what the task began with are stored.
    let open = true;
    const { handler, runner, reported } = await replica(() => (open ? "arrives" : "request"));
    const begun = request({ steps: 1, hang: true }, { returnImmediately: true });
    const task = (await handler.sendMessage(begun, callContext())) as Task;
    await until("its step", async () => (await find(task.id))?.lastEvent === 2);
    open = false;
    const cancelled = handler.cancelTask(
      { tenant: "", id: task.id, metadata: undefined },
      callContext(),
    );
    await expect(cancelled).rejects.toBeInstanceOf(Error);
    expect(runner.size).toBe(0);
    const asked = await handler.getTask(GetTaskRequest.fromJSON({ id: task.id }), callContext());
    expect(asked.status?.state).toBe(TaskState.TASK_STATE_WORKING);
    expect(reported).toEqual(idsOf(task.id, 2));
    // It is as if this replica had died: another ends the task under the next number.
    const other = await replica();
    const place = { owner: "client", taskId: task.id };
    const loaded = await loadTask(other.runner.log, other.runner.open, place);
    if (!loaded) throw new Error("the task is in its log");
    expect(await other.runner.takeOver(place, loaded)).toBe(true);
    expect((await find(task.id))?.task?.status?.state).toBe(TaskState.TASK_STATE_FAILED);
    expect(other.reported).toEqual([`${task.id}.e3`]);
  });
});

describe("two replicas", () => {
  /** A task that hangs on a replica, and its place. */
  async function hanging(on: Replica) {
    const begun = request({ steps: 2, hang: true }, { returnImmediately: true });
    const { id } = (await on.handler.sendMessage(begun, callContext())) as Task;
    await until("its steps", async () => (await find(id))?.lastEvent === 3);
    const place = { owner: "client", taskId: id };
    const load = async (by: Replica) => {
      const loaded = await loadTask(by.runner.log, by.runner.open, place);
      if (!loaded) throw new Error("the task is in its log");
      return loaded;
    };
    return { id, place, load };
  }

  test("a late owner overwrites nothing: it stops, and its turn is told why", async () => {
    const stopped: unknown[] = [];
    const late = await replica(() => "arrives", {
      run: async (turn) => {
        turn.signal.addEventListener("abort", () => stopped.push(turn.signal.reason));
        return worker.run(turn);
      },
    });
    const { id, place, load } = await hanging(late);
    const running = late.runner.running(place);
    const taker = await replica();
    expect(await taker.runner.takeOver(place, await load(taker))).toBe(true);
    const ended = await find(id);
    expect(ended?.task?.status?.state).toBe(TaskState.TASK_STATE_FAILED);
    expect(ended).toMatchObject({ lastEvent: 4, instance: taker.instance });

    // The late one wakes up and goes on.
    const status = { state: TaskState.TASK_STATE_COMPLETED, message: undefined, timestamp: "" };
    const value = { taskId: id, contextId: "", status, metadata: undefined };
    running?.writer.push({ event: { payload: { $case: "statusUpdate", value } } });
    await expect(running?.writer.stored()).rejects.toMatchObject({ code: "CONFLICT" });
    await running?.done;
    expect(stopped).toMatchObject([{ code: "CONFLICT" }]);
    expect(await find(id)).toEqual({ ...ended, at: expect.any(Function) } as never);
    expect(late.reported).toEqual(idsOf(id, 3));
    expect(taker.reported).toEqual([`${id}.e4`]);
    const seen = await late.handler.getTask(GetTaskRequest.fromJSON({ id }), callContext());
    expect(seen.status?.state).toBe(TaskState.TASK_STATE_FAILED);
  });

  test("of several that take over at once, one does", async () => {
    const { id, place, load } = await hanging(await replica());
    const takers = await Promise.all(Array.from({ length: 6 }, () => replica()));
    const taken = await Promise.all(
      takers.map(async (taker) => taker.runner.takeOver(place, await load(taker))),
    );
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(takers.flatMap(({ reported }) => reported)).toEqual([`${id}.e4`]);
    expect(await find(id)).toMatchObject({ lastEvent: 4 });
  });

  test("what may be repeated is run again by the taker, under the numbers that follow", async () => {
    let runs = 0;
    const more = {
      repeatable: true,
      run: (turn: Parameters<typeof worker.run>[0]) =>
        ++runs === 1 ? worker.run(turn) : worker.run({ ...turn, data: { steps: 1 } }),
    };
    const dead = await replica(() => "arrives", more);
    const { id, place, load } = await hanging(dead);
    const taker = await replica(() => "arrives", more);
    expect(await taker.runner.takeOver(place, await load(taker))).toBe(true);
    await taker.runner.running(place)?.done;
    const found = await find(id);
    expect(found?.task?.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    const all = idsOf(id, found?.lastEvent ?? 0);
    expect([...dead.reported, ...taker.reported]).toEqual(all);
    expect(runs).toBe(2);
  });

  test.each([true, false])(
    "the same message, sent to both at once: one task, one end, one answer (repeatable: %p)",
    async (repeatable) => {
      const pair = [
        await replica(() => "arrives", { repeatable }),
        await replica(() => "arrives", { repeatable }),
      ];
      for (let round = 0; round < 10; round++) {
        const asked = request({ steps: round, artifact: round });
        const answers = await Promise.all(
          [...pair, ...pair].map(({ handler }) => handler.sendMessage(asked, callContext())),
        );
        const [task] = answers as Task[];
        expect(answers).toEqual(answers.map(() => task) as never);
        const found = await find(task?.id ?? "");
        expect(found?.task).toEqual(task);
        const reported = pair.flatMap((each) => each.reported);
        const ours = reported.filter((id) => id.startsWith(`${task?.id}.`));
        expect(ours).toEqual(idsOf(task?.id ?? "", found?.lastEvent ?? 0));
      }
    },
  );

  test("the same message id of another caller is another task", async () => {
    const { handler } = await replica();
    const asked = request({ steps: 1 });
    const contexts = [
      callContext(),
      callContext({ caller: "other" }),
      callContext({ onBehalf: "alice" }),
      callContext({ onBehalf: "bob" }),
    ];
    const tasks = await Promise.all(contexts.map((each) => handler.sendMessage(asked, each)));
    expect(new Set((tasks as Task[]).map(({ id }) => id)).size).toBe(contexts.length);
  });
});
