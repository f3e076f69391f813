/**
 * One row into one {@link LogRecord}: tells the format by its first character, then puts together what
 * the row, its fields and its text say. It never throws, and what the source says of time and service
 * stands above what the text says.
 */
import type { LogRecord, Row } from "../model.ts";
import { exceptionOf, frameOf } from "./exception.ts";
import { requestOf } from "./http.ts";
import { readJson } from "./json.ts";
import { levelOf } from "./level.ts";
import { instanceOf, serviceOf } from "./service.ts";
import { readText } from "./text.ts";

/** Longer messages are cut: templates and answers need no more. */
const MESSAGE_CHARS_MAX = 8_192;

/**
 * Reads Spring Boot's default line, ECS and logstash JSON, Docker's JSON around any of them, and
 * Train-Ticket's line. A text of another form becomes a record with the whole first line as its
 * message. `undefined` when there is no text, or no time in row or text.
 */
export function parseRow(row: Row): LogRecord | undefined {
  const { raw, fields } = row;
  const event = raw.startsWith("{") ? readJson(raw) : readText(raw, row.timeMs);
  const timeMs = row.timeMs ?? event.timeMs;
  if (timeMs === undefined || raw.trim() === "") return undefined;
  const traceId = event.traceId ?? (fields?.["traceId"] || fields?.["trace_id"]);
  const spanId = event.spanId ?? (fields?.["spanId"] || fields?.["span_id"]);
  const instance = instanceOf(fields) ?? event.instance;
  const exception = event.exception ?? exceptionOf(event.message, event.rest);
  const request = requestOf(event.message, event.status ?? fields?.["status"], event.latencyMs);
  const record: Draft = {
    timeMs,
    service: serviceOf(row, event.service, instance),
    level: event.level ?? levelOf(fields?.["level"] ?? fields?.["severity"]) ?? "UNKNOWN",
    message: event.message.slice(0, MESSAGE_CHARS_MAX),
  };
  if (instance !== undefined) record.instance = instance;
  if (event.logger !== undefined) record.logger = event.logger;
  if (traceId) record.traceId = traceId;
  if (spanId) record.spanId = spanId;
  if (request.status !== undefined) record.status = request.status;
  if (request.latencyMs !== undefined) record.latencyMs = request.latencyMs;
  if (exception !== undefined) record.exception = exception;
  const frame = event.rest === "" ? undefined : frameOf(event.rest);
  if (frame !== undefined) record.frame = frame;
  return record;
}

/** Filled field by field: spreading objects costs more than all the rest. */
type Draft = { -readonly [Field in keyof LogRecord]: LogRecord[Field] };
