/** What has to be true when a run is over, read from the receivers, from KV and from the tasks' logs. */

import { ListTasksRequest, type Task } from "@a2a-js/sdk";
import type { KV } from "@nats-io/kv";
import type { Mesh } from "../../../a2a/mod.ts";
import { Incident } from "../../../agents/mod.ts";
import { type Plan, SINKS, type SinkName, toldIn } from "./plan.ts";
import type { Receivers, Taken } from "./receivers.ts";
import { BookView } from "./steps.ts";

export interface Outcome {
  /** Every broken promise, as a sentence. */
  readonly broken: readonly string[];
  /** Notices taken, by sink: how often, and how often one more than once. */
  readonly deliveries: Readonly<Record<SinkName, number>>;
  readonly duplicates: Readonly<Record<SinkName, number>>;
  /** Notices that a sink should have and has not. */
  readonly missing: number;
}

interface Place {
  readonly mesh: Mesh;
  readonly incidents: KV;
  readonly receivers: Receivers;
  readonly agent: string;
}

export async function check(plan: Plan, place: Place): Promise<Outcome> {
  const taken = await place.receivers.taken();
  const records = await recordsOf(place.incidents);
  const [record] = records;
  const broken: string[] = [];
  if (records.length !== 1) broken.push(`there are ${records.length} incidents`);
  const told =
    record?.timeline.filter(({ deliveries }) => Object.keys(deliveries).length > 0) ?? [];
  const kinds = told.map(({ kind }) => kind).join(", ");
  const expected = toldIn(plan).join(", ");
  const isOver = toldIn(plan).includes("resolved");
  if (kinds !== expected) broken.push(`told were "${kinds}" and not "${expected}"`);
  const ids = told.map(({ seq }) => `${record?.id}.${seq}`);
  broken.push(
    ...SINKS.flatMap((sink) => ofSink(sink, taken, ids)),
    ...heldBy(place.receivers, record?.id ?? "", ids, isOver),
    ...(record ? written(record) : []),
    ...(await ofBook(place.incidents, isOver)),
    ...(record ? inTask(record, await tasksOf(place, record.id)) : []),
  );
  const count = (sink: SinkName) => taken.filter((one) => one.sink === sink).length;
  const distinct = (sink: SinkName) =>
    new Set(taken.filter((one) => one.sink === sink).map(({ id }) => id)).size;
  return {
    broken,
    deliveries: bySink(count),
    duplicates: bySink((sink) => count(sink) - distinct(sink)),
    missing: SINKS.reduce((sum, sink) => sum + missingOf(sink, taken, ids).length, 0),
  };
}

function bySink(of: (sink: SinkName) => number): Record<SinkName, number> {
  return Object.fromEntries(SINKS.map((sink) => [sink, of(sink)])) as Record<SinkName, number>;
}

async function recordsOf(incidents: KV): Promise<Incident[]> {
  const records: Incident[] = [];
  for (const key of await Array.fromAsync(await incidents.keys("inc.*"))) {
    records.push(Incident.parse((await incidents.get(key))?.json()));
  }
  return records;
}

/** What a sink got: each notice, under its one id, with the same words each time, the end after the beginning. */
function ofSink(sink: SinkName, all: readonly Taken[], ids: readonly string[]): string[] {
  const taken = all.filter((one) => one.sink === sink);
  const unknown = taken.filter(({ id }) => !ids.includes(id));
  const other = taken.filter((one) => taken.find(({ id }) => id === one.id)?.body !== one.body);
  const first = taken.findIndex(({ isEnd }) => isEnd);
  const isTurned = first >= 0 && taken.slice(first).some(({ isEnd }) => !isEnd);
  return [
    ...missingOf(sink, all, ids).map((id) => `${sink} did not get ${id}`),
    ...unknown.map(({ id }) => `${sink} got "${id}", which the record does not know`),
    ...other.map(({ id }) => `${sink} got other words under ${id}`),
    ...(isTurned ? [`${sink} got the beginning after the end`] : []),
  ];
}

function missingOf(sink: SinkName, taken: readonly Taken[], ids: readonly string[]): string[] {
  return ids.filter((id) => !taken.some((one) => one.sink === sink && one.id === id));
}

/** What receivers with a key have after all: one of each, in the right state. */
function heldBy(
  { held }: Receivers,
  incident: string,
  ids: readonly string[],
  isOver: boolean,
): string[] {
  const state = isOver ? "over" : "open";
  const { webhook, pagerduty, alertmanager } = held;
  const keys = [...webhook.keys()].sort().join(" ");
  const alerts = [...alertmanager.values()].join(" ");
  const incidents = [...pagerduty].map(([key, value]) => `${key} ${value}`).join(", ");
  return [
    ...(keys === [...ids].sort().join(" ") ? [] : [`webhook holds ${keys}`]),
    ...(incidents === `${incident} ${state}` ? [] : [`pagerduty holds ${incidents}`]),
    ...(alerts === state ? [] : [`alertmanager holds ${alerts}`]),
  ];
}

function written({ timeline }: Incident): string[] {
  const gap = timeline.some(({ seq }, index) => seq !== index + 1);
  const undelivered = timeline.flatMap(({ seq, deliveries }) => {
    const names = Object.keys(deliveries);
    if (names.length === 0) return [];
    return SINKS.filter((sink) => deliveries[sink] !== "delivered").map(
      (sink) => `the record says that ${sink} has ${deliveries[sink]} ${seq}`,
    );
  });
  return [...(gap ? ["the timeline has a gap"] : []), ...undelivered];
}

async function ofBook(incidents: KV, isOver: boolean): Promise<string[]> {
  const { heads } = BookView.parse((await incidents.get("book"))?.json());
  const states = heads.map(({ state }) => state).join(", ");
  const pending = heads.flatMap((head) => head.pending).length;
  const others = await Array.fromAsync(await incidents.keys(["dl.>", "broken.>"]));
  return [
    ...(states === (isOver ? "resolved" : "open") ? [] : [`the book says ${states}`]),
    ...(pending === 0 ? [] : [`${pending} changes are pending in the book`]),
    ...others.map((key) => `${key} is in KV`),
  ];
}

/** Every task of the incident; the tasks of one host are those of all, for they have one name. */
async function tasksOf({ mesh, agent }: Place, contextId: string): Promise<Task[]> {
  const { tasks } = await mesh
    .transport(agent)
    .listTasks(
      ListTasksRequest.fromJSON({ contextId, includeArtifacts: true, historyLength: 100 }),
    );
  return tasks;
}

/** Each change stands once in the incident's tasks. */
function inTask({ id, timeline }: Incident, tasks: readonly Task[]): string[] {
  const names = tasks.flatMap(({ artifacts }) => artifacts.map(({ name }) => name));
  return timeline.flatMap(({ seq }) => {
    const times = names.filter((name) => name === `change-${seq}`).length;
    return times === 1 ? [] : [`change ${id}.${seq} is ${times} times in ${tasks.length} tasks`];
  });
}
