/**
 * What the SRE agent and the evidence agents say to each other inside A2A messages, and the records
 * they share in KV. Everything read from a peer or from KV passes through these schemas.
 */
import { z } from "zod";
import { PetrelError, type Window } from "../core/mod.ts";
import { SourceReport } from "../streams/mod.ts";

export const REQUEST_SCHEMA = "petrel.investigate/v1";

const Instant = z.iso.datetime({ offset: true });
const Token = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);

export const WindowJson = z
  .strictObject({ start: Instant, end: Instant })
  .refine(({ start, end }) => Date.parse(start) < Date.parse(end), "start must be before end");

/** Which logs. Values are data: the client quotes them, or refuses them. */
export const LogQuerySpec = z.strictObject({
  index: z.string().min(1).max(200).optional(),
  /** An SPL fragment that filters, e.g. `sourcetype=spring`; checked against an allow-list. */
  search: z.string().max(2_000).optional(),
  services: z.array(z.string().min(1).max(200)).max(200).optional(),
});
export type LogQuerySpec = z.infer<typeof LogQuerySpec>;

/** The data part of the message that asks an agent for evidence about one window. */
export const InvestigateRequest = z.strictObject({
  schema: z.literal(REQUEST_SCHEMA),
  investigation: Token,
  window: WindowJson,
  /** What counts as normal. Logs are read for these; metrics from the first start to the window's end. */
  baseline: z.array(WindowJson).max(20),
  /** When incidents were, as far as known: no part of what is normal. */
  incidents: z.array(WindowJson).max(50).optional(),
  query: LogQuerySpec.optional(),
  /** For the SRE agent: something is known to be wrong, so suspects are named in any case. */
  alerted: z.boolean().optional(),
  /** Under which message id the reply belongs; default the message's own. A repeated asking names the first. */
  replyTo: Token.optional(),
});
export type InvestigateRequest = z.infer<typeof InvestigateRequest>;

/** An agent's one reply to one request, in KV. The artifact of its task carries the same report. */
export const Reply = z.discriminatedUnion("status", [
  z.strictObject({
    status: z.literal("answered"),
    messageId: Token,
    taskId: Token,
    report: SourceReport,
  }),
  z.strictObject({
    status: z.literal("failed"),
    messageId: Token,
    taskId: Token,
    code: z.string().max(64),
    reason: z.string().max(1_000),
  }),
]);
export type Reply = z.infer<typeof Reply>;

/** Reads a request a peer sent. Throws PROTOCOL_VIOLATION naming the field. */
export function readRequest(data: unknown): InvestigateRequest {
  const parsed = InvestigateRequest.safeParse(data);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = ["data", ...(issue?.path ?? [])].join(".");
  throw new PetrelError("PROTOCOL_VIOLATION", `${place}: ${issue?.message ?? "malformed"}`, {
    place,
  });
}

export function toWindow(json: z.infer<typeof WindowJson>): Window {
  return { startMs: Date.parse(json.start), endMs: Date.parse(json.end) };
}
