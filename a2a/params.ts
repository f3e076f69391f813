/**
 * The parameters of a request, checked before the SDK's codec sees them: it makes a text of a number, a
 * `true` of "false", and nothing of what it does not know. What passes here it reads as it was meant
 * (A2A 1.0 sections 5.5 to 5.7, and ProtoJSON). It changes nothing, and repeats no value in an error.
 */
import { TaskState } from "@a2a-js/sdk";
import { RequestMalformedError } from "@a2a-js/sdk/errors";
import type { Method } from "./subjects.ts";

const ID_CHARS_MAX = 512;
const PARTS_MAX = 1_000;
/** Of lists of names: extensions, media types, tasks referred to. */
const NAMES_MAX = 1_000;
/** Objects and lists within each other, in metadata and data parts. Readers that recurse must come back. */
const DEPTH_MAX = 64;
const KEY_CHARS_SHOWN = 60;
const INT32_MAX = 2 ** 31 - 1;

/** What is wrong with a value and where in it, such as `.parts[0]: must be an object`; undefined: nothing. */
type Check = (value: unknown) => string | undefined;

const PARTS = ["text", "raw", "url", "data"] as const;
const ROLES = ["ROLE_USER", "ROLE_AGENT"];
/** In the order of their numbers. */
const STATES = Object.keys(TaskState).filter((name) => name.startsWith("TASK_STATE_"));

const names = listOf(text, NAMES_MAX);
const anyJson: Check = (value) => faultOfJson(value, 1);
const metadata: Check = (value) => (isObject(value) ? anyJson(value) : ": must be an object");

const part = message(
  { text, raw, url: text, data: anyJson, metadata, filename: text, mediaType: text },
  [],
  (value) => {
    let contents = 0;
    for (const name of PARTS) if (isSet(value[name])) contents++;
    return contents === 1 ? undefined : ": exactly one of text, raw, url, data";
  },
);

const userMessage = message(
  {
    messageId: id,
    contextId: id,
    taskId: id,
    role: enumOf(ROLES, 1),
    parts: listOf(part, PARTS_MAX),
    metadata,
    extensions: names,
    referenceTaskIds: listOf(id, NAMES_MAX),
  },
  ["messageId", "role", "parts"],
);

const pushFields = {
  tenant: id,
  id,
  taskId: id,
  url: text,
  token: text,
  authentication: message({ scheme: text, credentials: text }, ["scheme"]),
};

const configuration = message({
  acceptedOutputModes: names,
  taskPushNotificationConfig: message(pushFields, ["url"]),
  historyLength: count,
  returnImmediately: bool,
});

const send = message({ tenant: id, message: userMessage, configuration, metadata }, ["message"]);
const pushConfig = message({ tenant: id, taskId: id, id }, ["taskId", "id"]);

const CHECKS: Readonly<Record<Method, Check>> = {
  SendMessage: send,
  SendStreamingMessage: send,
  GetTask: message({ tenant: id, id, historyLength: count }, ["id"]),
  ListTasks: message({
    tenant: id,
    contextId: id,
    status: enumOf(STATES, 0),
    pageSize: count,
    pageToken: text,
    historyLength: count,
    statusTimestampAfter: timestamp,
    includeArtifacts: bool,
  }),
  CancelTask: message({ tenant: id, id, metadata }, ["id"]),
  SubscribeToTask: message({ tenant: id, id }, ["id"]),
  CreateTaskPushNotificationConfig: message(pushFields, ["taskId", "url"]),
  GetTaskPushNotificationConfig: pushConfig,
  DeleteTaskPushNotificationConfig: pushConfig,
  ListTaskPushNotificationConfigs: message(
    { tenant: id, taskId: id, pageSize: count, pageToken: text },
    ["taskId"],
  ),
  GetExtendedAgentCard: message({ tenant: id }),
};

/**
 * Checks the `params` of a request as they came out of `JSON.parse`. Names are camelCase or the
 * protocol's own snake_case, not both of one field; null is absent; unknown fields are passed over; an
 * integer may be a text; an enum's value is its name or number. Throws RequestMalformedError with the
 * field's path, such as `params.message.parts[0]: exactly one of text, raw, url, data`.
 */
export function checkParams(method: Method, params: unknown): void {
  // The one operation that asks for nothing: JSON-RPC lets its parameters be left out.
  if (method === "GetExtendedAgentCard" && !isSet(params)) return;
  const fault = CHECKS[method](params);
  if (fault !== undefined) throw new RequestMalformedError(`params${fault}`);
}

