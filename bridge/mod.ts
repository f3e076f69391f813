/** The audit's way from JetStream to Kafka, its proof, and the way back to the state of a task. */
export { type BridgeOptions, runBridge, type Sink } from "./bridge.ts";
export { CheckpointWriter, type SignTree } from "./checkpoints.ts";
export { type KafkaClient, kafkaClient } from "./kafka/client.ts";
export { partitionOf } from "./kafka/partition.ts";
export { KafkaReader } from "./kafka/reader.ts";
export { leafIndexOf, type StoredRecord } from "./kafka/record.ts";
export { KafkaSink } from "./kafka/sink.ts";
export { batchBytesMaxOf, ensureTopics, type TopicSpec } from "./kafka/topics.ts";
export { decodeLedger, encodeLedger, type LedgerEntry } from "./ledger.ts";
export type { Fact } from "./mirror/fact.ts";
export { Mirror, type MirrorOptions } from "./mirror/mirror.ts";
export type { PlacedNote } from "./proof/checkpoints.ts";
export { FINDING_KINDS, type Finding } from "./proof/findings.ts";
export {
  generateKey,
  loadSigner,
  loadVerifiers,
  newKeyring,
  parseSigner,
  parseVerifiers,
  rotateKey,
  saveKey,
} from "./proof/keys.ts";
export { leafHash, Tree } from "./proof/merkle.ts";
export {
  type Checkpoint,
  openCheckpoint,
  originOf,
  parseCheckpoint,
  signCheckpoint,
  type Verifier,
} from "./proof/note.ts";
export { type LeafSource, proveConsistency, proveInclusion } from "./proof/proofs.ts";
export type { Replayed } from "./proof/replay.ts";
export { type VerifyReport, verifyTrail } from "./proof/verify.ts";
export {
  type AuditEntry,
  type AuditMessage,
  type ReadOptions,
  readAudit,
  readMessages,
} from "./reader.ts";
export { makeRecorder, type Recorder } from "./recorder.ts";
export { decodeRecord } from "./records/decode.ts";
export { makeEncoder, type SchemaIds } from "./records/encode.ts";
export { registerSchemas } from "./records/register.ts";
export { SchemaRegistry } from "./records/registry.ts";
export type { Format } from "./records/schemas.ts";
export { type TopicOptions, topicsOf } from "./records/topics.ts";
export { type Boundary, replayLeaves } from "./replay/again.ts";
export { diffJson } from "./replay/diff.ts";
export {
  byPlace,
  callOfEntry,
  envelopeOf,
  kafkaPlaceText,
  kindOf,
  placeInStream,
  type TrailEntry,
  type Unreadable,
} from "./replay/entry.ts";
export { EXPORT_FORMAT, type Exported, ExportLines, type Manifest } from "./replay/export.ts";
export { foldTask, isBy, type Moment, noTask, type TaskState } from "./replay/fold.ts";
export { type JetStreamTrail, readJetStream } from "./replay/jetstream.ts";
export { entryOf, KafkaTrail, type KafkaTrailOptions, type TreeOfShard } from "./replay/kafka.ts";
export {
  type Comparison,
  compareLive,
  type LiveTask,
  readLive,
  stateWord,
  taskJson,
} from "./replay/live.ts";
export {
  checkProof,
  leafOf,
  type ProofFile,
  type ProofHead,
  parseProof,
} from "./replay/proof-file.ts";
export { isUnreadable, type Query, type Selected, Selection, select } from "./replay/select.ts";
export type { Trail } from "./resume.ts";
export {
  type Lag,
  measureLag,
  renderMetrics,
  Status,
  type StatusSnapshot,
  watchLag,
} from "./status.ts";
export { bodyStore, stateStore } from "./stores.ts";
export { type Tally, tallyAudit } from "./tally.ts";
export { kafkaTrail, ledgerTopicOf } from "./trail.ts";
export { postJson } from "./webhook.ts";
