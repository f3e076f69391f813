/**
 * A small SRE agent that answers as the contracts of `investigate` and `incidents` say, and a supervisor
 * over a real mesh: what they are asked is kept, what they answer is the test's.
 */
import { SendMessageRequest, type StreamResponse, type Task, TaskState } from "@a2a-js/sdk";
import { type AgentDefinition, callParameters, type Mesh, type Turn } from "../../../a2a/mod.ts";
import type {
  IncidentSummary,
  IncidentsAnswer,
  IncidentsRequest,
} from "../../../agents/incidents/protocol.ts";
import { readIncidentsRequest } from "../../../agents/incidents/protocol.ts";
import type { Incident } from "../../../agents/incidents/record.ts";
import { type InvestigateRequest, readRequest } from "../../../agents/protocol.ts";
import type { Verdict } from "../../../agents/sre/records.ts";
import {
  makeSupervisorAgent,
  meshSkills,
  type SupervisorOptions,
} from "../../../agents/supervisor/mod.ts";
import { newId, newTrace, PetrelError, silentLogger } from "../../../core/mod.ts";
import { incident as verdictOf } from "../verdict-fixtures.ts";

export const NOW_MS = Date.parse("2026-11-21T15:02:30Z");
export const MINUTE_MS = 60_000;

export function summary(id: string, more: Partial<IncidentSummary> = {}): IncidentSummary {
  const window = { start: "2026-11-21T14:40:00.000Z", end: "2026-11-21T14:45:00.000Z" };
  return {
    id,
    kind: "fault",
    state: "open",
    severity: "critical",
    service: "payment-service",
    mechanism: "database connection pool exhausted",
    title: "payment-service: database connection pool exhausted",
    confidence: 0.95,
    services: ["payment-service", "order-service"],
    openedAt: window.start,
    updatedAt: window.end,
    firstWindow: window,
    lastWindow: window,
    windows: 1,
    investigation: "20261121T144000Z-300s",
    ...more,
  };
}

export function fullIncident(id: string, more: Partial<Incident> = {}): Incident {
  const { causes, evidence } = verdictOf("x");
  return {
    ...summary(id),
    fingerprint: "f1",
    investigations: ["20261121T144000Z-300s"],
    causes,
    evidence,
    links: [],
    seenBefore: [],
    cost: { calls: 0, toolCalls: 0, promptTokens: 0, completionTokens: 0, usd: 0 },
    timeline: [],
    ...more,
  };
}

/** A verdict about the window that was asked for. */
export function verdict(request: InvestigateRequest, more: Partial<Verdict> = {}): Verdict {
  const source = { findings: 1, notes: [], links: [], tookMs: 5 };
  return verdictOf(request.investigation, {
    window: request.window,
    sources: {
      splunk: { ...source, status: "anomalous", stats: { lines: 14_230 } },
      metrics: { ...source, status: "quiet", findings: 0, stats: { series: 58 } },
    },
    ...more,
  });
}

export function quiet(request: InvestigateRequest, more: Partial<Verdict> = {}): Verdict {
  const source = { status: "quiet" as const, findings: 0, notes: [], links: [], tookMs: 5 };
  return verdict(request, {
    outcome: "quiet",
    rootCause: null,
    confidence: 0,
    causes: [],
    evidence: [],
    sources: {
      splunk: { ...source, stats: { lines: 1_130 } },
      metrics: { ...source, stats: { series: 58 } },
    },
    ...more,
  });
}

export interface SreStandIn {
  readonly agent: AgentDefinition;
  readonly asked: InvestigateRequest[];
  readonly looked: IncidentsRequest[];
  /** What it answers; a test may change it. */
  investigate: (request: InvestigateRequest, turn: Turn) => Promise<Verdict> | Verdict;
  incidents: IncidentSummary[];
  show: Record<string, Incident>;
}

export function sreStandIn(): SreStandIn {
  const standIn: SreStandIn = {
    asked: [],
    looked: [],
    incidents: [],
    show: {},
    investigate: (request) => verdict(request),
    agent: {
      name: "sre",
      description: "Answers as the test says.",
      version: "1.0.0",
      skills: ["investigate", "incidents"].map((id) => {
        return { id, name: id, description: "As the test says.", tags: ["test"] };
      }),
      run: async (turn) => {
        const { schema } = turn.data as { schema: string };
        if (schema === "petrel.incidents/v1") {
          const request = readIncidentsRequest(turn.data);
          standIn.looked.push(request);
          const answer = answerOf(standIn, request);
          return { kind: "message", text: answer.kind, data: answer };
        }
        const request = readRequest(turn.data);
        standIn.asked.push(request);
        turn.progress("asking splunk");
        const found = await standIn.investigate(request, turn);
        await turn.artifact("verdict", found);
        return { kind: "completed", text: found.outcome };
      },
    },
  };
  return standIn;
}

