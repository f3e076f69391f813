/** People ask the SRE agent about incidents over the mesh: lists, judgements, silences; and the task log. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Message, SendMessageRequest, type Task, TaskState } from "@a2a-js/sdk";
import { type Mesh } from "../../../a2a/mod.ts";
import {
  INCIDENTS_SCHEMA,
  type IncidentsAnswer,
  type IncidentsAsked,
  readIncidentsAnswer,
  SreAgent,
} from "../../../agents/mod.ts";
import type { Notice } from "../../../alarms/mod.ts";
import { newId, PetrelError, silentLogger } from "../../../core/mod.ts";
import type { SourceReport } from "../../../streams/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { until } from "../../support/until.ts";
import {
  evidenceAgent,
  incidentSettings,
  investigationsOf,
  SOURCE,
  WINDOW,
} from "../sre-fixtures.ts";
import { finding, report } from "../verdict-fixtures.ts";

let nats: NatsServer;
const meshes: Mesh[] = [];
let sre: SreAgent;
let cli: Mesh;
const told: Notice[] = [];
/** What the sink says as long as it takes nothing. */
let refusal: PetrelError | undefined;

const open = async (name: string) => {
  const mesh = await openMesh(nats.url, name);
  meshes.push(mesh);
  return mesh;
};

beforeAll(async () => {
  nats = await startNats();
  const [mesh, source] = [await open("sre"), await open(SOURCE)];
  cli = await open("cli");
  let looks = 0;
  const look = async (): Promise<SourceReport> => report(looks++ % 2 === 0 ? [finding()] : []);
  await source.serve(evidenceAgent(await investigationsOf(source), source, look));
  sre = new SreAgent({
    mesh,
    kv: await investigationsOf(mesh),
    log: silentLogger,
    sources: [SOURCE],
    timeoutMs: 30_000,
    baselineWindows: 0,
    inFlightMax: 4,
    superviseEveryMs: 100,
    sinks: [
      {
        name: "book",
        isIdempotent: true,
        minSeverity: "info",
        timeoutMs: 1_000,
        send: async (notice) => {
          if (refusal) throw refusal;
          told.push(notice);
        },
      },
    ],
    ...(await incidentSettings(mesh)),
    rules: { ...(await incidentSettings(mesh)).rules, resolveAfterWindows: 1 },
  });
  await mesh.serve(sre.definition);
  await sre.start();
});

afterAll(async () => {
  await sre.stop();
  await Promise.all(meshes.map((mesh) => mesh.close()));
  await nats[Symbol.asyncDispose]();
});

async function send(data: Record<string, unknown>, mesh = cli): Promise<Message | Task> {
  return mesh.transport("sre").sendMessage(
    SendMessageRequest.fromJSON({
      message: {
        messageId: newId(),
        role: "ROLE_USER",
        parts: [{ data, mediaType: "application/json" }],
      },
    }),
  );
}

type Without<One> = One extends unknown ? Omit<One, "schema"> : never;

async function ask(asked: Without<IncidentsAsked>): Promise<IncidentsAnswer> {
  const answer = await send({ schema: INCIDENTS_SCHEMA, ...asked });
  if ("messageId" in answer) throw new Error("no task");
  if (answer.status?.state !== TaskState.TASK_STATE_COMPLETED) throw new Error(textOf(answer));
  const data = (answer.status.message?.parts ?? [])
    .map(({ content }) => content)
    .find((one) => one?.$case === "data");
  return readIncidentsAnswer(data?.value);
}

function textOf({ status }: Task): string {
  const [part] = status?.message?.parts ?? [];
  return part?.content?.$case === "text" ? part.content.value : "";
}

const windowAt = (at: number) => {
  const lengthMs = WINDOW.endMs - WINDOW.startMs;
  return { startMs: WINDOW.startMs + at * lengthMs, endMs: WINDOW.endMs + at * lengthMs };
};

