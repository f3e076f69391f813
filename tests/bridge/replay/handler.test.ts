/** The log of real tasks on a real server, folded, beside what the agent itself says of them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Task } from "@a2a-js/sdk";
import { type AgentDefinition, type Mesh, textPart } from "../../../a2a/mod.ts";
import { makeRecorder } from "../../../bridge/recorder.ts";
import { makeEncoder } from "../../../bridge/records/encode.ts";
import type { TrailEntry } from "../../../bridge/replay/entry.ts";
import { foldTask } from "../../../bridge/replay/fold.ts";
import { readJetStream } from "../../../bridge/replay/jetstream.ts";
import { compareLive, type LiveTask, readLive, stateWord } from "../../../bridge/replay/live.ts";
import { isUnreadable, type Query, select } from "../../../bridge/replay/select.ts";
import { makeRedactor } from "../../../core/mod.ts";
import { echo, openMesh, request, worker } from "../../a2a/echo.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { until } from "../../support/until.ts";

let nats: NatsServer;
let client: Mesh;
let hosts: Mesh[];

beforeEach(async () => {
  nats = await startNats();
  client = await openMesh(nats.url, "client");
  hosts = [];
});

/** Serves an agent under its own name: nobody else's reports of it would be believed. */
async function serve(agent: AgentDefinition): Promise<void> {
  const host = await openMesh(nats.url, agent.name);
  hosts.push(host);
  await host.serve(agent);
}

afterEach(async () => {
  await Promise.all([client, ...hosts].map((mesh) => mesh.close()));
  await nats[Symbol.asyncDispose]();
});

const redactor = makeRedactor({ key: Buffer.alloc(32, 7) });
const encode = makeEncoder({ prefix: "p", layout: "split", content: "binary", encoding: "json" });

/** The trail to its present end, once all that was reported is stored. */
async function* trail(valueBytesMax = 500_000) {
  await Promise.all([client, ...hosts].map((mesh) => mesh.outbox.drain(5_000)));
  yield* readJetStream({
    js: client.js,
    jsm: client.jsm,
    recorder: makeRecorder({ redactor, encode, valueBytesMax }),
    mirror: { stream: "AUDIT", horizonMs: 60_000, silenceMs: 60_000, isWhole: true },
    signal: new AbortController().signal,
  });
}

async function read(): Promise<TrailEntry[]> {
  const entries: TrailEntry[] = [];
  for await (const entry of trail()) if (!isUnreadable(entry)) entries.push(entry);
  return entries;
}

const selected = (query: Query) => select(() => trail(), query);
const jsonOf = (task: Task | undefined): unknown =>
  task && JSON.parse(JSON.stringify(Task.toJSON(task)));
/** As the log has it. */
const redactedJson = (task: Task): unknown =>
  JSON.parse(redactor.redactJson(JSON.stringify(jsonOf(task))));

test("at every step of a task the log says what the agent says, redacted", async () => {
  const steps = [
    ["progress", "one"],
    ["artifact", "first"],
    ["progress", "card 4111 1111 1111 1111"],
    ["artifact", "second"],
  ] as const;
  const snapshots: Task[] = [];
  const stepper: AgentDefinition = {
    ...worker,
    name: "stepper",
    run: async (turn) => {
      for (const [kind, text] of steps) {
        if (kind === "progress") turn.progress(text, { mail: "someone@example.com" });
        else await turn.artifact(text, { of: text, iban: "GB82 WEST 1234 5698 7654 32" });
        // Others see a step once it is stored.
        let seen: Task | undefined;
        await until(`step ${text}`, async () => {
          seen = await client
            .transport("stepper")
            .getTask({ tenant: "", id: turn.taskId, historyLength: undefined })
            .catch(() => undefined);
          return seen !== undefined && JSON.stringify(jsonOf(seen)).includes(JSON.stringify(text));
        });
        if (seen) snapshots.push(seen);
      }
      return { kind: "completed", text: "done" };
    },
  };
  await serve(stepper);
  const ended = await client
    .transport("stepper")
    .sendMessage(request({ card: "5555555555554444" }));
  if (!("status" in ended)) throw new Error("the stepper answers with a task");
  const entries = (await read()).filter(({ event }) => event.type === "petrel.task.event.v1");
  expect(entries).toHaveLength(2 + steps.length);
  const states = entries.map((_, at) => foldTask(entries.slice(0, at + 1), ended.id));
  for (const [at, snapshot] of [...snapshots, ended].entries())
    expect(jsonOf(states[at + 1]?.task)).toEqual(redactedJson(snapshot));
  expect(JSON.stringify(entries)).not.toMatch(/4111|5555|someone|WEST/);
  expect(states.flatMap(({ notes }) => notes)).toEqual([]);
});