function answerOf({ incidents, show }: SreStandIn, request: IncidentsRequest): IncidentsAnswer {
  if (request.action === "show") {
    const found = Object.values(show).find(({ id }) => id.startsWith(request.incident));
    if (found) return { kind: "incident", incident: found };
    throw new PetrelError("USAGE", `no incident ${request.incident} is known`);
  }
  if (request.action !== "list") throw new PetrelError("USAGE", "the test has no such thing");
  const { states, service, limit } = request;
  const listed = incidents.filter(
    (one) =>
      (states === undefined || states.includes(one.state)) &&
      (service === undefined || one.services.includes(service)),
  );
  return { kind: "incidents", incidents: listed.slice(0, limit), isCut: listed.length > limit };
}

/** The supervisor's settings; its time stands still at {@link NOW_MS}. */
export function settings(mesh: Mesh, more: Partial<SupervisorOptions> = {}): SupervisorOptions {
  const { clock: own } = mesh;
  return {
    skills: meshSkills(mesh),
    clock: own,
    log: silentLogger,
    everyMs: 5 * MINUTE_MS,
    settleMs: 20_000,
    redact: (text) => text,
    ...more,
  };
}

/** Serves a supervisor whose questions are asked at {@link NOW_MS}. */
export async function serveSupervisor(mesh: Mesh, more: Partial<SupervisorOptions> = {}) {
  const options = settings(mesh, more);
  const agent = makeSupervisorAgent(options);
  // Deadlines are the mesh's; the question's time is the test's.
  const offsetMs = mesh.clock.nowMs() - NOW_MS;
  const shifted = makeSupervisorAgent({
    ...options,
    clock: { ...mesh.clock, nowMs: () => mesh.clock.nowMs() - offsetMs },
    skills: {
      agents: () => options.skills.agents(),
      ask: (skill, data, call) =>
        options.skills.ask(skill, data, { ...call, deadlineMs: call.deadlineMs + offsetMs }),
    },
  });
  return mesh.serve({
    ...agent,
    run: (turn) => shifted.run({ ...turn, deadlineMs: turn.deadlineMs - offsetMs }),
  });
}

export interface Asked {
  readonly id: string;
  readonly state: TaskState | undefined;
  readonly text: string;
  readonly data: Record<string, unknown> | undefined;
  readonly task: Task;
  readonly progress: readonly string[];
}

/** One question, or what was asked back, to its end. */
export async function ask(
  mesh: Mesh,
  text: string,
  options: { taskId?: string; timeoutMs?: number } = {},
): Promise<Asked> {
  const { taskId, timeoutMs = 20_000 } = options;
  const params = SendMessageRequest.fromJSON({
    message: { messageId: newId(), role: "ROLE_USER", taskId, parts: [{ text }] },
  });
  const serviceParameters = callParameters({ timeoutMs, trace: newTrace() });
  const transport = mesh.transport("supervisor");
  const events = await Array.fromAsync(transport.sendMessageStream(params, { serviceParameters }));
  const progress = events.flatMap(({ payload }) => {
    if (payload?.$case !== "statusUpdate") return [];
    const isWorking = payload.value.status?.state === TaskState.TASK_STATE_WORKING;
    return isWorking ? [textOf(payload.value.status?.message?.parts)] : [];
  });
  const id = idOf(events) ?? taskId ?? "";
  const task = await transport.getTask({ tenant: "", id, historyLength: undefined });
  const parts = task.status?.message?.parts;
  const data = parts?.find(({ content }) => content?.$case === "data")?.content?.value;
  return {
    id,
    state: task.status?.state,
    text: textOf(parts),
    data: data as Record<string, unknown> | undefined,
    task,
    progress,
  };
}

function idOf(events: readonly StreamResponse[]): string | undefined {
  for (const { payload } of events) {
    if (payload?.$case === "task") return payload.value.id;
    if (payload?.$case === "statusUpdate") return payload.value.taskId;
  }
  return undefined;
}

function textOf(parts: Task["history"][number]["parts"] | undefined): string {
  const content = parts?.find((part) => part.content?.$case === "text")?.content;
  return content?.$case === "text" ? content.value : "";
}