/** An object of known fields; `also` judges what its fields are together. */
function message(
  checks: Readonly<Record<string, Check>>,
  required: readonly string[] = [],
  also?: (value: Readonly<Record<string, unknown>>) => string | undefined,
): Check {
  const fields = Object.entries(checks).map(([name, check]) => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return {
      name,
      snake: snake === name ? undefined : snake,
      check,
      isRequired: required.includes(name),
    };
  });
  return (value) => {
    if (!isObject(value)) return ": must be an object";
    for (const { name, snake, check, isRequired } of fields) {
      let given = value[name];
      const other = snake === undefined ? undefined : value[snake];
      if (isSet(other)) {
        if (isSet(given)) return `.${name}: is there twice, as ${snake} too`;
        given = other;
      }
      if (!isSet(given)) {
        if (isRequired) return `.${name}: is required`;
        continue;
      }
      const fault = check(given);
      if (fault !== undefined) return `.${name}${fault}`;
      if (isRequired && isEmpty(given)) return `.${name}: is empty`;
    }
    return also?.(value);
  };
}

function listOf(check: Check, lengthMax: number): Check {
  return (value) => {
    if (!Array.isArray(value)) return ": must be a list";
    if (value.length > lengthMax) return `: more than ${lengthMax} elements`;
    for (let at = 0; at < value.length; at++) {
      const fault = check(value[at]);
      if (fault !== undefined) return `[${at}]${fault}`;
    }
    return undefined;
  };
}

/** By name, or by number: `values[0]` has the number `first`. */
function enumOf(values: readonly string[], first: number): Check {
  const known = new Set<unknown>(values.flatMap((name, at) => [name, first + at]));
  return (value) => (known.has(value) ? undefined : `: must be one of ${values.join(", ")}`);
}

function text(value: unknown): string | undefined {
  if (typeof value !== "string") return ": must be a text";
  return value.isWellFormed() ? undefined : ": is no Unicode";
}

function id(value: unknown): string | undefined {
  if (typeof value === "string" && value.length > ID_CHARS_MAX) {
    return `: more than ${ID_CHARS_MAX} characters`;
  }
  return text(value);
}

function bool(value: unknown): string | undefined {
  return typeof value === "boolean" ? undefined : ": must be true or false";
}

/** A whole number from 0, as a number or a text (ProtoJSON's int32). */
function count(value: unknown): string | undefined {
  const isText =
    typeof value === "string" && /^-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?$/.test(value);
  const found = isText || typeof value === "number" ? Number(value) : Number.NaN;
  if (Number.isInteger(found) && found >= 0 && found <= INT32_MAX) return undefined;
  return ": must be a whole number from 0";
}

/** A time in UTC that exists (section 5.6.1). */
function timestamp(value: unknown): string | undefined {
  const isShaped =
    typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(value);
  const ms = isShaped ? Date.parse(value) : Number.NaN;
  // February 30 is read as a day in March.
  const isReal =
    isShaped && !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(value.slice(0, 19));
  return isReal ? undefined : ": must be a time in UTC, such as 2026-01-31T12:00:00.000Z";
}

/** Bytes in base64, of either alphabet, padded or not. */
function raw(value: unknown): string | undefined {
  if (typeof value === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) {
    if (value.endsWith("=") ? value.length % 4 === 0 : value.length % 4 !== 1) return undefined;
  }
  return ": must be base64";
}

/** Any JSON that others can read too: finite numbers, Unicode, not too deep. */
function faultOfJson(value: unknown, depth: number): string | undefined {
  if (typeof value === "string") return text(value);
  if (typeof value === "number")
    return Number.isFinite(value) ? undefined : ": is too large a number";
  if (typeof value !== "object" || value === null) return undefined;
  if (depth > DEPTH_MAX) return `: more than ${DEPTH_MAX} levels`;
  if (Array.isArray(value)) return faultOfList(value, depth);
  for (const [key, inner] of Object.entries(value)) {
    const fault = key.isWellFormed() ? faultOfJson(inner, depth + 1) : ": its name is no Unicode";
    if (fault !== undefined) return `.${key.toWellFormed().slice(0, KEY_CHARS_SHOWN)}${fault}`;
  }
  return undefined;
}

function faultOfList(values: readonly unknown[], depth: number): string | undefined {
  for (let at = 0; at < values.length; at++) {
    const fault = faultOfJson(values[at], depth + 1);
    if (fault !== undefined) return `[${at}]${fault}`;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An empty text or list. */
function isEmpty(value: unknown): boolean {
  return value === "" || (Array.isArray(value) && value.length === 0);
}

function isSet(value: unknown): boolean {
  return value !== null && value !== undefined;
}
