/**
 * A change of an incident as an event of an A2A task, so that the task's log and the audit hold it: a
 * message that the SRE agent sends to itself, one a change, under the change's id. A task waits for the next
 * change (input-required) and ends with the incident, or when it is full: an answer is the whole task, and
 * one of an incident that comes and goes for days would be more than a message. Changes that their task did
 * not live to hold, and those after it was full, are in another task of the same context.
 */
import {
  GetTaskRequest,
  type Message,
  SendMessageRequest,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import type { Transport } from "@a2a-js/sdk/client";
import { TaskNotFoundError, UnsupportedOperationError } from "@a2a-js/sdk/errors";
import { z } from "zod";
import { callParameters, type Turn, type TurnResult } from "../../a2a/mod.ts";
import { newTrace, PetrelError } from "../../core/mod.ts";
import { changeId } from "./book.ts";
import { Change, type Incident } from "./record.ts";

export const CHANGE_SCHEMA = "petrel.incident-change/v1";
const TIMEOUT_MS = 10_000;

/** How far its notices got is the record's to know. */
const EventChange = Change.omit({ deliveries: true });
const ChangeEvent = z.strictObject({
  schema: z.literal(CHANGE_SCHEMA),
  incident: z.string().max(128),
  state: z.string().max(20),
  severity: z.string().max(20),
  service: z.string().max(200),
  mechanism: z.string().max(200),
  title: z.string().max(300),
  windows: z.number(),
  change: EventChange,
});
type ChangeEvent = z.infer<typeof ChangeEvent>;

/** Changes of one task; the next one begins another. */
const TASK_CHANGES_MAX = 50;
/** Processes that die one after the other while they write the same change. */
const ATTEMPTS_MAX = 5;
const ARTIFACT = /^change-(\d+)$/;

/**
 * Makes the change an event, once: the same change again is the same message, and a task whose process died
 * before the change was in it is followed by another. Changes of an incident come in their order. Resolves
 * with the task's id. Throws what the mesh says, and UNAVAILABLE when every task was cut short.
 */
export async function sendChange(
  self: Transport,
  incident: Incident,
  change: Change,
  signal: AbortSignal,
): Promise<string> {
  const known = await taskOf(self, incident.taskId, signal);
  // Changes come in their order: where a later one stands, this one has been.
  if (known && lastIn(known) >= change.seq) return known.id;
  let task = await sent(self, messageOf(incident, change, 1, known?.id), signal);
  for (let attempt = 2; attempt <= ATTEMPTS_MAX && isCut(task, change); attempt++) {
    task = await sent(self, messageOf(incident, change, attempt, undefined), signal);
  }
  if (!isCut(task, change)) return task.id;
  const text = `${ATTEMPTS_MAX} tasks ended before the change was in them`;
  throw new PetrelError("UNAVAILABLE", text, { change: changeId(incident.id, change.seq) });
}

/** The incident's task, if it has one that is still kept. */
async function taskOf(
  self: Transport,
  id: string | undefined,
  signal: AbortSignal,
): Promise<Task | undefined> {
  if (id === undefined) return undefined;
  try {
    return await self.getTask(GetTaskRequest.fromJSON({ id }), optionsOf(signal));
  } catch (error) {
    if (error instanceof TaskNotFoundError) return undefined;
    throw error;
  }
}

async function sent(
  self: Transport,
  request: SendMessageRequest,
  signal: AbortSignal,
): Promise<Task> {
  try {
    return taskIn(await self.sendMessage(request, optionsOf(signal)));
  } catch (error) {
    // Its task ended or was forgotten: what comes after is a task of its own, in the same context.
    const isGone = error instanceof TaskNotFoundError || error instanceof UnsupportedOperationError;
    const { message } = request;
    if (!isGone || !message?.taskId) throw error;
    const alone = { ...request, message: { ...message, taskId: "" } };
    return taskIn(await self.sendMessage(alone, optionsOf(signal)));
  }
}

function optionsOf(signal: AbortSignal) {
  return {
    serviceParameters: callParameters({ timeoutMs: TIMEOUT_MS, trace: newTrace() }),
    signal,
  };
}

/** Whether the task ended without the change: whoever ran it died, and nobody writes it any more. */
function isCut(task: Task, { seq }: Change): boolean {
  return task.status?.state === TaskState.TASK_STATE_FAILED && !seqsIn(task).includes(seq);
}

function lastIn(task: Task): number {
  return Math.max(0, ...seqsIn(task));
}

function seqsIn({ artifacts }: Task): number[] {
  return artifacts.flatMap(({ name }) => {
    const [, seq] = ARTIFACT.exec(name) ?? [];
    return seq === undefined ? [] : [Number(seq)];
  });
}

function messageOf(
  incident: Incident,
  change: Change,
  attempt: number,
  taskId: string | undefined,
): SendMessageRequest {
  const { id, state, severity, service, mechanism, title, windows } = incident;
  const own = changeId(id, change.seq);
  const data: ChangeEvent = {
    schema: CHANGE_SCHEMA,
    incident: id,
    state,
    severity,
    service,
    mechanism,
    title,
    windows,
    change: EventChange.strip().parse(change),
  };
  return SendMessageRequest.fromJSON({
    message: {
      messageId: attempt === 1 ? own : `${own}.${attempt}`,
      contextId: id,
      ...(taskId === undefined ? {} : { taskId }),
      role: "ROLE_USER",
      parts: [{ data, mediaType: "application/json" }],
    },
  });
}

function taskIn(answer: Message | Task): Task {
  if (!("messageId" in answer)) return answer;
  throw new PetrelError("PROTOCOL_VIOLATION", "a change of an incident made no task");
}

/**
 * The agent's side: writes the change into the task. Only the SRE agent itself may: everybody else asks
 * it for changes (protocol.ts).
 */
export async function keepChange(turn: Turn, own: string): Promise<TurnResult> {
  if (turn.caller !== own) {
    return { kind: "rejected", text: "only the SRE agent writes into an incident" };
  }
  const read = ChangeEvent.safeParse(turn.data);
  if (!read.success) {
    const [issue] = read.error.issues;
    return { kind: "rejected", text: `data.${issue?.path.join(".")}: ${issue?.message}` };
  }
  const { change, state } = read.data;
  await turn.artifact(`change-${change.seq}`, read.data);
  const text = `${change.kind}: ${change.text}`;
  const isLast = state === "closed" || change.seq % TASK_CHANGES_MAX === 0;
  return { kind: isLast ? "completed" : "input-required", text };
}
