/** The record of one envelope of a call, as either end makes it. */
import { type Clock, formatTraceparent, type TraceContext } from "../../core/mod.ts";
import type { AuditRecord } from "./record.ts";

/** Who reports, and of whose call. */
export interface ReportingEnd {
  readonly side: AuditRecord["side"];
  readonly caller: string;
  readonly agent: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly method: string;
  readonly trace: TraceContext;
}

/** What is reported: `frame` is missing for requests and good unary answers. */
export interface Reported {
  readonly kind: AuditRecord["kind"];
  readonly id: string;
  readonly body: string;
  readonly frame: string | undefined;
}

export function callRecord(end: ReportingEnd, { kind, id, body, frame }: Reported): AuditRecord {
  const { side, caller, agent, instance, clock, method, trace } = end;
  return {
    id,
    side,
    kind,
    method,
    caller,
    agent,
    instance,
    atMs: clock.nowMs(),
    traceparent: formatTraceparent(trace),
    frame,
    bytes: Buffer.byteLength(body),
    body,
  };
}
