/**
 * Incidents as they are kept in KV, and what is told about them. One record an incident, under
 * `inc.<id>`, checked whenever it is read back. What decides about incidents is life.ts.
 */
import { z } from "zod";
import { Cost, INCIDENT_KINDS, SEVERITIES, SeenBefore } from "../../alarms/mod.ts";
import { Explanation } from "../explain/record.ts";
import { WindowJson } from "../protocol.ts";
import { CauseJson, EvidenceJson } from "../sre/records.ts";

export const Token = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);

/**
 * pending: seen in too few windows to be told; open; resolved: quiet for long enough, and opened again
 * if it comes back soon; closed: over.
 */
export const INCIDENT_STATES = ["pending", "open", "resolved", "closed"] as const;
export type IncidentState = (typeof INCIDENT_STATES)[number];

export const CHANGE_KINDS = [
  "opened",
  "updated",
  "resolved",
  "reopened",
  "flapping",
  "silenced",
  "confirmed",
  "rejected",
  "closed",
] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** How far a notice got with one sink. `dead`: given up, and in the dead letters. */
export const Delivery = z.enum(["pending", "delivered", "dead"]);
export type Delivery = z.infer<typeof Delivery>;

/** One entry of the timeline. */
export const Change = z.strictObject({
  /** From 1, without gaps. The change's id is `<incident>.<seq>`. */
  seq: z.number().int().min(1),
  kind: z.enum(CHANGE_KINDS),
  at: z.string(),
  /** One sentence: what changed, and why. */
  text: z.string().max(1_000),
  /** The investigation that brought it. */
  investigation: Token.optional(),
  window: WindowJson.optional(),
  /** The person who brought it. */
  by: z.string().max(200).optional(),
  /** By sink; absent where nobody is told. */
  deliveries: z.record(z.string(), Delivery).default({}),
});
export type Change = z.infer<typeof Change>;

/** What a person said of the cause. */
export const Judgement = z.strictObject({
  isConfirmed: z.boolean(),
  by: z.string().max(200),
  at: z.string(),
  /** The cause as the person knows it; the incident's own where they did not say. */
  cause: z.string().max(500),
  note: z.string().max(2_000).optional(),
});
export type Judgement = z.infer<typeof Judgement>;

export const Incident = z.strictObject({
  id: Token,
  fingerprint: Token,
  kind: z.enum(INCIDENT_KINDS),
  state: z.enum(INCIDENT_STATES),
  severity: z.enum(SEVERITIES),
  service: z.string().max(200),
  mechanism: z.string().max(200),
  location: z.string().max(500).optional(),
  title: z.string().max(300),
  confidence: z.number().min(0).max(1),
  /** Every service that showed it: the cause first, then who suffers. */
  services: z.array(z.string().max(200)).max(50),
  openedAt: z.string(),
  updatedAt: z.string(),
  resolvedAt: z.string().optional(),
  firstWindow: WindowJson,
  /** The last one that showed it. */
  lastWindow: WindowJson,
  windows: z.number().int().min(0),
  /** Id of the silence that holds its notices back. */
  silencedBy: Token.optional(),
  judgement: Judgement.optional(),
  /** The investigation whose verdict is shown: the one the incident was last told with. */
  investigation: Token,
  investigations: z.array(Token).max(100),
  causes: z.array(CauseJson).max(10),
  evidence: z.array(EvidenceJson).max(50),
  explanation: Explanation.optional(),
  seenBefore: z.array(SeenBefore).max(5),
  /** Where a person can see the same data. */
  links: z
    .array(z.strictObject({ title: z.string().max(300), url: z.string().max(2_000) }))
    .max(20)
    .default([]),
  /** Of all its explanations. */
  cost: Cost,
  timeline: z.array(Change).max(200),
  /** The A2A task that holds every change as an event. */
  taskId: z.string().max(128).optional(),
});
export type Incident = z.infer<typeof Incident>;

/** `service=payment-*`: all of a silence's matchers have to match. */
export const Matcher = z.strictObject({
  field: z.enum(["service", "mechanism", "severity", "kind", "location"]),
  isEqual: z.boolean(),
  /** `*` stands for any text. */
  value: z.string().min(1).max(200),
});
export type Matcher = z.infer<typeof Matcher>;

export const Silence = z.strictObject({
  id: Token,
  matchers: z.array(Matcher).min(1).max(20),
  from: z.string(),
  until: z.string(),
  by: z.string().max(200),
  comment: z.string().max(500),
});
export type Silence = z.infer<typeof Silence>;
