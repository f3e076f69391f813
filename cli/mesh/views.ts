/** What the mesh's records look like to the MCP tools: fewer fields, every text cut to its bound. */
import { type Task, TaskState } from "@a2a-js/sdk";
import type { Mesh, Registered } from "../../a2a/mod.ts";
import type { Incident, IncidentSummary, Verdict } from "../../agents/mod.ts";
import { type Answer, readAnswer } from "../../agents/supervisor/mod.ts";
import type {
  Asked,
  IncidentDetails,
  IncidentView,
  MeshAgent,
  MeshCitation,
  PendingWork,
  TaskView,
  VerdictSummary,
} from "../../mcp/mod.ts";
import type { Standing } from "../asking.ts";
import { oneLine } from "../render/text.ts";
import { verdictIn } from "./verdict-in.ts";

export function agentViews(replicas: readonly Registered[]): MeshAgent[] {
  return [...Map.groupBy(replicas, ({ agent }) => agent)].map(([agent, own]) => {
    const card = own[0]?.card;
    return {
      agent,
      description: oneLine(card?.description ?? "", 1_000),
      version: oneLine(card?.version ?? "", 60),
      skills: (card?.skills ?? []).slice(0, 50).map(({ id, description }) => {
        return { id: oneLine(id, 128), description: oneLine(description, 500) };
      }),
      replicas: own.slice(0, 50).map(({ instance, host, startedAt, running, breakers = [] }) => ({
        instance,
        host: oneLine(host, 256),
        startedAt: oneLine(startedAt, 40),
        running,
        unreachable: breakers
          .slice(0, 32)
          .map(({ target, state }) => `${oneLine(target, 180)}: ${state}`),
      })),
    };
  });
}

const STATES: Partial<Record<TaskState, TaskView["state"]>> = {
  [TaskState.TASK_STATE_COMPLETED]: "completed",
  [TaskState.TASK_STATE_FAILED]: "failed",
  [TaskState.TASK_STATE_REJECTED]: "rejected",
  [TaskState.TASK_STATE_CANCELED]: "cancelled",
  [TaskState.TASK_STATE_INPUT_REQUIRED]: "input-required",
  [TaskState.TASK_STATE_AUTH_REQUIRED]: "input-required",
};

function stateOf({ status }: Task): TaskView["state"] {
  return STATES[status?.state ?? TaskState.TASK_STATE_UNSPECIFIED] ?? "working";
}

/** A task, with the verdict or the answer that it holds. */
export async function taskView(mesh: Mesh, agent: string, task: Task): Promise<TaskView> {
  const verdict = await verdictIn(mesh, task);
  const answer = answerIn(task);
  return {
    agent,
    taskId: task.id,
    state: stateOf(task),
    text: textOf(task, 4_000),
    updatedAt: (task.status?.timestamp ?? "").slice(0, 40),
    ...(verdict ? { verdict: verdictSummary(verdict) } : {}),
    ...(answer ? { answer: answerView(answer) } : {}),
  };
}

export function pendingTask(agent: string, task: Task): PendingWork["tasks"][number] {
  const updatedAt = (task.status?.timestamp ?? "").slice(0, 40);
  return { agent, taskId: task.id, state: stateOf(task), updatedAt, text: textOf(task, 500) };
}

function textOf({ status }: Task, charsMax: number): string {
  for (const { content } of status?.message?.parts ?? [])
    if (content?.$case === "text") return oneLine(content.value, charsMax);
  return "";
}

function answerIn({ artifacts }: Task): Answer | undefined {
  const content = artifacts.findLast(({ name }) => name === "answer")?.parts[0]?.content;
  return content?.$case === "data" ? readAnswer(content.value) : undefined;
}

function answerView({
  answer,
  outcome,
  window,
  citations,
  next,
}: Answer): NonNullable<Asked["answer"]> {
  return { answer, outcome, window, citations, next };
}

export function askedView(standing: Standing): Asked {
  const { state, taskId } = standing;
  if (state === "completed")
    return { state, taskId, text: standing.answer.answer, answer: answerView(standing.answer) };
  if (state !== "input-required") return { state, taskId, text: oneLine(standing.text, 4_000) };
  const { question, needs, candidates } = standing.question;
  return { state, taskId, text: oneLine(question, 4_000), needs, candidates };
}

type Evidence = Verdict["evidence"][number];

function citationOf({ id, source, finding }: Evidence): MeshCitation {
  const { service, summary, link } = finding;
  const words = { service: oneLine(service, 200), summary: oneLine(summary, 1_000) };
  return { id, source, ...words, ...(link === undefined ? {} : { link }) };
}

function verdictSummary(verdict: Verdict): VerdictSummary {
  const { id, window, outcome, reason, confidence, causes, evidence, sources } = verdict;
  return {
    id,
    window,
    outcome,
    ...(reason === undefined ? {} : { reason: oneLine(reason, 1_000) }),
    confidence,
    causes: causes.slice(0, 3).map((cause) => ({
      service: oneLine(cause.service, 200),
      mechanism: oneLine(cause.mechanism, 200),
      confidence: cause.confidence,
      evidence: cause.evidence.slice(0, 20).map((one) => one.slice(0, 20)),
      affected: cause.affected.slice(0, 20).map((name) => oneLine(name, 200)),
      next: cause.next.slice(0, 10).map((step) => oneLine(step, 500)),
    })),
    evidence: evidence.slice(0, 20).map(citationOf),
    sources: Object.entries(sources)
      .slice(0, 20)
      .map(([source, { status, reason: why }]) => {
        const told = why === undefined ? {} : { reason: oneLine(why, 1_000) };
        return { source, status, ...told };
      }),
  };
}

export function incidentView(incident: IncidentSummary | Incident): IncidentView {
  const { id, state, kind, severity, confidence, openedAt, updatedAt, resolvedAt, windows } =
    incident;
  const { judgement } = incident;
  const said = judgement?.isConfirmed ? "confirmed" : "rejected; it was";
  return {
    id,
    state,
    kind,
    severity,
    title: oneLine(incident.title, 300),
    service: oneLine(incident.service, 200),
    mechanism: oneLine(incident.mechanism, 200),
    confidence,
    services: incident.services.map((name) => oneLine(name, 200)),
    openedAt: openedAt.slice(0, 40),
    updatedAt: updatedAt.slice(0, 40),
    ...(resolvedAt === undefined ? {} : { resolvedAt: resolvedAt.slice(0, 40) }),
    windows,
    ...(judgement
      ? { judgement: oneLine(`${said} by ${judgement.by}: ${judgement.cause}`, 1_000) }
      : {}),
  };
}

export function incidentDetails(incident: Incident): IncidentDetails {
  const { explanation, causes, evidence, timeline, seenBefore } = incident;
  return {
    ...incidentView(incident),
    text: oneLine(explanation?.text ?? incident.title, 4_000),
    evidence: evidence.slice(0, 20).map(citationOf),
    next: (explanation?.next ?? causes[0]?.next ?? [])
      .slice(0, 10)
      .map((step) => oneLine(step, 500)),
    timeline: timeline.slice(-30).map(({ at, kind, text }) => {
      return { at: at.slice(0, 40), kind, text: oneLine(text, 1_000) };
    }),
    seenBefore: seenBefore.map(({ incident: id, at, cause, isConfirmed }) => {
      return { incident: id, at: at.slice(0, 40), cause: oneLine(cause, 500), isConfirmed };
    }),
  };
}
