/**
 * Every subject, header and frame name of the NATS binding, in one place.
 * docs/binding-nats.md is the contract; this file is its only implementation.
 */
import { isSubjectToken, PetrelError } from "../core/mod.ts";

/** The binding's own URI, declared in a card's `supportedInterfaces` (A2A 1.0 section 5.8). */
export const NATS_BINDING = "urn:petrel:a2a:binding:nats:v1";

export const A2A_VERSION = "1.0";

/** The operations of A2A 1.0. */
export const METHODS = [
  "SendMessage",
  "SendStreamingMessage",
  "GetTask",
  "CancelTask",
  "ListTasks",
  "SubscribeToTask",
  "CreateTaskPushNotificationConfig",
  "GetTaskPushNotificationConfig",
  "ListTaskPushNotificationConfigs",
  "DeleteTaskPushNotificationConfig",
  "GetExtendedAgentCard",
] as const;
export type Method = (typeof METHODS)[number];

/** Whether the answer to an operation is a stream. */
export function isStream(method: Method): boolean {
  return method === "SendStreamingMessage" || method === "SubscribeToTask";
}

/** Header names. Lower case throughout, because a NATS header lookup is exact. */
export const HEADER = {
  version: "a2a-version",
  extensions: "a2a-extensions",
  /** Milliseconds the caller will still wait. Relative, so that clocks need not agree. */
  timeout: "a2a-timeout-ms",
  /** The envelope's id, the same in the reports of both ends. */
  envelope: "a2a-envelope",
  /** By what the audit's shards are chosen, so that both ends choose the same. */
  shard: "a2a-shard",
  /** For whom the caller asks; a task belongs to both. */
  onBehalf: "a2a-on-behalf",
  /** OAuth scopes of that principal, with spaces between; absent: the caller's own rights. */
  scopes: "a2a-scopes",
  /** Number of the last event of a task that a subscriber has seen. */
  cursor: "a2a-cursor",
  /** Number of the task's event in a frame. */
  event: "a2a-event",
  /** Which agent answers what was asked of a skill. */
  agent: "a2a-agent",
  frame: "a2a-frame",
  seq: "a2a-seq",
  traceparent: "traceparent",
} as const;

/** Kinds of reply frames. A unary call gets one `result` or `error`; a stream `data`… then `end`. */
export const FRAMES = ["result", "data", "heartbeat", "end", "error"] as const;
export type Frame = (typeof FRAMES)[number];

/** A name as one subject token; throws USAGE naming the field when it cannot be one. */
export function subjectToken(text: string, field: string): string {
  if (!isSubjectToken(text)) {
    throw new PetrelError(
      "USAGE",
      `${field} "${text.slice(0, 60)}" must be 1 to 128 letters, digits, "-" or "_"`,
      { path: field },
    );
  }
  return text;
}

/** Where `caller` asks `agent`. Permissions let a caller publish under its own name only. */
export function rpcSubject(agent: string, caller: string, method: Method): string {
  return `a2a.v1.rpc.${subjectToken(agent, "agent")}.${subjectToken(caller, "caller")}.${method}`;
}

/** What an agent's replicas subscribe to for one method: any caller, one queue group. */
export function rpcEndpoint(agent: string, method: Method): string {
  return `a2a.v1.rpc.${subjectToken(agent, "agent")}.*.${method}`;
}

/** Whether a message on `subject` was published for that endpoint, by whomever. */
export function isRpcSubject(subject: string, agent: string, method: Method): boolean {
  return subject.startsWith(`a2a.v1.rpc.${agent}.`) && subject.endsWith(`.${method}`);
}

/** Operations that may be asked of a skill, whoever has it; the others are about a task, so an agent's. */
export const SKILL_METHODS = ["SendMessage", "SendStreamingMessage"] as const;

/** Where `caller` asks any agent that has the skill. */
export function skillSubject(skill: string, caller: string, method: Method): string {
  return `a2a.v1.skill.${subjectToken(skill, "skill")}.${subjectToken(caller, "caller")}.${method}`;
}

/** What every agent with the skill subscribes to, in one queue group. */
export function skillEndpoint(skill: string, method: Method): string {
  return `a2a.v1.skill.${subjectToken(skill, "skill")}.*.${method}`;
}

export function isSkillSubject(subject: string, skill: string, method: Method): boolean {
  return subject.startsWith(`a2a.v1.skill.${skill}.`) && subject.endsWith(`.${method}`);
}

/** The caller's name, from the subject the server let it publish on. */
export function callerOf(subject: string): string {
  return subject.split(".")[4] ?? "";
}

/** Where one replica takes orders about the tasks it runs (cancel). */
export function controlSubject(agent: string, instance: string): string {
  return `a2a.v1.ctl.${subjectToken(agent, "agent")}.${subjectToken(instance, "instance")}`;
}

/**
 * To whom a task belongs, as one token: the caller, for whom it asks, and in which tenant. The last two are
 * hashed, because they may be any text; `=` keeps such an owner apart from every caller's name.
 */
export function ownerOf(caller: string, principal?: string, tenant?: string): string {
  subjectToken(caller, "caller");
  if (principal === undefined && !tenant) return caller;
  const parts = JSON.stringify([principal ?? null, tenant || null]);
  const hash = new Bun.CryptoHasher("sha256").update(parts).digest("base64url");
  return `${caller}=${hash.slice(0, 22)}`;
}

/** The log of one task. A caller never publishes here; the agent that serves it does. */
export function taskSubject(agent: string, owner: string, taskId: string): string {
  return `${taskSubjects(agent, owner)}.${subjectToken(taskId, "taskId")}`;
}

/** The logs of all tasks of an agent, or of those of one owner; the task's id is the next token. */
export function taskSubjects(agent: string, owner = "*"): string {
  return `a2a.v1.task.${subjectToken(agent, "agent")}.${owner}`;
}

/** Every task's log: what the stream A2A_TASK_LOG captures. */
export const TASK_LOG_SUBJECTS = "a2a.v1.task.*.*.*";

/** The card, from any replica. */
export function cardSubject(agent: string): string {
  return `a2a.v1.card.${subjectToken(agent, "agent")}`;
}

/** Where the answers to `name` come in. Permissions let nobody else listen there. */
export function inboxPrefix(name: string): string {
  return `a2a.v1.reply.${subjectToken(name, "name")}`;
}

/**
 * Where a process reports envelopes of one shard. Captured by the AUDIT stream, apart from every RPC
 * subject.
 */
export function auditSubject(name: string, instance: string, shard = 0): string {
  return `audit.${subjectToken(name, "name")}.${subjectToken(instance, "instance")}.${shard}`;
}

/** Whose report it is, from the subject the server let them publish on; undefined for no report's subject. */
export function reporterOf(subject: string): string | undefined {
  return /^audit\.([A-Za-z0-9_-]{1,128})\.[A-Za-z0-9_-]{1,128}\.\d{1,2}$/.exec(subject)?.[1];
}

export const AUDIT_SUBJECTS = "audit.>";
