/** Investigations and other tasks, begun and looked at over A2A for the MCP tools. */
import { GetTaskRequest, SendMessageRequest, type Task } from "@a2a-js/sdk";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import { callParameters, findTask, isTerminal, type Mesh } from "../../a2a/mod.ts";
import { REQUEST_SCHEMA } from "../../agents/mod.ts";
import { messageOf, newId, newTrace, PetrelError, windowToJson } from "../../core/mod.ts";
import type { InvestigationWish, TaskView } from "../../mcp/mod.ts";
import { taskView } from "./views.ts";

export const CALL_MS = 15_000;
const FIND_MS = 5_000;
const INVESTIGATE_SKILL = "investigate";

export interface WaitOptions {
  readonly waitMs: number;
  readonly workMsMax: number;
  readonly signal: AbortSignal;
}

/** Begins an investigation. Its task goes on when the wait is over, or the caller is gone. */
export async function investigate(
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
  if ("messageId" in begun)
    throw new PetrelError("PROTOCOL_VIOLATION", "the SRE agent answered without a task");
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

export function call(signal: AbortSignal) {
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
export async function lookAt(
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
