/** Changes as events of a task: each stands in the incident's tasks once, also where a task was cut short. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ListTasksRequest } from "@a2a-js/sdk";
import type { AgentDefinition, Mesh, Turn, TurnResult } from "../../../a2a/mod.ts";
import { recorded } from "../../../agents/incidents/compose.ts";
import { CHANGE_SCHEMA, keepChange, sendChange } from "../../../agents/incidents/event.ts";
import type { Incident } from "../../../agents/incidents/record.ts";
import { newId } from "../../../core/mod.ts";
import { echo, openMesh } from "../../a2a/echo.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { fault, Life, quiet } from "./fixtures.ts";

let nats: NatsServer;
let mesh: Mesh;
/** Of the next turns: how each ends in place of the agent's own answer. */
const accidents: ((turn: Turn) => Promise<TurnResult>)[] = [];

const keeper: AgentDefinition = {
  ...echo,
  name: "sre",
  messageOnly: false,
  run: (turn) => (accidents.shift() ?? ((one: Turn) => keepChange(one, mesh.name)))(turn),
};

/** As a task looks whose process died: failed, before the change was in it, or after. */
const cutBefore = () => Promise.reject(new Error("the replica that ran the task is gone"));
const cutAfter = async (turn: Turn) => {
  await keepChange(turn, mesh.name);
  return cutBefore();
};

beforeAll(async () => {
  nats = await startNats();
  mesh = await openMesh(nats.url, "sre");
  await mesh.serve(keeper);
});
afterAll(async () => {
  await mesh.close();
  await nats[Symbol.asyncDispose]();
});

/** An incident with two changes, under an id of its own. */
function opened(): Incident {
  const life = new Life({ resolveAfterWindows: 1 });
  life.see(fault(0));
  life.see(quiet(1));
  const [head] = life.book.heads;
  if (!head) throw new Error("no incident");
  const told = { verdict: undefined, explanation: undefined, seenBefore: [], sinks: [] };
  const id = `inc-${newId()}`;
  const made = head.pending.reduce<Incident | undefined>(
    (known, change) => recorded(known, { ...head, id }, change, told),
    undefined,
  );
  if (!made) throw new Error("no record");
  return made;
}

async function send(incident: Incident, seq: number, taskId?: string): Promise<string> {
  const change = incident.timeline.find((one) => one.seq === seq);
  if (!change) throw new Error(`no change ${seq}`);
  const { signal } = new AbortController();
  const record = { ...incident, ...(taskId === undefined ? {} : { taskId }) };
  return sendChange(await mesh.agent("sre"), record, change, signal);
}

/** The changes in the incident's tasks, oldest task first. */
async function changesIn({ id }: Incident): Promise<string[]> {
  const { tasks } = await mesh
    .transport("sre")
    .listTasks(ListTasksRequest.fromJSON({ contextId: id, includeArtifacts: true }));
  return tasks.flatMap(({ artifacts }) => artifacts.map(({ name }) => name)).sort();
}

describe("a change of an incident", () => {
  test("sent again, with its task known or not, is there once", async () => {
    const incident = opened();
    const taskId = await send(incident, 1);
    expect(await send(incident, 1)).toBe(taskId);
    expect(await send(incident, 1, taskId)).toBe(taskId);
    expect(await send(incident, 2, taskId)).toBe(taskId);
    // Somebody who has still the first to do comes late.
    expect(await send(incident, 1, taskId)).toBe(taskId);
    expect(await send(incident, 2, taskId)).toBe(taskId);
    expect(await changesIn(incident)).toEqual(["change-1", "change-2"]);
  });

  test("whose task was cut before it was written is written into another", async () => {
    const incident = opened();
    accidents.push(cutBefore, cutBefore);
    const taskId = await send(incident, 1);
    expect(await send(incident, 1)).toBe(taskId);
    expect(await send(incident, 1, taskId)).toBe(taskId);
    expect(await send(incident, 2, taskId)).toBe(taskId);
    expect(await changesIn(incident)).toEqual(["change-1", "change-2"]);
  });

  test("whose task was cut in its second turn is not written twice, nor is the first", async () => {
    const incident = opened();
    const first = await send(incident, 1);
    accidents.push(cutBefore);
    const second = await send(incident, 2, first);
    expect(second).not.toBe(first);
    expect(await send(incident, 2, first)).toBe(second);
    expect(await send(incident, 1, second)).toBe(second);
    expect(await changesIn(incident)).toEqual(["change-1", "change-2"]);
  });

  test("whose task was cut after it was written stays where it is", async () => {
    const incident = opened();
    accidents.push(cutAfter);
    const taskId = await send(incident, 1);
    expect(await send(incident, 1, taskId)).toBe(taskId);
    await send(incident, 2, taskId);
    expect(await changesIn(incident)).toEqual(["change-1", "change-2"]);
  });

  test("of many is in one of several tasks, each of which fits a message, and there once", async () => {
    const incident = opened();
    const [first] = incident.timeline;
    if (!first) throw new Error("no change");
    const timeline = Array.from({ length: 120 }, (_, at) => ({ ...first, seq: at + 1 }));
    const many = { ...incident, timeline };
    const tasks = new Set<string>();
    let taskId: string | undefined;
    for (const { seq } of timeline) {
      taskId = await send(many, seq, taskId);
      tasks.add(taskId);
    }
    // Somebody who does not know yet that there is another task.
    expect(await send(many, 101, [...tasks][1])).toBe(taskId ?? "");
    expect(tasks.size).toBe(3);
    expect(await changesIn(many)).toHaveLength(120);
  });

  test("is not sent for ever to those who die of it", async () => {
    const incident = opened();
    accidents.push(...Array.from({ length: 5 }, () => cutBefore));
    await expect(send(incident, 1)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(accidents).toEqual([]);
  });
});

test("nobody but the SRE agent writes into an incident", async () => {
  const turn = { caller: "somebody", data: { schema: CHANGE_SCHEMA } } as unknown as Turn;
  expect(await keepChange(turn, "sre")).toMatchObject({ kind: "rejected" });
});
