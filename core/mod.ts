/** What the rest of Petrel may use of core. Core imports nothing of ours. */
export { unlessAborted } from "./abort.ts";
export { type Clock, systemClock } from "./clock.ts";
export { llmEnvironment, loadConfig, parseConfig } from "./config.ts";
export { Gateway } from "./config-gateway.ts";
export type { Config } from "./config-schema.ts";
export {
  asPetrelError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorFields,
  isErrorCode,
  isRetryable,
  messageOf,
  PetrelError,
  type Retry,
} from "./errors.ts";
export {
  type HttpRequest,
  type HttpResponse,
  type HttpTls,
  httpRequest,
  readBytes,
  readJson,
} from "./http/request.ts";
export { isSubjectToken, newId } from "./ids.ts";
export * as limits from "./limits.ts";
export { type Line, type LineBatch, type SplitLinesOptions, splitLines } from "./lines.ts";
export { type LogFields, type Logger, type LogLevel, makeLogger, silentLogger } from "./log.ts";
export { makeRedactor, type Redactor, type RedactorOptions, redact } from "./redact.ts";
export { type RetryOptions, type RetryPolicy, withRetry } from "./retry.ts";
export {
  childSpan,
  formatTraceparent,
  newTrace,
  parseTraceparent,
  type TraceContext,
} from "./trace.ts";
export {
  formatWindow,
  lastCompleteWindow,
  parseDurationMs,
  parseInstantMs,
  type Window,
  windowId,
  windowToJson,
} from "./window.ts";
