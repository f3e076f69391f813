/**
 * What a sink is told: one change of one incident, complete, and the same whichever sink sends it.
 * Nothing here decides whether or when it is sent. Texts come from logs and models: data, never markup.
 */
import { z } from "zod";

export const NOTICE_TYPE = "petrel.alarm/v2";

/** Most urgent first. `info` is for what nobody should be woken for, such as a source that failed. */
export const SEVERITIES = ["critical", "warning", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** A fault of a service; a window nobody can say anything about; Petrel itself sees nothing. */
export const INCIDENT_KINDS = ["fault", "inconclusive", "operations"] as const;
export type IncidentKind = (typeof INCIDENT_KINDS)[number];

/** Changes of an incident that somebody is told of. */
export const TOLD_CHANGES = ["opened", "updated", "resolved", "reopened", "flapping"] as const;
export type ToldChange = (typeof TOLD_CHANGES)[number];

const Token = z.string().regex(/^[A-Za-z0-9._-]{1,160}$/);
const WindowJson = z.strictObject({ start: z.string(), end: z.string() });

export const NoticeEvidence = z.strictObject({
  /** `e1`, as the texts cite it. */
  id: z.string().regex(/^e\d+$/),
  source: z.enum(["logs", "metrics"]),
  service: z.string().max(200),
  summary: z.string().max(1_000),
  /** Back to Splunk, Prometheus or Grafana. */
  link: z.string().max(2_000).optional(),
});
export type NoticeEvidence = z.infer<typeof NoticeEvidence>;

/** An incident like this one, from before. */
export const SeenBefore = z.strictObject({
  incident: Token,
  /** ISO 8601: when it opened. */
  at: z.string(),
  /** Its cause: `payment-service: database connection pool exhausted`. */
  cause: z.string().max(500),
  /** Whether a person said that this was the cause. */
  isConfirmed: z.boolean(),
  /** In [0, 1]. */
  similarity: z.number().min(0).max(1),
});
export type SeenBefore = z.infer<typeof SeenBefore>;

/** A tool that was called while digging, for the alarm's appendix. */
export const ToolUse = z.strictObject({
  tool: z.string().max(200),
  /** JSON, redacted and cut. */
  arguments: z.string().max(1_000),
  outcome: z.enum(["ok", "error", "refused"]),
  /** What came of it, one line, redacted and cut. */
  note: z.string().max(500),
  tookMs: z.number().min(0),
});
export type ToolUse = z.infer<typeof ToolUse>;

/** What a language model was asked, in all. */
export const Cost = z.strictObject({
  calls: z.number().int().min(0),
  toolCalls: z.number().int().min(0),
  promptTokens: z.number().int().min(0),
  completionTokens: z.number().int().min(0),
  /** By the configured prices; 0 where none are. */
  usd: z.number().min(0),
});
export type Cost = z.infer<typeof Cost>;

export const Notice = z.strictObject({
  type: z.literal(NOTICE_TYPE),
  /** `<incident>.<seq>`: the same however often it is sent, to whichever sink. */
  id: Token,
  incident: Token,
  change: z.enum(TOLD_CHANGES),
  kind: z.enum(INCIDENT_KINDS),
  severity: z.enum(SEVERITIES),
  /** One line, the service first. */
  title: z.string().max(300),
  /** Plain sentences; evidence is cited as `[e1]`. */
  text: z.string().max(4_000),
  /** Who wrote the text: `statistics`, or a model's name. */
  by: z.string().max(200),
  /** Statements of a model that did not hold against the evidence, and are not in the text. */
  struck: z.number().int().min(0),
  /** What a reader has to know about the text: out of budget, the model differs from the statistics. */
  remarks: z.array(z.string().max(500)).max(10),
  service: z.string().max(200),
  mechanism: z.string().max(200),
  location: z.string().max(500).optional(),
  /** In [0, 1]. */
  confidence: z.number().min(0).max(1),
  /** Services that suffer from it. */
  affected: z.array(z.string().max(200)).max(50),
  /** What the cause rests on, most telling first. */
  evidence: z.array(NoticeEvidence).max(20),
  next: z.array(z.string().max(500)).max(10),
  seenBefore: z.array(SeenBefore).max(5),
  /** The window that brought the change. */
  window: WindowJson,
  /** ISO 8601. */
  openedAt: z.string(),
  at: z.string(),
  /** Anomalous windows so far. */
  windows: z.number().int().min(0),
  links: z
    .array(z.strictObject({ title: z.string().max(300), url: z.string().max(2_000) }))
    .max(20),
  appendix: z.array(ToolUse).max(50),
  cost: Cost,
});
export type Notice = z.infer<typeof Notice>;
