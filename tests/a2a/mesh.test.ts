/** What the mesh gives its callers beyond one agent's binding: skills, discovery, trust, circuits, webhooks. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { StreamResponse, type Task, TaskState } from "@a2a-js/sdk";
import { exportJWK, generateKeyPair } from "jose";
import {
  AddressGuard,
  importSigningKey,
  type Mesh,
  type MeshOptions,
  publicJwks,
  type SigningKey,
} from "../../a2a/mod.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { echo, openMesh, worker } from "./echo.ts";
import { saying, scribe, textOf } from "./tasks/agents.ts";

let nats: NatsServer;
let client: Mesh;
const opened: Mesh[] = [];

async function open(name: string, options: Partial<MeshOptions> = {}): Promise<Mesh> {
  const mesh = await openMesh(nats.url, name, options);
  opened.push(mesh);
  return mesh;
}

beforeAll(async () => {
  nats = await startNats();
  client = await open("client");
});
afterAll(async () => {
  await Promise.all(opened.map((mesh) => mesh.close()));
  await nats[Symbol.asyncDispose]();
});

describe("a skill", () => {
  test("reaches any live agent that has it; the task is then that agent's", async () => {
    const [one, two] = [await open("one"), await open("two")];
    const skills = [{ id: "write", name: "Write", description: "Writes.", tags: ["pen"] }];
    const first = await one.serve({ ...scribe, name: "pen", skills });
    await two.serve({ ...scribe, name: "quill", skills });
    const skill = client.skill("write");
    const answering = new Set<string | undefined>();
    for (let call = 0; call < 20; call++) {
      const task = (await skill.sendMessage(saying("chunks 3"))) as Task;
      answering.add(skill.agentOf(task.id));
      expect(await skill.getTask({ tenant: "", id: task.id, historyLength: undefined })).toEqual(
        task,
      );
    }
    expect(answering).toEqual(new Set(["pen", "quill"]));
    const events: StreamResponse[] = [];
    for await (const event of skill.sendMessageStream(saying("ask"))) events.push(event);
    const opening = events[0]?.payload?.$case === "task" ? events[0].payload.value : undefined;
    const next = (await skill.sendMessage(
      saying("chunks 2", { taskId: opening?.id ?? "" }),
    )) as Task;
    expect(textOf(next, "text")).toBe("1;2;");
    await first.stop();
    for (let call = 0; call < 5; call++) {
      const task = (await skill.sendMessage(saying("x"))) as Task;
      expect(skill.agentOf(task.id)).toBe("quill");
    }
  });

  test("that nobody has is UNAVAILABLE at once; a task that it did not make is nobody's", async () => {
    const call = client.skill("juggle").sendMessage(saying("x"));
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const skill = client.skill("write");
    const ask = async () => skill.getTask({ tenant: "", id: "t", historyLength: undefined });
    await expect(ask()).rejects.toMatchObject({ code: "USAGE" });
  });
});

test("agents are found by name, skill, tag and range of versions", async () => {
  const host = await open("finder");
  const skills = [{ id: "count", name: "Count", description: "Counts.", tags: ["numbers"] }];
  await host.serve({ ...echo, name: "abacus", version: "1.4.2", skills });
  await host.serve({ ...echo, name: "calculator", version: "2.0.0", skills });
  const watcher = await open("watcher");
  await watcher.registry.ready();
  const found = (wanted: Parameters<typeof watcher.registry.find>[0]) =>
    watcher.registry.find(wanted).map(({ agent }) => agent);
  expect(found({ skill: "count" })).toEqual(["abacus", "calculator"]);
  expect(found({ tag: "numbers", version: "1.x" })).toEqual(["abacus"]);
  expect(found({ agent: "calculator", version: ">=1.5" })).toEqual(["calculator"]);
  expect(found({ skill: "count", version: "^3" })).toEqual([]);
  expect(() => found({ version: "new;est" })).toThrow(/no range/);
});

test("an agent that is ill is not asked for a while, and whoever says so shows in the registry", async () => {
  const host = await open("doctor");
  await host.serve(echo);
  const patient = await host.agent("patient");
  for (let call = 0; call < 12; call++) {
    await patient.sendMessage(saying("x"), {}).catch(() => {});
  }
  expect(host.breakers.list()).toMatchObject([{ target: "patient", state: "open" }]);
  const watcher = await open("nurse");
  await until("the circuit", () =>
    watcher.registry
      .list()
      .some(({ breakers = [] }) => breakers.some(({ target }) => target === "patient")),
  );
});

describe("signed cards", () => {
  const keyOf = async (kid: string): Promise<SigningKey> => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    return importSigningKey({ ...(await exportJWK(privateKey)), kid, alg: "ES256" });
  };

  test("by a trusted key are listed; unsigned, foreign and changed ones are not", async () => {
    const [ours, theirs] = [await keyOf("ours"), await keyOf("theirs")];
    const signed = await open("signed", { signingKey: ours });
    const foreign = await open("foreign", { signingKey: theirs });
    const unsigned = await open("unsigned");
    const { card, instance } = await signed.serve({ ...echo, name: "sealed" });
    await foreign.serve({ ...echo, name: "foreign" });
    await unsigned.serve({ ...echo, name: "unsigned" });
    const replica = { host: "h", pid: 1, startedAt: "", running: 0, instance };
    await unsigned.registry.register({
      ...replica,
      agent: "forged",
      card: { ...card, name: "forged" },
    });
    const jwks = publicJwks([ours]);
    const watcher = await open("strict", { trustedKeys: jwks });
    await watcher.registry.ready();
    const names = watcher.registry.list().map(({ agent }) => agent);
    expect(names).toContain("sealed");
    for (const name of ["foreign", "unsigned", "forged"]) expect(names).not.toContain(name);
  });
});

test("a webhook gets every event of its task, in order, whichever replica the config was given to", async () => {
  const got: { event: string; body: string }[] = [];
  using hook = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      got.push({ event: request.headers.get("x-a2a-event-id") ?? "", body: await request.text() });
      return new Response();
    },
  });
  const guard = new AddressGuard({ allow: ["127.0.0.1"], allowHttp: true });
  const webhooks = { guard };
  const [one, two] = [await open("push1", { webhooks }), await open("push2", { webhooks })];
  const writer = { ...scribe, name: "pusher" };
  await one.serve(writer);
  await two.serve(writer);
  const transport = client.transport("pusher");
  const message = saying("chunks 5", { returnImmediately: true });
  const configuration = {
    acceptedOutputModes: [],
    historyLength: undefined,
    returnImmediately: true,
    taskPushNotificationConfig: {
      tenant: "",
      id: "mine",
      taskId: "",
      url: `http://127.0.0.1:${hook.port}/hook`,
      token: "secret",
      authentication: undefined,
    },
  };
  const task = (await transport.sendMessage({ ...message, configuration })) as Task;
  await until("the end", () => got.some(({ body }) => body.includes("TASK_STATE_COMPLETED")));
  const events: unknown[] = got.map(
    ({ body }) => StreamResponse.fromJSON(JSON.parse(body)).payload?.$case,
  );
  expect(events).toEqual([
    "task",
    ...Array.from({ length: 5 }, () => "artifactUpdate"),
    "statusUpdate",
  ]);
  const inside = {
    ...configuration.taskPushNotificationConfig,
    taskId: task.id,
    url: "http://10.0.0.1/",
  };
  const refused = transport.createTaskPushNotificationConfig(inside);
  await expect(refused).rejects.toThrow(/url/);
  const stranger = (await open("stranger")).transport("pusher");
  const peek = stranger.getTaskPushNotificationConfig({ tenant: "", taskId: task.id, id: "mine" });
  await expect(peek).rejects.toMatchObject({ name: "TaskNotFoundError" });
  expect(
    (await transport.getTask({ tenant: "", id: task.id, historyLength: undefined })).status?.state,
  ).toBe(TaskState.TASK_STATE_COMPLETED);
});

test("an agent that answers with messages has no push notifications", async () => {
  const host = await open("plain");
  await host.serve({ ...worker, name: "plain", messageOnly: true });
  const call = client.transport("plain").listTaskPushNotificationConfig({
    tenant: "",
    taskId: "t",
    pageSize: 0,
    pageToken: "",
  });
  await expect(call).rejects.toMatchObject({ name: "PushNotificationNotSupportedError" });
});
