/** What brokers and kafkajs report, in the closed set of errors. */
import { asPetrelError, type ErrorCode, messageOf, PetrelError } from "../../core/mod.ts";

/** What was being done, and to what: an error names it. */
export interface KafkaDoing {
  /** Such as `writing` or `beginning a transaction`. */
  readonly doing: string;
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
  readonly transactionalId?: string | undefined;
}

/**
 * Kafka's error codes that mean something particular to us
 * (https://kafka.apache.org/protocol#protocol_error_codes): name, and code of the closed set.
 */
const CODES: Readonly<Record<number, readonly [name: string, code: ErrorCode]>> = {
  [-1]: ["UNKNOWN_SERVER_ERROR", "UNAVAILABLE"],
  1: ["OFFSET_OUT_OF_RANGE", "QUERY_REFUSED"],
  2: ["CORRUPT_MESSAGE", "UNAVAILABLE"],
  3: ["UNKNOWN_TOPIC_OR_PARTITION", "UNAVAILABLE"],
  5: ["LEADER_NOT_AVAILABLE", "UNAVAILABLE"],
  6: ["NOT_LEADER_OR_FOLLOWER", "UNAVAILABLE"],
  7: ["REQUEST_TIMED_OUT", "UNAVAILABLE"],
  8: ["BROKER_NOT_AVAILABLE", "UNAVAILABLE"],
  9: ["REPLICA_NOT_AVAILABLE", "UNAVAILABLE"],
  10: ["MESSAGE_TOO_LARGE", "TOO_LARGE"],
  13: ["NETWORK_EXCEPTION", "UNAVAILABLE"],
  14: ["COORDINATOR_LOAD_IN_PROGRESS", "UNAVAILABLE"],
  15: ["COORDINATOR_NOT_AVAILABLE", "UNAVAILABLE"],
  16: ["NOT_COORDINATOR", "UNAVAILABLE"],
  17: ["INVALID_TOPIC_EXCEPTION", "CONFIG_INVALID"],
  18: ["RECORD_LIST_TOO_LARGE", "TOO_LARGE"],
  19: ["NOT_ENOUGH_REPLICAS", "UNAVAILABLE"],
  20: ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "UNAVAILABLE"],
  29: ["TOPIC_AUTHORIZATION_FAILED", "UNAUTHENTICATED"],
  30: ["GROUP_AUTHORIZATION_FAILED", "UNAUTHENTICATED"],
  31: ["CLUSTER_AUTHORIZATION_FAILED", "UNAUTHENTICATED"],
  32: ["INVALID_TIMESTAMP", "PROTOCOL_VIOLATION"],
  33: ["UNSUPPORTED_SASL_MECHANISM", "UNAUTHENTICATED"],
  34: ["ILLEGAL_SASL_STATE", "UNAUTHENTICATED"],
  36: ["TOPIC_ALREADY_EXISTS", "CONFLICT"],
  37: ["INVALID_PARTITIONS", "CONFIG_INVALID"],
  38: ["INVALID_REPLICATION_FACTOR", "CONFIG_INVALID"],
  39: ["INVALID_REPLICA_ASSIGNMENT", "CONFIG_INVALID"],
  40: ["INVALID_CONFIG", "CONFIG_INVALID"],
  44: ["POLICY_VIOLATION", "CONFIG_INVALID"],
  45: ["OUT_OF_ORDER_SEQUENCE_NUMBER", "CONFLICT"],
  46: ["DUPLICATE_SEQUENCE_NUMBER", "CONFLICT"],
  47: ["INVALID_PRODUCER_EPOCH", "CONFLICT"],
  48: ["INVALID_TXN_STATE", "CONFLICT"],
  49: ["INVALID_PRODUCER_ID_MAPPING", "CONFLICT"],
  50: ["INVALID_TRANSACTION_TIMEOUT", "CONFIG_INVALID"],
  51: ["CONCURRENT_TRANSACTIONS", "CONFLICT"],
  52: ["TRANSACTION_COORDINATOR_FENCED", "UNAVAILABLE"],
  53: ["TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "UNAUTHENTICATED"],
  55: ["OPERATION_NOT_ATTEMPTED", "UNAVAILABLE"],
  56: ["KAFKA_STORAGE_ERROR", "UNAVAILABLE"],
  57: ["LOG_DIR_NOT_FOUND", "UNAVAILABLE"],
  58: ["SASL_AUTHENTICATION_FAILED", "UNAUTHENTICATED"],
  59: ["UNKNOWN_PRODUCER_ID", "CONFLICT"],
  72: ["LISTENER_NOT_FOUND", "UNAVAILABLE"],
  74: ["FENCED_LEADER_EPOCH", "UNAVAILABLE"],
  75: ["UNKNOWN_LEADER_EPOCH", "UNAVAILABLE"],
  76: ["UNSUPPORTED_COMPRESSION_TYPE", "CONFIG_INVALID"],
  78: ["OFFSET_NOT_AVAILABLE", "UNAVAILABLE"],
  89: ["THROTTLING_QUOTA_EXCEEDED", "OVERLOADED"],
  90: ["PRODUCER_FENCED", "CONFLICT"],
};