test("an incident is listed, shown, confirmed and resolved, and its task holds every change", async () => {
  expect(await ask({ action: "list" })).toEqual({ kind: "incidents", incidents: [], isCut: false });
  expect(await sre.investigate(windowAt(0), { baseline: [] })).toMatchObject({
    outcome: "incident",
  });
  const listed = await ask({ action: "list" });
  if (listed.kind !== "incidents") throw new Error("no list");
  const [one] = listed.incidents;
  expect(one).toMatchObject({ state: "open", service: "payment-service", windows: 1 });
  const id = one?.id ?? "";

  const confirmed = await ask({
    action: "confirm",
    incident: id.slice(0, 20),
    cause: "a lock in the ledger",
    note: "seen in pg_locks",
  });
  expect(confirmed).toMatchObject({
    incident: { judgement: { isConfirmed: true, by: "cli", cause: "a lock in the ledger" } },
  });

  expect(await sre.investigate(windowAt(1), { baseline: [] })).toMatchObject({ outcome: "quiet" });
  await until("it is resolved", async () => {
    const shown = await ask({ action: "show", incident: id });
    return shown.kind === "incident" && shown.incident.timeline.length === 3;
  });
  const shown = await ask({ action: "show", incident: id });
  if (shown.kind !== "incident") throw new Error("no incident");
  const { incident } = shown;
  expect(incident.timeline.map(({ kind }) => kind)).toEqual(["opened", "confirmed", "resolved"]);
  expect(incident).toMatchObject({ state: "resolved", explanation: { by: "statistics" } });
  expect(told.map(({ change }) => change)).toEqual(["opened", "resolved"]);

  // The task is the SRE agent's own: others know it from the audit.
  const [own] = meshes;
  const task = await own?.transport("sre").getTask({ id: incident.taskId ?? "", tenant: "" });
  expect(task?.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
  expect(task?.artifacts.map(({ name }) => name)).toEqual(["change-1", "change-2", "change-3"]);
  expect(task?.contextId).toBe(id);
});

test("what cannot be done is refused in words, and changes nothing", async () => {
  const refused = async (asked: Record<string, unknown>) => {
    const answer = await send({ schema: INCIDENTS_SCHEMA, ...asked });
    if ("messageId" in answer) throw new Error("it was not refused");
    expect(answer.status?.state).toBe(TaskState.TASK_STATE_REJECTED);
    return textOf(answer);
  };
  const matchers = [{ field: "service", isEqual: true, value: "x" }];
  const silence = { action: "silence", matchers, comment: "c" };
  expect(await refused({ action: "show", incident: "ffffffff" })).toContain("no incident");
  expect(await refused({ action: "explode" })).toContain("action");
  expect(await refused({ action: "list", limit: 0 })).toContain("limit");
  expect(await refused({ ...silence, until: "2020-01-01T00:00:00Z" })).toContain("until");
  expect(await refused({ ...silence, until: "soon" })).toContain("until");
  expect(await refused({ ...silence, matchers: [], until: "2099-01-01T00:00:00Z" })).toContain(
    "matchers",
  );
  expect(await refused({ action: "unsilence", silence: "nobody" })).toContain("no silence");
  expect(await ask({ action: "silences" })).toMatchObject({ silences: [] });
});

test("a silence is made, listed and taken away, under the name of whoever asked", async () => {
  const made = await ask({
    action: "silence",
    matchers: [{ field: "service", isEqual: true, value: "payment-*" }],
    until: "2099-01-01T00:00:00Z",
    comment: "we are on it",
  });
  if (made.kind !== "silence") throw new Error("no silence");
  expect(made.silence).toMatchObject({ by: "cli", comment: "we are on it" });
  // The one that the first test left resolved.
  expect(made.matching).toBe(1);
  const other = await ask({
    action: "silence",
    matchers: [{ field: "service", isEqual: true, value: "ledger-*" }],
    until: "2099-01-01T00:00:00Z",
    comment: "none of it",
  });
  if (other.kind !== "silence") throw new Error("no silence");
  expect(other.matching).toBe(0);
  await ask({ action: "unsilence", silence: other.silence.id });
  expect(await ask({ action: "silences" })).toMatchObject({ silences: [{ id: made.silence.id }] });
  await ask({ action: "unsilence", silence: made.silence.id });
  expect(await ask({ action: "silences" })).toMatchObject({ silences: [] });
});

test("silences that would fill the book are refused, and leave it as it was", async () => {
  const matcher = { field: "service" as const, isEqual: true, value: "x".repeat(200) };
  const matchers = Array.from({ length: 20 }, () => matcher);
  const end = "2099-01-01T00:00:00Z";
  const comment = "c".repeat(500);
  const silence = () => ask({ action: "silence", matchers, until: end, comment });
  let made = 0;
  await expect(
    (async () => {
      for (; made < 100; made++) await silence();
    })(),
  ).rejects.toThrow("no room");
  const listed = await ask({ action: "silences" });
  if (listed.kind !== "silences") throw new Error("no silences");
  expect(listed.silences).toHaveLength(made);
  for (const { id } of listed.silences) await ask({ action: "unsilence", silence: id });
});

test("the supervisor, which hears what anybody writes to it, may read and change nothing", async () => {
  const supervisor = await open("supervisor");
  const end = "2099-01-01T00:00:00Z";
  const matchers = [{ field: "service", isEqual: true, value: "*" }];
  const asked = { schema: INCIDENTS_SCHEMA, action: "silence", matchers, until: end, comment: "c" };
  const refused = await send(asked, supervisor);
  expect(refused).toMatchObject({ status: { state: TaskState.TASK_STATE_REJECTED } });
  const again = { schema: INCIDENTS_SCHEMA, action: "redeliver", incident: "ffff" };
  expect(textOf((await send(again, supervisor)) as Task)).toContain("changes no incident");
  const listed = await send({ schema: INCIDENTS_SCHEMA, action: "list" }, supervisor);
  expect(listed).toMatchObject({ status: { state: TaskState.TASK_STATE_COMPLETED } });
});

test("what a sink never took is listed, and sent again when somebody asks", async () => {
  expect(await ask({ action: "list", isDead: true })).toMatchObject({ incidents: [] });
  refusal = new PetrelError("QUERY_REFUSED", "no such channel");
  const earlier = told.length;
  expect(await sre.investigate(windowAt(60), { baseline: [] })).toMatchObject({
    outcome: "incident",
  });
  const dead = async () => {
    const answer = await ask({ action: "list", isDead: true });
    return answer.kind === "incidents" ? answer.incidents : [];
  };
  await until("a dead letter", async () => (await dead()).length === 1);
  const [one] = await dead();
  expect(one).toMatchObject({ state: "open", dead: ["book"] });
  const id = one?.id ?? "";
  const still = await ask({ action: "redeliver", incident: id });
  expect(still).toMatchObject({
    kind: "redelivered",
    incident: id,
    outcomes: [{ seq: 1, sink: "book", state: "dead", reason: "no such channel" }],
    isCut: false,
  });
  refusal = undefined;
  const other = await ask({ action: "redeliver", incident: id, sink: "pagerduty" });
  expect(other).toMatchObject({ outcomes: [] });
  const sent = await ask({ action: "redeliver", incident: id.slice(0, 20), sink: "book" });
  expect(sent).toMatchObject({ outcomes: [{ seq: 1, sink: "book", state: "delivered" }] });
  expect(told.slice(earlier)).toMatchObject([{ id: `${id}.1`, change: "opened" }]);
  expect(await dead()).toEqual([]);
  expect(await ask({ action: "redeliver", incident: id })).toMatchObject({ outcomes: [] });
});

test("nobody but the SRE agent writes into an incident's task", async () => {
  const change = { seq: 9, kind: "resolved", at: "2026-01-01T00:00:00.000Z", text: "all is well" };
  const forged = await send({
    schema: "petrel.incident-change/v1",
    incident: "x",
    state: "closed",
    severity: "info",
    service: "s",
    mechanism: "m",
    title: "t",
    windows: 1,
    change,
  });
  expect(forged).toMatchObject({ status: { state: TaskState.TASK_STATE_REJECTED } });
});
