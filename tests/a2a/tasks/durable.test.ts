import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  CancelTaskRequest,
  GetTaskRequest,
  ListTasksRequest,
  type StreamResponse,
  SubscribeToTaskRequest,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import type { Mesh, NatsTransport } from "../../../a2a/mod.ts";
import { newId } from "../../../core/mod.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { until } from "../../support/until.ts";
import { openMesh } from "../echo.ts";
import { clerk, saying, scribe, textOf } from "./agents.ts";

let nats: NatsServer;
let one: Mesh;
let two: Mesh;
let client: Mesh;

beforeAll(async () => {
  nats = await startNats();
  one = await openMesh(nats.url, "one");
  two = await openMesh(nats.url, "two");
  client = await openMesh(nats.url, "client");
  for (const mesh of [one, two]) {
    await mesh.serve(scribe);
    await mesh.serve(clerk);
  }
});
afterAll(async () => {
  await Promise.all([one.close(), two.close(), client.close()]);
  await nats[Symbol.asyncDispose]();
});

/** What a call was refused with. */
async function refusalOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
}

const get = (transport: NatsTransport, id: string) =>
  transport.getTask(GetTaskRequest.fromJSON({ id }));
const cancel = (transport: NatsTransport, id: string) =>
  transport.cancelTask(CancelTaskRequest.fromJSON({ id }));

async function collect(events: AsyncIterable<StreamResponse>): Promise<StreamResponse[]> {
  const found: StreamResponse[] = [];
  for await (const event of events) found.push(event);
  return found;
}

/** The text that the chunks of a stream add up to. */
function chunksOf(events: readonly StreamResponse[]): string {
  return events
    .flatMap(({ payload }) =>
      payload?.$case === "artifactUpdate" ? (payload.value.artifact?.parts ?? []) : [],
    )
    .map(({ content }) => (content?.$case === "text" ? content.value : ""))
    .join("");
}

const numbers = (count: number) =>
  Array.from({ length: count }, (_, index) => `${index + 1};`).join("");

