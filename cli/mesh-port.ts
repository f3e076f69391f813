/**
 * The mesh behind the MCP tools: agents from the registry, investigations and questions as tasks of the
 * caller's own, incidents from the SRE agent. Peers' answers are checked and cut to the tools' bounds.
 */
import {
  GetTaskRequest,
  ListTasksRequest,
  SendMessageRequest,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import { callParameters, findTask, isTerminal, type Mesh } from "../a2a/mod.ts";
import {
  INCIDENTS_SCHEMA,
  INCIDENTS_SKILL,
  type IncidentsAnswer,
  type IncidentsAsked,
  REQUEST_SCHEMA,
  readIncidentsAnswer,
} from "../agents/mod.ts";
import { meshSkills, type SkillAnswer } from "../agents/supervisor/mod.ts";
import {
  asPetrelError,
  messageOf,
  newId,
  newTrace,
  PetrelError,
  windowToJson,
} from "../core/mod.ts";
import type { InvestigationWish, MeshPort, PendingWork, TaskView } from "../mcp/mod.ts";
import { askQuestion } from "./asking.ts";
import { openWindows } from "./mesh/open-windows.ts";
import {
  agentViews,
  askedView,
  incidentDetails,
  incidentView,
  pendingTask,
  taskView,
} from "./mesh/views.ts";

export interface MeshPortOptions {
  readonly mesh: Mesh;
  /** How long an investigation, or a question, may take. */
  readonly workMsMax: number;
}

const CALL_MS = 15_000;
const FIND_MS = 5_000;
const INVESTIGATE_SKILL = "investigate";
const PAGE_SIZE = 100;

/** The port over a mesh that the caller opened and closes. */
export function makeMeshPort({ mesh, workMsMax }: MeshPortOptions): MeshPort {
  const skills = meshSkills(mesh);
  const incidents = async (request: IncidentsAsked, signal: AbortSignal) => {
    const answer = await skills.ask(INCIDENTS_SKILL, request, {
      contextId: newId(),
      messageId: newId(),
      deadlineMs: mesh.clock.nowMs() + CALL_MS,
      trace: newTrace(),
      signal,
      onProgress: () => {},
    });
    return answered(answer);
  };
  return {
    agents: async () => agentViews(await skills.agents()),
    investigate: (wish, waitMs, signal) =>
      guarded("the SRE agent", signal, () =>
        investigate(mesh, wish, { waitMs, workMsMax, signal }),
      ),
    task: (agent, taskId, signal) =>
      guarded(`agent "${agent}"`, signal, () => lookAt(mesh, agent, taskId, signal)),
    incidents: ({ states, service, limit }, signal) =>
      guarded("the SRE agent", signal, async () => {
        const answer = await incidents(
          {
            schema: INCIDENTS_SCHEMA,
            action: "list",
            limit,
            ...(states.length > 0 ? { states: [...states] } : {}),
            ...(service === undefined ? {} : { service }),
          },
          signal,
        );
        if (answer.kind !== "incidents") throw notAsked();
        return { incidents: answer.incidents.map(incidentView), isCut: answer.isCut };
      }),
    incident: (incident, signal) =>
      guarded("the SRE agent", signal, async () => {
        const answer = await incidents(
          { schema: INCIDENTS_SCHEMA, action: "show", incident },
          signal,
        );
        if (answer.kind !== "incident") throw notAsked();
        return incidentDetails(answer.incident);
      }),
    pending: (signal) => pendingWork(mesh, incidents, signal),
    ask: (text, taskId, waitMs, signal) =>
      guarded("the supervisor", signal, async () =>
        askedView(await askQuestion(mesh, { text, taskId, timeoutMs: workMsMax, waitMs, signal })),
      ),
  };
}

/** What the SDK throws is none of our errors; the tools answer with ours alone. */
async function guarded<T>(who: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw asPetrelError(error, "QUERY_REFUSED", who);
  }
}

function answered({ state, text, data }: SkillAnswer): IncidentsAnswer {
  if (state === "message" || state === "completed") return readIncidentsAnswer(data.get(""));
  throw new PetrelError("QUERY_REFUSED", `the SRE agent: ${messageOf(text)}`);
}

function notAsked(): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", "the SRE agent answered something else");
}

interface WaitOptions {
  readonly waitMs: number;
  readonly workMsMax: number;
  readonly signal: AbortSignal;
}

