/** A2A over NATS: what the rest of Petrel may use. */
export { type AgentDefinition, type SkillWords, type Turn, type TurnResult } from "./agent.ts";
export {
  AuditAccess,
  type AuditAccessOptions,
  BODIES_BUCKET,
  BRIDGE_BUCKET,
} from "./audit/access.ts";
export { defaultOutboxDir } from "./audit/folder.ts";
export { type AuditMode, Outbox, type OutboxCounts, shardOf } from "./audit/outbox.ts";
export {
  formatPackHeader,
  PACK_HEADER,
  type PackHeader,
  type PackKind,
  parsePackHeader,
} from "./audit/pack.ts";
export {
  type AuditRecord,
  type Malformation,
  type PackedRecord,
  packRecords,
  RecordMeta,
  type Unpacked,
  unpack,
  unpackBytes,
  unpackRecords,
  withText,
} from "./audit/record.ts";
export { AUDIT_STREAM, ensureAuditStream } from "./audit/stream.ts";
export { type BreakerStatus } from "./calls/breaker.ts";
export { type ExternalAgent } from "./calls/external-entry.ts";
export { importSigningKey, publicJwks, type SigningKey } from "./cards/keys.ts";
export { signCard } from "./cards/sign.ts";
export { type Credentials } from "./connect.ts";
export { Mesh, type MeshOptions } from "./mesh.ts";
export { AddressGuard } from "./push/address.ts";
export { type OpenBreaker, type Registered, Registry, type Wanted } from "./registry.ts";
export { type Serving, type Webhooks } from "./serving.ts";
export { SkillClient } from "./skill.ts";
export { AUDIT_SUBJECTS, METHODS, NATS_BINDING, reporterOf, rpcSubject } from "./subjects.ts";
export { type FindOptions, type FoundTask, findTask } from "./tasks/find.ts";
export { isTerminal } from "./tasks/fold.ts";
export { dataPart, textPart } from "./tasks/parts.ts";
export { callParameters, NatsTransport, NatsTransportFactory } from "./transport.ts";
