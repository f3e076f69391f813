/**
 * What may be asked of the SRE agent about incidents: the data part of an A2A message to its skill
 * `incidents`, and of the message with which the completed task answers it. Who asks is told by the
 * subject, not by the data.
 */
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";
import { INCIDENT_STATES, Incident, Matcher, Silence, Token } from "./record.ts";

export const INCIDENTS_SCHEMA = "petrel.incidents/v1";
export const INCIDENTS_SKILL = "incidents";

const schema = z.literal(INCIDENTS_SCHEMA);
const Instant = z.iso.datetime({ offset: true });
/** An id, or its beginning if that is one incident's alone. */
const IncidentRef = z.string().regex(/^[A-Za-z0-9-]{4,128}$/);
const SINK_CHARS_MAX = 100;
/** Notices that one request sends again. */
export const REDELIVERED_MAX = 200;
const Note = z.string().min(1).max(2_000);

export const IncidentsRequest = z.discriminatedUnion("action", [
  z.strictObject({
    schema,
    action: z.literal("list"),
    states: z.array(z.enum(INCIDENT_STATES)).min(1).max(4).optional(),
    service: z.string().min(1).max(200).optional(),
    /** Only those with a notice that a sink never took. */
    isDead: z.literal(true).optional(),
    /** Newest first. */
    limit: z.number().int().min(1).max(500).default(50),
  }),
  z.strictObject({ schema, action: z.literal("show"), incident: IncidentRef }),
  z.strictObject({
    schema,
    action: z.literal("confirm"),
    incident: IncidentRef,
    /** The cause as the person knows it; by default the incident's. */
    cause: z.string().min(1).max(500).optional(),
    note: Note.optional(),
  }),
  z.strictObject({
    schema,
    action: z.literal("reject"),
    incident: IncidentRef,
    /** What it was instead. */
    cause: z.string().min(1).max(500).optional(),
    note: Note.optional(),
  }),
  z.strictObject({
    schema,
    action: z.literal("silence"),
    matchers: z.array(Matcher).min(1).max(20),
    /** Default: now. */
    from: Instant.optional(),
    until: Instant,
    comment: z.string().min(1).max(500),
  }),
  z.strictObject({ schema, action: z.literal("unsilence"), silence: Token }),
  z.strictObject({ schema, action: z.literal("silences") }),
  /** Sends again what is a dead letter, once. */
  z.strictObject({
    schema,
    action: z.literal("redeliver"),
    incident: IncidentRef,
    /** At this sink alone. */
    sink: z.string().min(1).max(SINK_CHARS_MAX).optional(),
  }),
]);
export type IncidentsRequest = z.infer<typeof IncidentsRequest>;
/** As somebody writes it, with defaults left out. */
export type IncidentsAsked = z.input<typeof IncidentsRequest>;

/** An incident in a list. */
export const IncidentSummary = Incident.pick({
  id: true,
  kind: true,
  state: true,
  severity: true,
  service: true,
  mechanism: true,
  location: true,
  title: true,
  confidence: true,
  services: true,
  openedAt: true,
  updatedAt: true,
  resolvedAt: true,
  firstWindow: true,
  lastWindow: true,
  windows: true,
  silencedBy: true,
  judgement: true,
  investigation: true,
}).extend({
  /** Sinks that never took a notice of it; absent where there are none. */
  dead: z.array(z.string().max(SINK_CHARS_MAX)).min(1).max(20).optional(),
});
export type IncidentSummary = z.infer<typeof IncidentSummary>;

const RedeliveredOutcome = z.strictObject({
  seq: z.number().int().min(1),
  sink: z.string().max(SINK_CHARS_MAX),
  state: z.enum(["delivered", "dead"]),
  /** Why it is dead, or was not tried. */
  reason: z.string().max(500).optional(),
});

export const IncidentsAnswer = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("incidents"),
    incidents: z.array(IncidentSummary).max(500),
    /** There are more than the limit. */
    isCut: z.boolean(),
  }),
  z.strictObject({ kind: z.literal("incident"), incident: Incident }),
  z.strictObject({
    kind: z.literal("silence"),
    silence: Silence,
    /** Incidents that are not closed and match it now. */
    matching: z.number().int().min(0),
  }),
  z.strictObject({
    kind: z.literal("silences"),
    silences: z.array(Silence).max(1_000),
    /** Of the configuration, in words: `Sun 02:00-04:00 UTC service=ledger-*`. */
    maintenance: z.array(z.string()).max(100),
  }),
  z.strictObject({
    kind: z.literal("redelivered"),
    incident: Token,
    /** Of each notice that was dead, at each sink. */
    outcomes: z.array(RedeliveredOutcome).max(REDELIVERED_MAX),
    /** There are more that are dead. */
    isCut: z.boolean(),
  }),
]);
export type IncidentsAnswer = z.infer<typeof IncidentsAnswer>;

/** Reads a request a peer sent. Throws PROTOCOL_VIOLATION naming the field. */
export function readIncidentsRequest(data: unknown): IncidentsRequest {
  return readAs(IncidentsRequest, data);
}

/** Reads an answer. Throws PROTOCOL_VIOLATION naming the field. */
export function readIncidentsAnswer(data: unknown): IncidentsAnswer {
  return readAs(IncidentsAnswer, data);
}

function readAs<T>(shape: z.ZodType<T>, data: unknown): T {
  const parsed = shape.safeParse(data);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = ["data", ...(issue?.path ?? [])].map(String).join(".");
  throw new PetrelError("PROTOCOL_VIOLATION", `${place}: ${issue?.message ?? "malformed"}`, {
    place,
  });
}