/** Begins an investigation. Its task goes on when the wait is over, or the caller is gone. */
async function investigate(
  mesh: Mesh,
  { startMs, endMs, services }: InvestigationWish,
  { waitMs, workMsMax, signal }: WaitOptions,
): Promise<TaskView> {
  const investigation = newId();
  const window = windowToJson({ startMs, endMs });
  const query = services.length > 0 ? { query: { services: [...services] } } : {};
  const data = { schema: REQUEST_SCHEMA, investigation, window, baseline: [], ...query };
  const params = SendMessageRequest.fromJSON({
    message: {
      messageId: newId(),
      contextId: investigation,
      role: "ROLE_USER",
      metadata: { skillId: INVESTIGATE_SKILL },
      parts: [{ data, mediaType: "application/json" }],
    },
    configuration: { returnImmediately: true },
  });
  const client = mesh.skill(INVESTIGATE_SKILL);
  const serviceParameters = callParameters({ timeoutMs: workMsMax, trace: newTrace() });
  const begun = await client
    .sendMessage(params, { serviceParameters, signal })
    .catch((error: unknown) => {
      throw absent(error);
    });
  if ("messageId" in begun) throw notAsked();
  const agent = client.agentOf(begun.id) ?? "sre";
  return taskView(mesh, agent, await atRest(mesh, agent, begun, waitMs, signal));
}

/** The task when it is at rest, or as it is after `waitMs`. */
async function atRest(
  mesh: Mesh,
  agent: string,
  begun: Task,
  waitMs: number,
  signal: AbortSignal,
): Promise<Task> {
  if (isTerminal(begun) || waitMs <= 0) return begun;
  const { id } = begun;
  const late = AbortSignal.timeout(waitMs);
  const transport = mesh.transport(agent);
  const wait = { timeoutMs: waitMs + CALL_MS, trace: newTrace() };
  try {
    const options = {
      serviceParameters: callParameters(wait),
      signal: AbortSignal.any([signal, late]),
    };
    for await (const _ of transport.resubscribeTask({ tenant: "", id }, options));
  } catch (error) {
    signal.throwIfAborted();
    if (!late.aborted) throw error;
  }
  return transport.getTask(GetTaskRequest.fromJSON({ id }), call(signal));
}

function call(signal: AbortSignal) {
  return { serviceParameters: callParameters({ timeoutMs: CALL_MS, trace: newTrace() }), signal };
}

function absent(error: unknown): unknown {
  const isAbsent =
    error instanceof PetrelError &&
    error.code === "UNAVAILABLE" &&
    error.fields.agent === INVESTIGATE_SKILL;
  if (!isAbsent) return error;
  const message = `no agent in the mesh has the skill "${INVESTIGATE_SKILL}": petrel up --role sre`;
  return new PetrelError("UNAVAILABLE", message, {}, error);
}

/** A task of ours from its agent; one of others from its log, where this user may read that. */
async function lookAt(
  mesh: Mesh,
  agent: string,
  taskId: string,
  signal: AbortSignal,
): Promise<TaskView | undefined> {
  try {
    const params = GetTaskRequest.fromJSON({ id: taskId });
    return await taskView(mesh, agent, await mesh.transport(agent).getTask(params, call(signal)));
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TaskNotFoundError)) throw error;
  }
  const found = await findTask({ js: mesh.js, agent, taskId, timeoutMs: FIND_MS, signal }).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      if (/permissions violation/i.test(messageOf(error))) return undefined;
      throw error;
    },
  );
  return found?.task && taskView(mesh, agent, found.task);
}

/** What is not done yet; a part that cannot be read is named, and not left out. */
async function pendingWork(
  mesh: Mesh,
  incidents: (request: IncidentsAsked, signal: AbortSignal) => Promise<IncidentsAnswer>,
  signal: AbortSignal,
): Promise<PendingWork> {
  const unread: PendingWork["unread"] = [];
  const part = async <T>(what: string, read: () => Promise<T[]>): Promise<T[]> => {
    try {
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      unread.push({ what: what.slice(0, 60), why: messageOf(error) });
      return [];
    }
  };
  await mesh.registry.ready();
  const replicas = mesh.registry.list();
  const agents = [...new Set(replicas.map(({ agent }) => agent))].slice(0, 40);
  const [windows, pending, ...tasks] = await Promise.all([
    part("windows", () => openWindows(mesh, signal)),
    part("incidents", async () => {
      const answer = await incidents(
        { schema: INCIDENTS_SCHEMA, action: "list", states: ["pending"], limit: 200 },
        signal,
      );
      if (answer.kind !== "incidents") throw notAsked();
      return answer.incidents.map(incidentView);
    }),
    ...agents.map((agent) => part(`tasks of ${agent}`, () => ownTasks(mesh, agent, signal))),
  ]);
  const running = agents.map((agent) => ({
    agent,
    tasks: replicas.reduce((sum, one) => (one.agent === agent ? sum + one.running : sum), 0),
  }));
  unread.sort((a, b) => a.what.localeCompare(b.what));
  return { tasks: tasks.flat().slice(0, 200), running, windows, incidents: pending, unread };
}

const NOT_DONE = [TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_INPUT_REQUIRED];

async function ownTasks(mesh: Mesh, agent: string, signal: AbortSignal) {
  const transport = mesh.transport(agent);
  const pages = await Promise.all(
    NOT_DONE.map((status) =>
      transport.listTasks(
        { ...ListTasksRequest.fromJSON({ pageSize: PAGE_SIZE }), status },
        call(signal),
      ),
    ),
  );
  return pages.flatMap(({ tasks }) => tasks.map((task) => pendingTask(agent, task)));
}
