/**
 * One question to whoever has the skill `ask`, or an answer to what was asked back, and what came of it.
 * What a peer sends is checked; nothing here prints.
 */
import { CancelTaskRequest, SendMessageRequest, type Task, TaskState } from "@a2a-js/sdk";
import type { RequestOptions } from "@a2a-js/sdk/client";
import { callParameters, type Mesh } from "../a2a/mod.ts";
import { type Answer, ASK_SKILL, Question, readAnswer } from "../agents/supervisor/mod.ts";
import { asPetrelError, newId, newTrace, PetrelError } from "../core/mod.ts";

/** The agent that has the skill, by the name it is served under. */
export const SUPERVISOR = "supervisor";

export interface AskOptions {
  readonly text: string;
  /** The task that asked back. */
  readonly taskId?: string | undefined;
  /** How long the answer is worth something. */
  readonly timeoutMs: number;
  /** How long to wait for it here; default: to its end. */
  readonly waitMs?: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

/** How a question stands. */
export type Standing =
  | { readonly state: "completed"; readonly taskId: string; readonly answer: Answer }
  | { readonly state: "input-required"; readonly taskId: string; readonly question: Question }
  | {
      readonly state: "failed" | "rejected" | "cancelled" | "working";
      readonly taskId: string;
      readonly text: string;
    };

type Status = Task["status"];

/**
 * Asks, and hears the answer out. When `signal` aborts, the task is cancelled. Throws UNAVAILABLE where
 * nobody answers questions, PROTOCOL_VIOLATION for an answer that is none, and what the agent refused with.
 */
export async function askQuestion(mesh: Mesh, options: AskOptions): Promise<Standing> {
  const { signal, onProgress = () => {}, waitMs = Number.POSITIVE_INFINITY } = options;
  const waiting = new AbortController();
  const timer =
    waitMs < options.timeoutMs ? setTimeout(() => waiting.abort(), Math.max(1, waitMs)) : undefined;
  let taskId = options.taskId;
  let status: Status;
  try {
    const any = AbortSignal.any([signal, waiting.signal]);
    for await (const { payload } of send(mesh, options, any)) {
      if (payload?.$case === "task") {
        taskId = payload.value.id;
        status = payload.value.status;
      }
      if (payload?.$case === "statusUpdate") {
        status = payload.value.status;
        if (status?.state === TaskState.TASK_STATE_WORKING) onProgress(textOf(status));
      }
    }
  } catch (error) {
    if (signal.aborted) await cancel(mesh, taskId);
    signal.throwIfAborted();
    if (!waiting.signal.aborted || taskId === undefined) throw refusalOf(error);
  } finally {
    clearTimeout(timer);
  }
  if (taskId === undefined)
    throw new PetrelError("PROTOCOL_VIOLATION", "the supervisor answered without a task");
  return standingOf(taskId, status);
}

/** How a task of the supervisor stands, as its status tells. Throws PROTOCOL_VIOLATION. */
export function standingOf(taskId: string, status: Status): Standing {
  const text = textOf(status);
  switch (status?.state) {
    case TaskState.TASK_STATE_COMPLETED:
      return { state: "completed", taskId, answer: readAnswer(dataOf(status)) };
    case TaskState.TASK_STATE_INPUT_REQUIRED:
      return { state: "input-required", taskId, question: questionOf(status) };
    case TaskState.TASK_STATE_REJECTED:
      return { state: "rejected", taskId, text };
    case TaskState.TASK_STATE_CANCELED:
      return { state: "cancelled", taskId, text };
    case TaskState.TASK_STATE_FAILED:
      return { state: "failed", taskId, text };
    default:
      return { state: "working", taskId, text };
  }
}

function send(mesh: Mesh, { text, taskId, timeoutMs }: AskOptions, signal: AbortSignal) {
  const params = SendMessageRequest.fromJSON({
    message: {
      messageId: newId(),
      role: "ROLE_USER",
      metadata: { skillId: ASK_SKILL },
      parts: [{ text }],
      ...(taskId === undefined ? {} : { taskId }),
    },
  });
  const serviceParameters = callParameters({ timeoutMs, trace: newTrace() });
  const options: RequestOptions = { serviceParameters, signal };
  // A task is that agent's who has it; a question is anybody's who has the skill.
  return taskId === undefined
    ? mesh.skill(ASK_SKILL).sendMessageStream(params, options)
    : mesh.transport(SUPERVISOR).sendMessageStream(params, options);
}

const CANCEL_MS = 2_000;

/** Nobody waits for the answer any more. What cannot be cancelled goes on to its own end. */
async function cancel(mesh: Mesh, taskId: string | undefined): Promise<void> {
  if (taskId === undefined) return;
  const serviceParameters = callParameters({ timeoutMs: CANCEL_MS, trace: newTrace() });
  const params = CancelTaskRequest.fromJSON({ id: taskId });
  await mesh
    .transport(SUPERVISOR)
    .cancelTask(params, { serviceParameters })
    .catch(() => {});
}

function refusalOf(error: unknown): PetrelError {
  const ours = asPetrelError(error, "QUERY_REFUSED", "the supervisor");
  const isAbsent =
    ours.code === "UNAVAILABLE" &&
    (ours.fields.agent === ASK_SKILL || ours.fields.agent === SUPERVISOR);
  if (!isAbsent) return ours;
  const message =
    "no agent in the mesh answers questions; start one with: petrel up --role supervisor";
  return new PetrelError("UNAVAILABLE", message, ours.fields, error);
}

function questionOf(status: Status): Question {
  const parsed = Question.safeParse(dataOf(status));
  if (parsed.success) return parsed.data;
  throw new PetrelError("PROTOCOL_VIOLATION", "the supervisor asks back, and does not say what");
}

function textOf(status: Status): string {
  for (const { content } of status?.message?.parts ?? [])
    if (content?.$case === "text") return content.value;
  return "";
}

function dataOf(status: Status): unknown {
  for (const { content } of status?.message?.parts ?? [])
    if (content?.$case === "data") return content.value;
  return undefined;
}
