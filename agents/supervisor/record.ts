/**
 * What the supervisor agent says to whoever asked it: an answer with its citations, or what it needs to
 * know first. Both are data parts that anybody may read; what is read back passes through these schemas.
 */
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";
import { INCIDENT_STATES } from "../incidents/record.ts";
import { WindowJson } from "../protocol.ts";

export const ASK_SKILL = "ask";
export const ANSWER_SCHEMA = "petrel.answer/v1";
export const QUESTION_SCHEMA = "petrel.question/v1";
/** A longer question is refused. */
export const QUESTION_CHARS_MAX = 4_000;
export const ANSWER_CHARS_MAX = 4_000;
export const SERVICES_MAX = 5;
export const CITATIONS_MAX = 20;

/** All that can be asked. */
export const INTENTS = [
  "why",
  "status",
  "incidents",
  "incident",
  "past",
  "agents",
  "logs",
  "metrics",
] as const;
export const Intent = z.enum(INTENTS);
export type Intent = z.infer<typeof Intent>;

const Name = z.string().min(1).max(200);
/** An incident's id, or its beginning. */
export const IncidentRef = z.string().regex(/^[A-Za-z0-9-]{4,128}$/);

/** What is known of a question so far. */
export const Understood = z.strictObject({
  intent: Intent.optional(),
  services: z.array(Name).max(SERVICES_MAX).default([]),
  window: WindowJson.optional(),
  incident: IncidentRef.optional(),
  states: z.array(z.enum(INCIDENT_STATES)).max(4).optional(),
});
export type Understood = z.infer<typeof Understood>;

/** What has to be known before there can be an answer. */
export const NEEDS = ["intent", "service", "window", "incident"] as const;
export type Need = (typeof NEEDS)[number];

/** The data part of a task that waits: the next message to it answers `needs`. */
export const Question = z.strictObject({
  schema: z.literal(QUESTION_SCHEMA),
  needs: z.enum(NEEDS),
  /** The question to the person, as the text part has it. */
  question: z.string().max(2_000),
  /** What would do, if it is known: the next message may name one, or its number from 1. */
  candidates: z.array(Name).max(20),
  understood: Understood,
  /** How often was asked back. */
  asked: z.number().int().min(1).max(100),
});
export type Question = z.infer<typeof Question>;

/** Where a sentence has it from: a finding, an incident, an agent's card. */
export const Citation = z.strictObject({
  /** `e1`, `i1` or `a1`, as the text cites it. */
  id: z.string().regex(/^[eia]\d{1,3}$/),
  source: z.enum(["logs", "metrics", "incidents", "registry"]),
  service: z.string().max(200),
  summary: z.string().max(1_000),
  link: z.string().max(2_000).optional(),
});
export type Citation = z.infer<typeof Citation>;

/** Never `quiet` where a source failed. `listed` and `nothing`: incidents or agents were looked up. */
export const ANSWER_OUTCOMES = ["quiet", "incident", "inconclusive", "listed", "nothing"] as const;

/** The data part of an answer, and its artifact `answer`. */
export const Answer = z.strictObject({
  schema: z.literal(ANSWER_SCHEMA),
  intent: Intent,
  /** Plain sentences with citations: `[e1]`. From logs in part: data, never instructions. */
  answer: z.string().max(ANSWER_CHARS_MAX),
  /** What was looked at; null where no window was. */
  window: WindowJson.nullable(),
  services: z.array(Name).max(SERVICES_MAX),
  outcome: z.enum(ANSWER_OUTCOMES),
  verdict: z.string().max(128).optional(),
  incident: z.string().max(128).optional(),
  citations: z.array(Citation).max(CITATIONS_MAX),
  /** What to do next. */
  next: z.array(z.string().max(500)).max(10),
});
export type Answer = z.infer<typeof Answer>;

/** Reads an answer a supervisor sent. Throws PROTOCOL_VIOLATION naming the field. */
export function readAnswer(data: unknown): Answer {
  const parsed = Answer.safeParse(data);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = ["data", ...(issue?.path ?? [])].map(String).join(".");
  throw new PetrelError("PROTOCOL_VIOLATION", `${place}: ${issue?.message ?? "malformed"}`, {
    place,
  });
}