describe("beside the task's own log", () => {
  const ask = (taskId: string) => readLive({ js: client.js, agent: "worker", taskId });

  /** The audit first, then the log: the one is never ahead of the other. */
  async function compared(taskId: string) {
    const { entries } = await selected({ kind: "task", id: taskId });
    const live = await ask(taskId);
    if (!live) throw new Error("there is no log");
    return { entries, live, state: foldTask(entries, taskId) };
  }

  async function finished(): Promise<string> {
    await serve(worker);
    const task = await client.transport("worker").sendMessage(request({ steps: 3, artifact: "x" }));
    if (!("status" in task)) throw new Error("the worker answers with a task");
    return task.id;
  }

  /** The same log with something in it changed. */
  function tampered(live: LiveTask, change: (task: Task) => void): LiveTask {
    const at = (event: number) => {
      const task = live.at(event);
      if (task) change(task);
      return task;
    };
    return { ...live, at, task: at(live.lastEvent) };
  }

  test("a task that ended is the same; one that was changed is named where it differs", async () => {
    const { entries, live, state } = await compared(await finished());
    expect(live).toMatchObject({ owner: "client", instance: hosts[0]?.instance, lastEvent: 6 });
    expect(compareLive(entries, state, live, redactor)).toEqual({
      differences: [],
      leftOut: 0,
      atEvent: 6,
      isRunning: false,
    });
    const forged = tampered(live, ({ artifacts: [artifact] }) => {
      if (artifact) artifact.name = "forged";
    });
    const { differences } = compareLive(entries, state, forged, redactor);
    expect(differences).toEqual([{ path: "artifacts[0].name", ours: "result", theirs: "forged" }]);
  });

  test("at every event the log says what the audit says", async () => {
    const { entries, live, state } = await compared(await finished());
    const events = entries.filter(({ event }) => event.type === "petrel.task.event.v1");
    expect([events.length, state.lastEvent]).toEqual([live.lastEvent, live.lastEvent]);
    for (let event = 0; event <= live.lastEvent; event++) {
      const { task } = foldTask(events.slice(0, event), state.taskId);
      const found = live.at(event);
      expect(found && redactedJson(found)).toEqual(jsonOf(task));
    }
    for (const event of [-1, 7, 1.5, Number.NaN])
      expect(() => live.at(event)).toThrow(/events 1 to 6/);
  });

  test("an event that one of the two does not have is a difference", async () => {
    const { entries, live, state } = await compared(await finished());
    const events = entries.filter(({ event }) => event.type === "petrel.task.event.v1");
    const paths = (given: readonly TrailEntry[], of: LiveTask) =>
      compareLive(given, foldTask(given, state.taskId), of, redactor).differences.map(
        ({ path }) => path,
      );
    expect(paths(events.slice(0, -1), live).slice(0, 2)).toEqual(["lastEvent", "status.state"]);
    // Of a log that ends earlier than the audit, though its task still runs.
    const cut = { ...live, lastEvent: 3, task: live.at(3) };
    expect(paths(events, cut)).toEqual(["lastEvent"]);
  });

  test("an artifact that moved into the object store as it grew is the same", async () => {
    await serve({
      ...worker,
      run: async (turn) => {
        for (const letter of ["a", "b", "c", "d"])
          await turn.chunk("log", textPart(letter.repeat(100_000)), { last: letter === "d" });
        await turn.attach("whole", [textPart("e".repeat(300_000))]);
        return { kind: "completed", text: "done" };
      },
    });
    const task = await client.transport("worker").sendMessage(request({}));
    if (!("status" in task)) throw new Error("the worker answers with a task");
    const cases = task.artifacts.map(({ parts }) => parts.map(({ content }) => content?.$case));
    expect(cases).toEqual([["url", "text", "text"], ["url"]]);
    const { entries, live, state } = await compared(task.id);
    expect(compareLive(entries, state, live, redactor).differences).toEqual([]);
  });

  test("a task that runs is compared after the last event that both have", async () => {
    await serve(worker);
    const task = await client
      .transport("worker")
      .sendMessage(request({ steps: 2, hang: true }, { returnImmediately: true }));
    if (!("status" in task)) throw new Error("the worker answers with a task");
    await until("its steps", async () => (await ask(task.id))?.lastEvent === 3);
    const { entries, live, state } = await compared(task.id);
    expect(state.lastEvent).toBe(3);
    const same = { differences: [], leftOut: 0, isRunning: true };
    expect(compareLive(entries, state, live, redactor)).toEqual({ ...same, atEvent: 3 });
    // The audit is behind by what was stored after it was read.
    const earlier = entries.filter(({ event }) => event.extensions.envelopeid !== `${task.id}.e3`);
    const before = foldTask(earlier, task.id);
    expect(before.lastEvent).toBe(2);
    expect(compareLive(earlier, before, live, redactor)).toEqual({ ...same, atEvent: 2 });
    const forged = tampered(live, ({ status }) => {
      if (status) status.timestamp = "2000-01-01T00:00:00.000Z";
    });
    const { differences } = compareLive(earlier, before, forged, redactor);
    expect(differences.map(({ path }) => path)).toEqual(["status.timestamp"]);
  });
});

