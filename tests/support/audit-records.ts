/** Reports of envelopes, for tests of the audit's writers and readers. */
import { type AuditRecord } from "../../a2a/mod.ts";

/** What `side` reports of envelope `id`. */
export function record(id: string, side: AuditRecord["side"], body = "{}"): AuditRecord {
  return {
    id,
    side,
    kind: "request",
    method: "SendMessage",
    caller: "a",
    agent: "b",
    instance: "i",
    atMs: 1,
    bytes: Buffer.byteLength(body),
    body,
  };
}