describe.each(["scribe", "clerk"])("%s", (name) => {
  test("every replica says the same of a task that ended, and of one that runs", async () => {
    const transport = client.transport(name);
    const ended = (await transport.sendMessage(saying("chunks 40"))) as Task;
    const running = (await transport.sendMessage(
      saying("hang", { returnImmediately: true }),
    )) as Task;
    for (let look = 0; look < 8; look++) {
      expect(await get(transport, ended.id)).toEqual(ended);
      expect((await get(transport, running.id)).status?.state).toBe(TaskState.TASK_STATE_WORKING);
    }
    expect(textOf(ended, "text")).toBe(numbers(40));
    const cancelled = await cancel(transport, running.id);
    expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
    expect(await refusalOf(cancel(transport, running.id))).toMatchObject({
      name: "TaskNotCancelableError",
    });
  });

  test("the same message runs once and answers the same, on whatever replica", async () => {
    const transport = client.transport(name);
    const messageId = newId();
    const calls = Array.from({ length: 12 }, () =>
      transport.sendMessage(saying("chunks 5 2", { messageId })),
    );
    const tasks = (await Promise.all(calls)) as Task[];
    expect(new Set(tasks.map((task) => JSON.stringify(task))).size).toBe(1);
    expect(textOf(tasks[0] as Task, "text")).toBe(numbers(5));
    const again = await transport.sendMessage(saying("something else", { messageId }));
    expect(again).toEqual(tasks[0] as Task);
  });

  test("a message in place of a task is answered the same again", async () => {
    const transport = client.transport(name);
    const messageId = newId();
    const first = await transport.sendMessage(saying("say", { messageId }));
    expect(first).toHaveProperty("messageId");
    for (let again = 0; again < 4; again++) {
      expect(await transport.sendMessage(saying("say", { messageId }))).toEqual(first);
    }
  });

  test("input-required waits, and the next message is the next turn; the stream of each ends at rest", async () => {
    const transport = client.transport(name);
    const first = await collect(transport.sendMessageStream(saying("ask")));
    const opened = first[0]?.payload?.$case === "task" ? first[0].payload.value : undefined;
    const id = opened?.id ?? "";
    expect((await get(transport, id)).status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    const wrong = saying("x", { taskId: id, contextId: "another" });
    expect(await refusalOf(transport.sendMessage(wrong))).toMatchObject({
      name: "RequestMalformedError",
    });
    const messageId = newId();
    const reply = saying("chunks 3", { taskId: id, messageId });
    const second = await collect(transport.sendMessageStream(reply));
    expect(second[0]?.payload?.$case).toBe("task");
    expect(chunksOf(second)).toBe(numbers(3));
    const ended = await get(transport, id);
    expect(ended.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(ended.history.map((message) => message.parts[0]?.content?.value)).toEqual([
      "ask",
      "chunks 3",
    ]);
    // Once more: it was heard.
    expect(await transport.sendMessage(reply)).toEqual(ended);
    expect(await refusalOf(transport.sendMessage(saying("x", { taskId: id })))).toMatchObject({
      name: "UnsupportedOperationError",
    });
  });

  test("subscribers on every replica see each event once, in order, from their snapshot or cursor on", async () => {
    const transport = client.transport(name);
    const started = (await transport.sendMessage(
      saying("chunks 60 5", { returnImmediately: true }),
    )) as Task;
    await until("its first chunks", async () => {
      return textOf(await get(transport, started.id), "text").length > 6;
    });
    const streams = Array.from({ length: 6 }, (_, nth) =>
      collect(
        transport.resubscribeTask(SubscribeToTaskRequest.fromJSON({ id: started.id }), {
          serviceParameters: nth % 2 === 0 ? {} : { "a2a-cursor": "3" },
        }),
      ),
    );
    for (const [nth, events] of (await Promise.all(streams)).entries()) {
      const [first] = events;
      const before =
        first?.payload?.$case === "task" ? textOf(first.payload.value, "text") : "1;2;";
      expect(first?.payload?.$case === "task").toBe(nth % 2 === 0);
      expect(before + chunksOf(events)).toBe(numbers(60));
      expect(events.at(-1)?.payload?.$case).toBe("statusUpdate");
    }
    const late = SubscribeToTaskRequest.fromJSON({ id: started.id });
    expect(await refusalOf(collect(transport.resubscribeTask(late)))).toMatchObject({
      name: "UnsupportedOperationError",
    });
    const rest = await collect(
      transport.resubscribeTask(late, { serviceParameters: { "a2a-cursor": "61" } }),
    );
    expect(rest.map(({ payload }) => payload?.$case)).toEqual(["statusUpdate"]);
  });

  test("a large artifact lies in the object store, under its hash", async () => {
    const transport = client.transport(name);
    const task = (await transport.sendMessage(saying("big 700000"))) as Task;
    const part = task.artifacts[0]?.parts[0];
    expect(part?.content?.$case).toBe("url");
    expect(part?.metadata?.bytes).toBe(700_000);
    const content = await client.artifacts.get(part as NonNullable<typeof part>);
    expect(Buffer.from(content).toString()).toBe("b".repeat(700_000));
    const forged = {
      ...(part as NonNullable<typeof part>),
      metadata: { bytes: 700_000, sha256: "0".repeat(64) },
    };
    expect(await refusalOf(client.artifacts.get(forged))).toMatchObject({
      code: "PROTOCOL_VIOLATION",
    });
  });
});

test("tasks are listed newest first, page by page, by context and by state", async () => {
  const mesh = await openMesh(nats.url, "lister");
  const transport = mesh.transport("scribe");
  const ids: string[] = [];
  for (let n = 0; n < 7; n++) {
    const contextId = n % 2 === 0 ? "even" : "odd numbers ü";
    ids.push(((await transport.sendMessage(saying(`t${n}`, { contextId }))) as Task).id);
  }
  await transport.sendMessage(saying("say"));
  const open = (await transport.sendMessage(saying("ask", { contextId: "even" }))) as Task;
  const list = (params: Record<string, unknown>) =>
    transport.listTasks(ListTasksRequest.fromJSON(params));
  const pages: string[] = [];
  let pageToken = "";
  do {
    const page = await list({ pageSize: 3, pageToken });
    expect(page.totalSize).toBe(8);
    expect(page.tasks.every(({ artifacts }) => artifacts.length === 0)).toBe(true);
    pages.push(...page.tasks.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(pages).toEqual([open.id, ...ids.toReversed()]);
  const even = await list({ contextId: "even" });
  expect(even.tasks.map(({ id }) => id)).toEqual([
    open.id,
    ids[6],
    ids[4],
    ids[2],
    ids[0],
  ] as string[]);
  expect((await list({ contextId: "odd numbers ü" })).totalSize).toBe(3);
  expect((await list({ status: "TASK_STATE_INPUT_REQUIRED" })).tasks.map(({ id }) => id)).toEqual([
    open.id,
  ]);
  const since = (await get(transport, ids[4] ?? "")).status?.timestamp;
  expect((await list({ statusTimestampAfter: since })).totalSize).toBeLessThanOrEqual(3);
  for (const bad of [{ pageSize: 0 }, { pageSize: 101 }, { pageToken: "junk" }]) {
    expect(await refusalOf(list(bad))).toMatchObject({ name: "RequestMalformedError" });
  }
  expect(
    (await client.transport("scribe").listTasks(ListTasksRequest.fromJSON({ contextId: "even" })))
      .totalSize,
  ).toBe(0);
  await mesh.close();
});

test("a task of thousands of chunks keeps its early ones in the object store, and stays whole", async () => {
  const transport = client.transport("scribe");
  const count = 60_000;
  const task = (await transport.sendMessage(saying(`chunks ${count}`))) as Task;
  const parts = task.artifacts[0]?.parts ?? [];
  expect(parts[0]?.content?.$case).toBe("url");
  const texts = await Promise.all(
    parts.map(async (part) =>
      part.content?.$case === "url"
        ? Buffer.from(await client.artifacts.get(part)).toString()
        : String(part.content?.value),
    ),
  );
  expect(texts.join("")).toBe(numbers(count));
  const asked = await get(transport, task.id);
  expect(asked.artifacts).toEqual(task.artifacts);
});

test("an open task is noted while it runs, and the note is gone when it is at rest", async () => {
  const kv = await client.kvm.open("A2A_TASKS");
  const keys = async () => {
    const found: string[] = [];
    for await (const key of await kv.keys("clerk.>")) found.push(key);
    return found;
  };
  const task = (await client
    .transport("clerk")
    .sendMessage(saying("hang", { returnImmediately: true }))) as Task;
  expect(await keys()).toContain(`clerk.client.${task.id}`);
  await cancel(client.transport("clerk"), task.id);
  await until("the note is gone", async () => !(await keys()).includes(`clerk.client.${task.id}`));
});

test("what somebody else publishes on a task's subject is passed over, by readers and by its writer", async () => {
  const transport = client.transport("scribe");
  const ended = (await transport.sendMessage(saying("chunks 3"))) as Task;
  const open = (await transport.sendMessage(saying("ask"))) as Task;
  for (const { id } of [ended, open])
    await client.js.publish(`a2a.v1.task.scribe.client.${id}`, "junk");
  expect(await get(transport, ended.id)).toEqual(ended);
  const listed = await transport.listTasks(
    ListTasksRequest.fromJSON({ contextId: ended.contextId }),
  );
  expect(listed.tasks.map(({ id }) => id)).toEqual([ended.id]);
  const reply = saying("chunks 4 20", { taskId: open.id, returnImmediately: true });
  await transport.sendMessage(reply);
  await client.js.publish(`a2a.v1.task.scribe.client.${open.id}`, "more junk");
  await until("its end", async () => {
    return (await get(transport, open.id)).status?.state === TaskState.TASK_STATE_COMPLETED;
  });
  expect(textOf(await get(transport, open.id), "text")).toBe(numbers(4));
});

describe("streams at their edges", () => {
  test("a cursor at the last event of a task that has ended: the stream ends at once", async () => {
    const transport = client.transport("scribe");
    const { id } = (await transport.sendMessage(saying("chunks 3"))) as Task;
    const subscribe = SubscribeToTaskRequest.fromJSON({ id });
    const serviceParameters = { "a2a-cursor": "5" };
    expect(await collect(transport.resubscribeTask(subscribe, { serviceParameters }))).toEqual([]);
    const beyond = transport.resubscribeTask(subscribe, {
      serviceParameters: { "a2a-cursor": "6" },
    });
    expect(await refusalOf(collect(beyond))).toMatchObject({ name: "RequestMalformedError" });
  });

  test("a message that comes again while its turn runs: its stream begins with the task", async () => {
    const transport = client.transport("scribe");
    const { id } = (await transport.sendMessage(saying("ask"))) as Task;
    const reply = saying("chunks 30 10", { taskId: id });
    const first = transport.sendMessageStream(reply);
    await first.next();
    const again = await collect(transport.sendMessageStream(reply));
    expect(again[0]?.payload?.$case).toBe("task");
    const before =
      again[0]?.payload?.$case === "task" ? textOf(again[0].payload.value, "text") : "";
    expect(before + chunksOf(again)).toBe(numbers(30));
    await collect(first);
  });

  test("an agent that stops ends its streams; they go on at another replica", async () => {
    const third = await openMesh(nats.url, "third");
    const author = { ...scribe, name: "author" };
    const leaving = await third.serve(author);
    const transport = client.transport("author");
    const { id } = (await transport.sendMessage(saying("ask"))) as Task;
    const stream = transport.resubscribeTask(SubscribeToTaskRequest.fromJSON({ id }));
    expect((await stream.next()).value?.payload?.$case).toBe("task");
    await one.serve(author);
    await leaving.stop();
    await transport.sendMessage(saying("chunks 2", { taskId: id }));
    const rest = await collect(stream);
    expect(chunksOf(rest)).toBe(numbers(2));
    await third.close();
  });
});