test("without the agent's events the callers' view gives the same task", async () => {
  await serve(worker);
  const events: unknown[] = [];
  for await (const event of client.transport("worker").sendMessageStream(request({ steps: 2 })))
    events.push(event);
  const entries = await read();
  const taskId =
    entries.find(({ event }) => event.extensions.taskid)?.event.extensions.taskid ?? "";
  const told = foldTask(entries, taskId);
  const seen = foldTask(
    entries.filter(({ event }) => event.type !== "petrel.task.event.v1"),
    taskId,
  );
  expect([told.basis, seen.basis]).toEqual(["events", "envelopes"]);
  expect(stateWord(told.task)).toBe("completed");
  expect(jsonOf(seen.task)).toEqual(jsonOf(told.task));
  expect(seen.notes).toEqual([]);
});

test("a task brings its call along, a context its tasks, an envelope itself", async () => {
  await serve(worker);
  await serve(echo);
  await client.transport("echo").sendMessage(request({}));
  const { id, contextId } = await client
    .transport("worker")
    .sendMessage(request({ steps: 1 }))
    .then((task) => ("status" in task ? task : Promise.reject(new Error("no task"))));
  const ofTask = await selected({ kind: "task", id });
  const kinds = ofTask.entries.map(({ event }) => event.type);
  expect(kinds[0]).toBe("petrel.a2a.SendMessage.request.v1");
  expect(kinds.filter((type) => type === "petrel.task.event.v1")).toHaveLength(4);
  expect(kinds).toContain("petrel.a2a.SendMessage.response.v1");
  expect(await selected({ kind: "any", id })).toEqual(ofTask);
  const ofContext = await selected({ kind: "context", id: contextId });
  expect(ofContext).toEqual({ ...ofTask, tasks: [id] });
  const ofEvent = await selected({ kind: "any", id: `${id}.e2` });
  expect(ofEvent.entries.map(({ event }) => event.extensions.envelopeid)).toEqual([`${id}.e2`]);
  const call = ofTask.entries[0]?.event.extensions.envelopeid ?? "";
  const ofCall = await selected({ kind: "any", id: call });
  expect(ofCall.entries.map(({ event }) => event.extensions.envelopeid)).toEqual([
    call,
    `${call}.r`,
  ]);
  expect((await selected({ kind: "any", id: "nobody" })).entries).toEqual([]);
});

test("a body that is too large for a record is at hand in JetStream", async () => {
  await serve(worker);
  const task = await client
    .transport("worker")
    .sendMessage(request({ artifact: "x".repeat(5_000) }));
  const entries: TrailEntry[] = [];
  for await (const entry of trail(1_024)) if (!isUnreadable(entry)) entries.push(entry);
  expect(entries.some(({ event }) => event.extensions.dataref !== undefined)).toBe(true);
  if (!("status" in task)) throw new Error("the worker answers with a task");
  expect(jsonOf(foldTask(entries, task.id).task)).toEqual(redactedJson(task));
});
