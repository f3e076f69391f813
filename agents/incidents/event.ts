/**
 * A change of an incident as an event of an A2A task, so that the task's log and the audit hold it: a
 * message that the SRE agent sends to itself, one a change, under the change's id. One task an incident:
 * it waits for the next change (input-required) and ends with the incident.
 */
import { type Message, SendMessageRequest, type Task } from "@a2a-js/sdk";
import type { Transport } from "@a2a-js/sdk/client";
import { TaskNotFoundError, UnsupportedOperationError } from "@a2a-js/sdk/errors";
import { z } from "zod";
import { callParameters, type Turn, type TurnResult } from "../../a2a/mod.ts";
import { newTrace, PetrelError } from "../../core/mod.ts";
import { changeId } from "./book.ts";
import { Change, type Incident } from "./record.ts";

export const CHANGE_SCHEMA = "petrel.incident-change/v1";
const TIMEOUT_MS = 10_000;

const ChangeEvent = z.strictObject({
  schema: z.literal(CHANGE_SCHEMA),
  incident: z.string().max(128),
  state: z.string().max(20),
  severity: z.string().max(20),
  service: z.string().max(200),
  mechanism: z.string().max(200),
  title: z.string().max(300),
  windows: z.number(),
  change: Change.omit({ deliveries: true }),
});
type ChangeEvent = z.infer<typeof ChangeEvent>;

/**
 * Makes the change an event. Resolves with the task's id. The same change again is the same message, and
 * changes nothing. Throws what the mesh says.
 */
export async function sendChange(
  self: Transport,
  incident: Incident,
  change: Change,
  signal: AbortSignal,
): Promise<string> {
  const send = (taskId: string | undefined) =>
    self.sendMessage(messageOf(incident, change, taskId), {
      serviceParameters: callParameters({ timeoutMs: TIMEOUT_MS, trace: newTrace() }),
      signal,
    });
  try {
    return taskIdOf(await send(incident.taskId));
  } catch (error) {
    // Its task ended or was forgotten: what comes after is a task of its own, in the same context.
    const isGone = error instanceof TaskNotFoundError || error instanceof UnsupportedOperationError;
    if (!isGone || incident.taskId === undefined) throw error;
    return taskIdOf(await send(undefined));
  }
}

function messageOf(incident: Incident, { deliveries: _, ...change }: Change, taskId?: string) {
  const { id, state, severity, service, mechanism, title, windows } = incident;
  const data: ChangeEvent = {
    ...{ schema: CHANGE_SCHEMA, incident: id, state, severity, service, mechanism, title, windows },
    change,
  };
  return SendMessageRequest.fromJSON({
    message: {
      messageId: changeId(id, change.seq),
      contextId: id,
      ...(taskId === undefined ? {} : { taskId }),
      role: "ROLE_USER",
      parts: [{ data, mediaType: "application/json" }],
    },
  });
}

function taskIdOf(answer: Message | Task): string {
  if (!("messageId" in answer)) return answer.id;
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
  return { kind: state === "closed" ? "completed" : "input-required", text };
}
