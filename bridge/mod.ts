/** The audit's way out of JetStream: so far its reader and the count of what both ends reported. */
export { type AuditEntry, type ReadOptions, readAudit } from "./reader.ts";
export { type Tally, tallyAudit } from "./tally.ts";
