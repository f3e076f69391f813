/** The SDK's own clients, over HTTP through the gateway, to agents that only know NATS. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { TaskState } from "@a2a-js/sdk";
import {
  ClientFactory,
  ClientFactoryOptions,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from "@a2a-js/sdk/client";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import { until } from "../../support/until.ts";
import { type Stand, sendRequest, startStand } from "./support.ts";

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand[Symbol.asyncDispose]());

const BINDINGS = [
  { name: "JSONRPC", factory: new JsonRpcTransportFactory() },
  { name: "HTTP+JSON", factory: new RestTransportFactory() },
  {
    name: "JSONRPC 0.3",
    factory: new JsonRpcTransportFactory({ legacyCompat: { enabled: true } }),
    legacy: true,
  },
];

/** A client that talks in one binding alone, found by the card. */
async function clientOf(agent: string, { name, factory, legacy }: (typeof BINDINGS)[number]) {
  const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [factory],
    preferredTransports: [factory.protocolName],
  });
  const clients = new ClientFactory({ ...options, transports: [factory] });
  if (!legacy) return clients.createFromUrl(`${stand.url}/agents/${agent}/`);
  const card = stand.cards(agent);
  if (!card) throw new Error(`no card for ${name}`);
  const url = `${stand.url}/agents/${agent}`;
  const known = { url, protocolBinding: "JSONRPC", protocolVersion: "0.3", tenant: "" };
  return clients.createFromAgentCard({ ...card, supportedInterfaces: [known] });
}

for (const binding of BINDINGS) {
  test(`${binding.name}: a message and its answer`, async () => {
    const client = await clientOf("echo", binding);
    const answer = await client.sendMessage(sendRequest({ n: 1 }, "ahoj světe"));
    expect(answer).toMatchObject({
      parts: [
        { content: { $case: "text", value: "ahoj světe" } },
        { content: { $case: "data", value: { caller: "gateway", got: { n: 1 } } } },
      ],
    });
  });

  test(`${binding.name}: a task to its end, and looked up again`, async () => {
    const client = await clientOf("worker", binding);
    const task = await client.sendMessage(sendRequest({ artifact: "x" }));
    if (!("status" in task)) throw new Error("not a task");
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    const again = await client.getTask({ id: task.id, tenant: "", historyLength: undefined });
    expect(again.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(again.artifacts).toHaveLength(1);
  });

  test(`${binding.name}: a stream, in order and whole`, async () => {
    const client = await clientOf("worker", binding);
    const steps: unknown[] = [];
    let last: TaskState | undefined;
    for await (const { payload } of client.sendMessageStream(sendRequest({ steps: 40 }))) {
      if (payload?.$case !== "statusUpdate") continue;
      last = payload.value.status?.state;
      const content = payload.value.status?.message?.parts[1]?.content;
      if (content?.$case === "data") steps.push(content.value.step);
    }
    expect(steps).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(last).toBe(TaskState.TASK_STATE_COMPLETED);
  });

  test(`${binding.name}: a task that hangs is cancelled`, async () => {
    const client = await clientOf("worker", binding);
    const events = client.sendMessageStream(sendRequest({ hang: true }));
    const first = await events.next();
    const id = first.value?.payload?.$case === "task" ? first.value.payload.value.id : "";
    expect(id).not.toBe("");
    const cancelled = await client.cancelTask({ id, tenant: "", metadata: undefined });
    expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
    const rest = await Array.fromAsync(events);
    expect(rest.length).toBeGreaterThan(0);
  });

  test(`${binding.name}: somebody leaves, and the task goes on`, async () => {
    const client = await clientOf("worker", binding);
    const leaving = new AbortController();
    const events = client.sendMessageStream(sendRequest({ hang: true }), {
      signal: leaving.signal,
    });
    const first = await events.next();
    const id = first.value?.payload?.$case === "task" ? first.value.payload.value.id : "";
    const open = stand.open().streams;
    leaving.abort();
    await events.next().catch(() => {});
    await until("the gateway hears that the client left", () => stand.open().streams < open);
    const task = await client.getTask({ id, tenant: "", historyLength: undefined });
    expect(task.status?.state).toBe(TaskState.TASK_STATE_WORKING);
    await client.cancelTask({ id, tenant: "", metadata: undefined });
  });

  test(`${binding.name}: an unknown task is the SDK's own error`, async () => {
    const client = await clientOf("worker", binding);
    const asking = client.getTask({ id: "nope", tenant: "", historyLength: undefined });
    expect(asking).rejects.toBeInstanceOf(TaskNotFoundError);
  });
}

test("both ends report every envelope under the same id", async () => {
  const client = await clientOf("worker", BINDINGS[0] ?? fail());
  await Array.fromAsync(client.sendMessageStream(sendRequest({ steps: 3 })));
  await stand.gateway.outbox.drain(5_000);
  await stand.agents.outbox.drain(5_000);
  const { reported, pending } = stand.gateway.outbox.counts;
  expect(pending).toBe(0);
  expect(reported).toBeGreaterThan(4);
});

function fail(): never {
  throw new Error("no binding");
}
