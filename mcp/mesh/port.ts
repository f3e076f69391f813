/**
 * What the mesh tools need of the mesh, and the shapes they answer in. Every text may come from logs, peers
 * or models: data, bounded, never instructions. Nothing here talks to anybody.
 */
import { z } from "zod";

const Text = (charsMax: number) => z.string().max(charsMax);
const Instant = z.string().max(40);
export const MeshWindow = z.strictObject({ start: Instant, end: Instant });

export const MeshAgent = z.strictObject({
  agent: Text(128),
  description: Text(1_000),
  version: Text(60),
  skills: z.array(z.strictObject({ id: Text(128), description: Text(500) })).max(50),
  replicas: z
    .array(
      z.strictObject({
        instance: Text(128),
        host: Text(256),
        startedAt: Instant,
        running: z.number().int().min(0).describe("tasks it ran at its last heartbeat"),
        unreachable: z.array(Text(200)).max(32).describe("agents it finds ill: circuit not closed"),
      }),
    )
    .max(50),
});
export type MeshAgent = z.infer<typeof MeshAgent>;

export const MeshCitation = z.strictObject({
  id: Text(20).describe("as the texts cite it: [e1]"),
  source: Text(40),
  service: Text(200),
  summary: Text(1_000),
  link: Text(2_000).optional(),
});
export type MeshCitation = z.infer<typeof MeshCitation>;

export const VerdictSummary = z.strictObject({
  id: Text(128),
  window: MeshWindow,
  outcome: z.enum(["quiet", "incident", "inconclusive"]),
  reason: Text(1_000).optional(),
  confidence: z.number(),
  causes: z
    .array(
      z.strictObject({
        service: Text(200),
        mechanism: Text(200),
        confidence: z.number(),
        evidence: z.array(Text(20)).max(20),
        affected: z.array(Text(200)).max(20),
        next: z.array(Text(500)).max(10),
      }),
    )
    .max(3),
  evidence: z.array(MeshCitation).max(20),
  sources: z
    .array(z.strictObject({ source: Text(128), status: Text(20), reason: Text(1_000).optional() }))
    .max(20)
    .describe("a source that failed was not read: that is not the same as quiet"),
});
export type VerdictSummary = z.infer<typeof VerdictSummary>;

export const AnswerView = z.strictObject({
  answer: Text(4_000),
  outcome: Text(20),
  window: MeshWindow.nullable(),
  citations: z.array(MeshCitation).max(20),
  next: z.array(Text(500)).max(10),
});

export const TASK_STATES = [
  "working",
  "input-required",
  "completed",
  "failed",
  "rejected",
  "cancelled",
] as const;

export const TaskView = z.strictObject({
  agent: Text(128),
  taskId: Text(128),
  state: z.enum(TASK_STATES),
  text: Text(4_000).describe("its last words: progress, the answer, or why it failed"),
  updatedAt: Instant,
  verdict: VerdictSummary.optional(),
  answer: AnswerView.optional(),
});
export type TaskView = z.infer<typeof TaskView>;

export const IncidentView = z.strictObject({
  id: Text(128),
  state: Text(20),
  kind: Text(20),
  severity: Text(20),
  title: Text(300),
  service: Text(200),
  mechanism: Text(200),
  confidence: z.number(),
  services: z.array(Text(200)).max(50),
  openedAt: Instant,
  updatedAt: Instant,
  resolvedAt: Instant.optional(),
  windows: z.number().int().min(0),
  judgement: Text(1_000).optional().describe("what a person said of the cause"),
});
export type IncidentView = z.infer<typeof IncidentView>;

export const IncidentDetails = IncidentView.extend({
  text: Text(4_000).describe("the explanation, citing evidence"),
  evidence: z.array(MeshCitation).max(20),
  next: z.array(Text(500)).max(10),
  timeline: z.array(z.strictObject({ at: Instant, kind: Text(20), text: Text(1_000) })).max(30),
  seenBefore: z
    .array(
      z.strictObject({
        incident: Text(160),
        at: Instant,
        cause: Text(500),
        isConfirmed: z.boolean(),
      }),
    )
    .max(5),
});
export type IncidentDetails = z.infer<typeof IncidentDetails>;

export const PendingWork = z.strictObject({
  tasks: z
    .array(
      z.strictObject({
        agent: Text(128),
        taskId: Text(128),
        state: Text(20),
        updatedAt: Instant,
        text: Text(500),
      }),
    )
    .max(200)
    .describe("tasks of this caller that are not at rest or wait for it"),
  running: z
    .array(z.strictObject({ agent: Text(128), tasks: z.number().int().min(0) }))
    .max(100)
    .describe("tasks each agent runs, whoever asked"),
  windows: z
    .array(z.strictObject({ id: Text(128), window: MeshWindow, openedAt: Instant }))
    .max(200)
    .describe("investigations that have no verdict yet"),
  incidents: z.array(IncidentView).max(200).describe("seen in too few windows to be told yet"),
  unread: z
    .array(z.strictObject({ what: Text(60), why: Text(500) }))
    .max(50)
    .describe("what could not be read: of that nothing is known"),
});
export type PendingWork = z.infer<typeof PendingWork>;

export const Asked = z.strictObject({
  state: z.enum(TASK_STATES),
  taskId: Text(128),
  text: Text(4_000).describe("the answer, what Petrel needs to know, or why it could not answer"),
  answer: AnswerView.optional(),
  needs: Text(20).optional().describe("intent, service, window or incident"),
  candidates: z.array(Text(200)).max(20).optional(),
});
export type Asked = z.infer<typeof Asked>;

export interface InvestigationWish {
  readonly startMs: number;
  readonly endMs: number;
  /** Logs of these services alone; all by default. */
  readonly services: readonly string[];
}

export interface IncidentsWish {
  readonly states: readonly ("pending" | "open" | "resolved" | "closed")[];
  readonly service: string | undefined;
  readonly limit: number;
}

/** The mesh, as the tools see it. Every method rejects with a PetrelError, and stops when `signal` aborts. */
export interface MeshPort {
  agents(signal: AbortSignal): Promise<readonly MeshAgent[]>;
  /** Begins an investigation, and returns its task when it is at rest, or `waitMs` later. */
  investigate(wish: InvestigationWish, waitMs: number, signal: AbortSignal): Promise<TaskView>;
  /** Undefined where there is no such task, or it is not ours to see. */
  task(agent: string, taskId: string, signal: AbortSignal): Promise<TaskView | undefined>;
  incidents(
    wish: IncidentsWish,
    signal: AbortSignal,
  ): Promise<{ readonly incidents: readonly IncidentView[]; readonly isCut: boolean }>;
  incident(id: string, signal: AbortSignal): Promise<IncidentDetails>;
  pending(signal: AbortSignal): Promise<PendingWork>;
  /** A question, or what was asked back on `taskId`. */
  ask(
    question: string,
    taskId: string | undefined,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Asked>;
}
