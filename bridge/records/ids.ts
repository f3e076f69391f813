/**
 * Which conversation and which task an envelope belongs to, read from its body, where A2A 1.0 keeps the
 * two ids for each operation (section 3 and its ProtoJSON forms). Total: a body is hostile, and whatever
 * does not have the form that is looked for says nothing.
 */
import type { RecordMeta } from "../../a2a/mod.ts";

export interface Ids {
  readonly contextId?: string;
  readonly taskId?: string;
}

type Kind = RecordMeta["kind"];

/** A longer id is no id: cut, it could be another's. */
const ID_CHARS_MAX = 200;

/** Requests that name a task by `id`; the others name it, if at all, by `taskId`. */
const BY_ID: ReadonlySet<string> = new Set(["GetTask", "CancelTask", "SubscribeToTask"]);
const SENDING: ReadonlySet<string> = new Set(["SendMessage", "SendStreamingMessage"]);

/** The ids in the parsed body of an envelope of operation `method`. */
export function idsOf(method: string, kind: Kind, body: unknown): Ids {
  switch (kind) {
    case "request":
      return requestIds(method, member(body, "params"));
    case "response":
    case "frame":
      return answerIds(member(body, "result"));
    case "task":
      return answerIds(member(body, "result") ?? body);
    case "alarm":
      return idsIn(body, "taskId");
    default:
      kind satisfies never;
      return {};
  }
}

/** The id of the call an envelope belongs to: `<id>.r` and `<id>.<n>` belong to `<id>`. */
export function callOf(envelopeId: string): string {
  return envelopeId.replace(/(?<=.)\.(?:r|\d{1,15})$/, "");
}

/** The task whose event this is: `<taskId>.e<n>`. */
export function taskOfEvent(envelopeId: string): string | undefined {
  return /^(.+)\.e\d{1,15}$/.exec(envelopeId)?.[1];
}

function requestIds(method: string, params: unknown): Ids {
  if (SENDING.has(method)) return idsIn(member(params, "message"), "taskId");
  if (BY_ID.has(method)) return idsIn(params, "id");
  return idsIn(params, "taskId");
}

/** A result is a task itself, or one member of a oneof, or configurations of one task's notifications. */
function answerIds(result: unknown): Ids {
  const task = member(result, "task");
  if (task !== undefined) return idsIn(task, "id");
  for (const name of ["message", "statusUpdate", "artifactUpdate"]) {
    const part = member(result, name) ?? member(result, snakeCase(name));
    if (part !== undefined) return idsIn(part, "taskId");
  }
  if (isTask(result)) return idsIn(result, "id");
  const configs = member(result, "configs");
  return idsIn(Array.isArray(configs) ? configs[0] : result, "taskId");
}

/** A task bears its state; what else has an `id` is a configuration, and the id is its own. */
function isTask(value: unknown): boolean {
  return member(value, "status") !== undefined || member(value, "artifacts") !== undefined;
}

function idsIn(value: unknown, taskMember: "id" | "taskId"): Ids {
  const contextId = idIn(value, "contextId");
  const taskId = idIn(value, taskMember);
  return { ...(contextId && { contextId }), ...(taskId && { taskId }) };
}

function idIn(value: unknown, name: string): string | undefined {
  const id = member(value, name) ?? member(value, snakeCase(name));
  return typeof id === "string" && id.length <= ID_CHARS_MAX && id !== "" ? id : undefined;
}

/** A member of a JSON object; undefined for null, as ProtoJSON reads it, and for all that is no object. */
function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name) ?? undefined;
}

/** ProtoJSON parsers take both spellings of a field; the names are those asked for above. */
const SNAKE_CASE: Readonly<Record<string, string>> = {
  contextId: "context_id",
  taskId: "task_id",
  statusUpdate: "status_update",
  artifactUpdate: "artifact_update",
};

function snakeCase(name: string): string {
  return SNAKE_CASE[name] ?? name;
}
