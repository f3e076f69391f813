/** A2A over NATS: what the rest of Petrel may use. */
export { type AgentDefinition, type SkillWords, type Turn, type TurnResult } from "./agent.ts";
export { Outbox, type OutboxCounts } from "./audit/outbox.ts";
export { type AuditRecord, packRecords, RecordMeta, unpackRecords } from "./audit/record.ts";
export { AUDIT_STREAM, ensureAuditStream } from "./audit/stream.ts";
export { Mesh, type MeshOptions, type Serving } from "./mesh.ts";
export { type Registered, Registry } from "./registry.ts";
export { AUDIT_SUBJECTS, METHODS, NATS_BINDING, rpcSubject } from "./subjects.ts";
export { dataPart, isTerminal, textPart } from "./tasks/live.ts";
export { callParameters, NatsTransport, NatsTransportFactory } from "./transport.ts";
