/** What the SRE agents write down of investigations and their verdicts. Checked whenever read back. */
import { z } from "zod";
import { Finding } from "../../streams/mod.ts";
import { LogQuerySpec, WindowJson } from "../protocol.ts";

const Token = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);

/** One agent asked in one investigation. The message id is minted once and survives every restart. */
export const AskedSource = z.strictObject({ agent: Token, messageId: Token });
export type AskedSource = z.infer<typeof AskedSource>;

/** Key `task.<id>`: the coordinator's record. Written by its owner alone, by compare-and-set. */
export const InvestigationRecord = z.strictObject({
  id: Token,
  window: WindowJson,
  baseline: z.array(WindowJson),
  /** When incidents were: no part of what is normal. */
  incidents: z.array(WindowJson).optional(),
  query: LogQuerySpec.optional(),
  sources: z.array(AskedSource).min(1).max(20),
  /** Somebody says that something is wrong: suspects are ranked although nothing stands out. */
  alerted: z.boolean().optional(),
  /** Somebody asked for it: about now, or about what is long over, which alarms nobody. */
  asked: z.enum(["now", "past"]).optional(),
  /** Longest wait for the sources, milliseconds, counted anew by each owner: clocks need not agree. */
  timeoutMs: z.number().int().positive(),
  state: z.enum(["open", "concluded", "closed"]),
  /** The process that works on it. */
  owner: Token,
  /** How many owners it has had. */
  owners: z.number().int().min(1),
  /** `traceparent` of the investigation. */
  traceparent: z.string().max(64),
  openedAt: z.string(),
  closedAt: z.string().optional(),
});
export type InvestigationRecord = z.infer<typeof InvestigationRecord>;

export const SOURCE_STATES = ["quiet", "anomalous", "failed", "timed_out"] as const;

/** How one source ended. Never "no findings because it failed". */
export const SourceResult = z.strictObject({
  status: z.enum(SOURCE_STATES),
  reason: z.string().max(1_000).optional(),
  findings: z.number().int().min(0),
  stats: z.record(z.string(), z.number()),
  notes: z.array(z.string()),
  links: z.array(z.strictObject({ title: z.string(), url: z.string() })),
  tookMs: z.number(),
});
export type SourceResult = z.infer<typeof SourceResult>;

export const EvidenceJson = z.strictObject({
  id: z.string().regex(/^e\d+$/),
  source: z.enum(["logs", "metrics"]),
  finding: Finding,
});

export const CauseJson = z.strictObject({
  service: z.string(),
  mechanism: z.string(),
  resource: z.string().optional(),
  location: z.string().optional(),
  score: z.number(),
  confidence: z.number().min(0).max(1),
  evidence: z.array(z.string()),
  against: z.array(z.string()),
  affected: z.array(z.string()),
  next: z.array(z.string()),
});
export type CauseJson = z.infer<typeof CauseJson>;

export const OUTCOMES = ["quiet", "incident", "inconclusive"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Key `v.<id>`: created once, so a window has one verdict whoever reaches it. */
export const Verdict = z.strictObject({
  id: Token,
  window: WindowJson,
  outcome: z.enum(OUTCOMES),
  /** Why it is inconclusive, or what stays open. */
  reason: z.string().max(1_000).optional(),
  rootCause: z
    .strictObject({ service: z.string(), mechanism: z.string(), location: z.string().optional() })
    .nullable(),
  confidence: z.number().min(0).max(1),
  causes: z.array(CauseJson).max(10),
  evidence: z.array(EvidenceJson).max(50),
  sources: z.record(Token, SourceResult),
  concludedAt: z.string(),
});
export type Verdict = z.infer<typeof Verdict>;