/** Codes that a caller handles rather than reports. */
export const OFFSET_OUT_OF_RANGE = 1;
export const TOPIC_ALREADY_EXISTS = 36;
export const CONCURRENT_TRANSACTIONS = 51;
export const OFFSET_NOT_AVAILABLE = 78;

/** The error for a code a broker answered with; `fields.kafkaCode` keeps it. */
export function errorOfCode(kafkaCode: number, doing: KafkaDoing, said = ""): PetrelError {
  const [name, code] = CODES[kafkaCode] ?? [`error ${kafkaCode}`, "PROTOCOL_VIOLATION"];
  const detail = said === "" || said === name ? name : `${name}: ${messageOf(said)}`;
  return new PetrelError(code, `kafka: ${placeOf(doing)}: ${detail}`, { ...doing, kafkaCode });
}

/** What kafkajs throws, by name; its classes cannot be imported without loading it. */
const NAMES: Readonly<Record<string, ErrorCode>> = {
  KafkaJSConnectionError: "UNAVAILABLE",
  KafkaJSConnectionClosedError: "UNAVAILABLE",
  KafkaJSBrokerNotFound: "UNAVAILABLE",
  KafkaJSNoBrokerAvailableError: "UNAVAILABLE",
  KafkaJSMetadataNotLoaded: "UNAVAILABLE",
  KafkaJSTopicMetadataNotLoaded: "UNAVAILABLE",
  KafkaJSGroupCoordinatorNotFound: "UNAVAILABLE",
  KafkaJSLockTimeout: "UNAVAILABLE",
  KafkaJSTimeout: "DEADLINE_EXCEEDED",
  KafkaJSRequestTimeoutError: "DEADLINE_EXCEEDED",
  KafkaJSSASLAuthenticationError: "UNAUTHENTICATED",
  KafkaJSServerDoesNotSupportApiKey: "PROTOCOL_VIOLATION",
  KafkaJSError: "UNAVAILABLE",
  KafkaJSNonRetriableError: "INTERNAL",
};

const WRAPPERS = new Set(["KafkaJSNumberOfRetriesExceeded", "KafkaJSNonRetriableError"]);

/** Retries and aggregates wrap what happened; a cause that is its own cause ends the search. */
const DEPTH_MAX = 5;

/**
 * Anything thrown while talking to Kafka, in the closed set; an error of ours passes through.
 * Not reachable: UNAVAILABLE. Refused by SASL or an ACL: UNAUTHENTICATED, naming what and for what.
 * Fenced by another producer: CONFLICT. What nobody foresaw: INTERNAL, which is not retried.
 */
export function kafkaError(thrown: unknown, doing: KafkaDoing): PetrelError {
  const error = innermost(thrown);
  if (error instanceof PetrelError) return error;
  const code = kafkaCodeOf(error);
  if (code !== undefined) return errorOfCode(code, doing, messageOf(error));
  const name = error instanceof Error ? error.name : "";
  const mapped = asPetrelError(error, NAMES[name] ?? "INTERNAL", `kafka: ${placeOf(doing)}`);
  return new PetrelError(mapped.code, mapped.message, { ...doing }, thrown);
}

/** The code a broker answered with, if that is what the error is. */
export function kafkaCodeOf(thrown: unknown): number | undefined {
  const error = innermost(thrown);
  if (error instanceof PetrelError) {
    const { kafkaCode } = error.fields;
    return typeof kafkaCode === "number" ? kafkaCode : undefined;
  }
  const isProtocol = error instanceof Error && "type" in error && "code" in error;
  return isProtocol && typeof error.code === "number" ? error.code : undefined;
}

function innermost(thrown: unknown): unknown {
  let error = thrown;
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const inner = wrapped(error);
    if (inner === undefined) break;
    error = inner;
  }
  return error;
}

function wrapped(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof PetrelError) return undefined;
  if (WRAPPERS.has(error.name)) return error.cause;
  if (error.name === "KafkaJSAggregateError" && "errors" in error && Array.isArray(error.errors)) {
    return error.errors[0];
  }
  return undefined;
}

/** `writing to petrel.audit.requests[3] as petrel-bridge.AUDIT.0`. */
function placeOf({ doing, topic, partition, transactionalId }: KafkaDoing): string {
  const where =
    topic === undefined ? "" : ` ${topic}${partition === undefined ? "" : `[${partition}]`}`;
  return `${doing}${where}${transactionalId === undefined ? "" : ` as ${transactionalId}`}`;
}
