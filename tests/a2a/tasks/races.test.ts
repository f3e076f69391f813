/** What happens at once, too much or too late: one winner, nothing doubled, nothing left behind. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  GetTaskRequest,
  ListTasksRequest,
  SubscribeToTaskRequest,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import { type AgentDefinition, type Mesh, textPart } from "../../../a2a/mod.ts";
import { newId, systemClock } from "../../../core/mod.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { until } from "../../support/until.ts";
import { openMesh } from "../echo.ts";
import { saying, scribe, textOf } from "./agents.ts";

let nats: NatsServer;
let one: Mesh;
let two: Mesh;
let client: Mesh;

beforeAll(async () => {
  nats = await startNats();
  one = await openMesh(nats.url, "one");
  two = await openMesh(nats.url, "two");
  client = await openMesh(nats.url, "client");
});
afterAll(async () => {
  await Promise.all([one.close(), two.close(), client.close()]);
  await nats[Symbol.asyncDispose]();
});

/** How many consumers read tasks' logs now. */
async function consumers(): Promise<number> {
  const { state } = await client.jsm.streams.info("A2A_TASK_LOG");
  return state.consumer_count;
}

/** Asks first; then counts its turns and works for a while. */
function counting(name: string, repeatable: boolean) {
  const turns: string[] = [];
  const agent: AgentDefinition = {
    ...scribe,
    name,
    repeatable,
    run: async (turn) => {
      if (!turn.task) return { kind: "input-required", text: "go on?" };
      turns.push(turn.message.messageId);
      await turn.chunk("text", textPart(`${turn.text};`));
      await systemClock.sleep(50, turn.signal);
      return { kind: "completed", text: turn.text };
    },
  };
  return { agent, turns };
}

const get = (agent: string, id: string) =>
  client.transport(agent).getTask(GetTaskRequest.fromJSON({ id }));

describe.each([true, false])("a task that waits (repeatable: %p)", (repeatable) => {
  test("two messages at once on one replica: one is the next turn, and it ends by itself", async () => {
    const { agent, turns } = counting(`rivals-${repeatable}`, repeatable);
    await one.serve(agent);
    const transport = client.transport(agent.name);
    for (let round = 0; round < 10; round++) {
      const { id } = (await transport.sendMessage(saying("begin"))) as Task;
      turns.length = 0;
      const answers = await Promise.allSettled(
        ["a", "b", "c"].map((text) => transport.sendMessage(saying(text, { taskId: id }))),
      );
      const task = await get(agent.name, id);
      expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
      expect(answers.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
      expect(task.history).toHaveLength(2);
      expect(textOf(task, "text")).toBe(`${task.history[1]?.parts[0]?.content?.value};`);
      if (!repeatable) expect(turns).toHaveLength(1);
    }
  });

  test("the same message to two replicas at once: it is one turn", async () => {
    const { agent, turns } = counting(`twins-${repeatable}`, repeatable);
    await one.serve(agent);
    await two.serve(agent);
    const transport = client.transport(agent.name);
    for (let round = 0; round < 10; round++) {
      const { id } = (await transport.sendMessage(saying("begin"))) as Task;
      turns.length = 0;
      const reply = saying("once", { taskId: id, messageId: newId() });
      const tasks = await Promise.all([1, 2, 3].map(() => transport.sendMessage(reply)));
      expect(new Set(tasks.map((task) => JSON.stringify(task))).size).toBe(1);
      expect(textOf(tasks[0] as Task, "text")).toBe("once;");
      if (!repeatable) expect(turns).toHaveLength(1);
    }
  });
});

test("clients that subscribe and leave leave nothing behind", async () => {
  await one.serve(scribe);
  await two.serve(scribe);
  const transport = client.transport("scribe");
  const { id } = (await transport.sendMessage(saying("ask"))) as Task;
  for (let nth = 0; nth < 60; nth++) {
    for await (const _event of transport.resubscribeTask(SubscribeToTaskRequest.fromJSON({ id })))
      break;
  }
  await until("no consumer is left", async () => (await consumers()) === 0);
}, 60_000);

describe("what is too much", () => {
  const answering = (name: string, run: AgentDefinition["run"]): AgentDefinition => ({
    ...scribe,
    name,
    run,
  });
  const listed = async (agent: string) =>
    (await client.transport(agent).listTasks(ListTasksRequest.fromJSON({}))).tasks.length;

  test("an answer that is too large fails its task, and the list stays readable", async () => {
    const huge = "x".repeat(1_100_000);
    await one.serve(answering("shouter", async () => ({ kind: "message", text: huge })));
    const task = (await client.transport("shouter").sendMessage(saying("speak"))) as Task;
    expect(task.status?.state).toBe(TaskState.TASK_STATE_FAILED);
    expect(await listed("shouter")).toBe(1);
  });

  test("chunks that are not waited for come in their order, and the log can be read", async () => {
    const part = textPart("y".repeat(100_000));
    await one.serve(
      answering("hasty", async (turn) => {
        await Promise.all(Array.from({ length: 12 }, () => turn.chunk("text", part)));
        return { kind: "completed", text: "done" };
      }),
    );
    const task = (await client.transport("hasty").sendMessage(saying("go"))) as Task;
    expect(await get("hasty", task.id)).toEqual(task);
    const stored = task.artifacts[0]?.parts ?? [];
    const lengths = await Promise.all(
      stored.map(async (kept) =>
        kept.content?.$case === "url" ? (await client.artifacts.get(kept)).length : 100_000,
      ),
    );
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(1_200_000);
  });

  test("many artifacts stay within a task's bound, over its turns", async () => {
    await one.serve(
      answering("maker", async (turn) => {
        for (let nth = 0; nth < 8; nth++) {
          await turn.chunk(`a${nth}`, textPart("z".repeat(200_000)), { last: true });
        }
        return turn.task ? { kind: "completed", text: "" } : { kind: "input-required", text: "" };
      }),
    );
    const transport = client.transport("maker");
    const { id } = (await transport.sendMessage(saying("one"))) as Task;
    expect((await get("maker", id)).artifacts).toHaveLength(8);
    const ended = (await transport.sendMessage(saying("two", { taskId: id }))) as Task;
    expect(ended.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(ended.artifacts).toHaveLength(16);
  });
});

test("a webhook for a task that has ended is followed by nobody", async () => {
  const transport = client.transport("scribe");
  const { id } = (await transport.sendMessage(saying("chunks 2"))) as Task;
  for (let nth = 0; nth < 4; nth++) {
    await transport.createTaskPushNotificationConfig({
      tenant: "",
      id: `c${nth}`,
      taskId: id,
      url: "https://example.com/hook",
      token: "",
      authentication: undefined,
    });
  }
  const push = await client.kvm.open("A2A_PUSH");
  await until("all of them are over", async () => {
    const entries = await Promise.all(
      [0, 1, 2, 3].map((nth) => push.get(`scribe.client.${id}.c${nth}`)),
    );
    return entries.every((entry) => entry?.json<{ state: string }>().state === "ended");
  });
  expect(await consumers()).toBe(0);
}, 30_000);
