/**
 * JSON events: Elastic Common Schema, logstash-logback-encoder, and Docker's `{"log":…}` around any
 * text. What does not parse is read as plain text; it never throws.
 */
import { exceptionOf } from "./exception.ts";
import { levelOf } from "./level.ts";
import { isObject } from "./object.ts";
import { intern, internId } from "./own.ts";
import { type EventText, readText } from "./text.ts";
import { parseEventTimeMs } from "./time.ts";

/** Field names in the order of preference; a dot also reaches into nested objects. */
const TIME = ["@timestamp", "timestamp", "time", "ts"];
const LEVEL = ["log.level", "level", "severity"];
const LOGGER = ["log.logger", "logger_name", "logger", "loggerName"];
const MESSAGE = ["message", "msg", "short_message", "log"];
const SERVICE = ["service.name", "service", "application", "app", "spring.application.name"];
const INSTANCE = ["service.node.name", "kubernetes.pod.name", "host.name", "HOSTNAME"];
const TRACE = ["trace.id", "traceId", "trace_id", "traceID", "X-B3-TraceId", "mdc.traceId"];
const SPAN = ["span.id", "spanId", "span_id", "spanID", "X-B3-SpanId", "mdc.spanId"];
const STACK = ["error.stack_trace", "stack_trace", "exception", "stackTrace", "full_message"];
const EXCEPTION = ["error.type", "exception_class"];
const STATUS = ["http.response.status_code", "status", "statusCode", "status_code"];
const LATENCY_MS = ["duration_ms", "durationMs", "responseTimeMs", "elapsed_ms", "latency_ms"];

/** Reads one event of JSON. */
export function readJson(raw: string): EventText {
  const value = parseObject(raw);
  return value === undefined ? readText(raw) : readObject(value);
}

function readObject(value: Record<string, unknown>): EventText {
  if (typeof value["log"] === "string" && value["message"] === undefined) return readDocker(value);
  const stack = textAt(value, STACK) ?? "";
  const message = textAt(value, MESSAGE) ?? "";
  const end = message.indexOf("\n");
  return {
    timeMs: timeAt(value),
    level: levelOf(textAt(value, LEVEL)),
    logger: interned(textAt(value, LOGGER)),
    service: interned(textAt(value, SERVICE)),
    instance: interned(textAt(value, INSTANCE)),
    message: end === -1 ? message : message.slice(0, end),
    rest: end === -1 ? stack : `${message.slice(end + 1)}\n${stack}`,
    traceId: copied(textAt(value, TRACE)),
    spanId: textAt(value, SPAN),
    status: textAt(value, STATUS),
    latencyMs: numberAt(value, LATENCY_MS),
    exception: exceptionOf("", stack) ?? textAt(value, EXCEPTION),
  };
}

/** Docker adds its own clock, which is UTC; the clock inside the text is the container's. */
function readDocker(value: Record<string, unknown>): EventText {
  const text = String(value["log"]).trimEnd();
  const timeMs = timeAt(value);
  const object = parseObject(text);
  const inner = object === undefined ? readText(text, timeMs) : readObject(object);
  return { ...inner, timeMs: timeMs ?? inner.timeMs };
}

function parseObject(raw: string): Record<string, unknown> | undefined {
  if (!raw.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(raw);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function timeAt(value: Record<string, unknown>): number | undefined {
  const text = textAt(value, TIME);
  return text === undefined ? undefined : parseEventTimeMs(text);
}

function numberAt(value: Record<string, unknown>, names: readonly string[]): number | undefined {
  const number = Number(textAt(value, names) ?? Number.NaN);
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}

function textAt(value: Record<string, unknown>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const found = Object.hasOwn(value, name) ? value[name] : nestedAt(value, name);
    if (typeof found === "string" && found !== "") return found;
    if (typeof found === "number") return String(found);
  }
  return undefined;
}

function nestedAt(value: Record<string, unknown>, name: string): unknown {
  if (!name.includes(".")) return undefined;
  let at: unknown = value;
  for (const step of name.split(".")) {
    if (!isObject(at) || !Object.hasOwn(at, step)) return undefined;
    at = at[step];
  }
  return at;
}

function interned(text: string | undefined): string | undefined {
  return text === undefined ? undefined : intern(text);
}

function copied(text: string | undefined): string | undefined {
  return text === undefined ? undefined : internId(text);
}
