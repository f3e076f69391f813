/**
 * The routes of the HTTP+JSON binding (A2A 1.0 sections 5.3, 11.3, 11.5): which operation a path means,
 * and what its parameters are. Everything else about a request is the operation's to judge.
 */
import type { Method } from "../subjects.ts";
import { INVALID_PARAMS, malformed, Refusal, SERVER_ERROR } from "./refusal.ts";

export interface RestCall {
  readonly method: Method;
  /** What the path and the query say; goes before what the body says. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Whether the request's body holds parameters. */
  readonly body: "required" | "optional" | "none";
}

interface Operation {
  readonly method: Method;
  readonly body: RestCall["body"];
  readonly query?: (query: URLSearchParams) => Record<string, unknown>;
}

type Verbs = Readonly<Partial<Record<string, Operation>>>;

const SEND: Verbs = { POST: { method: "SendMessage", body: "required" } };
const SEND_STREAM: Verbs = { POST: { method: "SendStreamingMessage", body: "required" } };
const EXTENDED_CARD: Verbs = {
  GET: { method: "GetExtendedAgentCard", body: "none", query: tenantOf },
};
const TASKS: Verbs = { GET: { method: "ListTasks", body: "none", query: listQuery } };
const TASK: Verbs = {
  GET: {
    method: "GetTask",
    body: "none",
    query: (query) => ({ ...tenantOf(query), ...integer(query, "historyLength") }),
  },
};
const CANCEL: Verbs = { POST: { method: "CancelTask", body: "optional", query: tenantOf } };
const SUBSCRIBE: Verbs = {
  POST: { method: "SubscribeToTask", body: "optional", query: tenantOf },
  // As the protocol's own definition has it, and all that a browser's EventSource can send.
  GET: { method: "SubscribeToTask", body: "none", query: tenantOf },
};
const CONFIGS: Verbs = {
  POST: { method: "CreateTaskPushNotificationConfig", body: "required" },
  GET: { method: "ListTaskPushNotificationConfigs", body: "none", query: pageQuery },
};
const CONFIG: Verbs = {
  GET: { method: "GetTaskPushNotificationConfig", body: "none", query: tenantOf },
  DELETE: { method: "DeleteTaskPushNotificationConfig", body: "none", query: tenantOf },
};

/**
 * The operation of a request, by its verb and the path after the agent's name (without a slash before
 * it). Throws a refusal: no such route (404), another verb (405), a malformed parameter (400).
 */
export function restCallOf(verb: string, path: string, query: URLSearchParams): RestCall {
  const { verbs, params } = routeOf(path);
  const operation = verbs[verb];
  if (!operation) throw wrongVerb(Object.keys(verbs));
  return {
    method: operation.method,
    body: operation.body,
    params: { ...operation.query?.(query), ...params },
  };
}

function routeOf(path: string): { verbs: Verbs; params: Record<string, string> } {
  const [first = "", task = "", third, config, ...more] = path.split("/");
  if (task === "" && third === undefined) {
    const verbs = { "message:send": SEND, "message:stream": SEND_STREAM, tasks: TASKS }[first];
    if (verbs) return { verbs, params: {} };
    if (first === "extendedAgentCard") return { verbs: EXTENDED_CARD, params: {} };
  }
  if (first !== "tasks" || task === "" || more.length > 0) throw noRoute();
  if (third === undefined) return taskRoute(task);
  if (third !== "pushNotificationConfigs") throw noRoute();
  const taskId = decoded(task);
  if (config === undefined) return { verbs: CONFIGS, params: { taskId } };
  return { verbs: CONFIG, params: { taskId, id: decoded(config) } };
}

/** `{id}`, `{id}:cancel`, `{id}:subscribe`; a colon inside an id comes encoded, or is not the last one. */
function taskRoute(task: string): { verbs: Verbs; params: Record<string, string> } {
  const action = /:(cancel|subscribe)$/.exec(task)?.[1];
  const id = decoded(action === undefined ? task : task.slice(0, -action.length - 1));
  if (action === undefined) return { verbs: TASK, params: { id } };
  return { verbs: action === "cancel" ? CANCEL : SUBSCRIBE, params: { id } };
}

function listQuery(query: URLSearchParams): Record<string, unknown> {
  return {
    ...pageQuery(query),
    ...text(query, "contextId"),
    ...text(query, "status"),
    ...integer(query, "historyLength"),
    ...text(query, "statusTimestampAfter"),
    ...flag(query, "includeArtifacts"),
  };
}

function pageQuery(query: URLSearchParams): Record<string, unknown> {
  return { ...tenantOf(query), ...integer(query, "pageSize"), ...text(query, "pageToken") };
}

function tenantOf(query: URLSearchParams): Record<string, unknown> {
  return text(query, "tenant");
}

function text(query: URLSearchParams, name: string): Record<string, string> {
  const value = query.get(name);
  return value === null ? {} : { [name]: value };
}

function integer(query: URLSearchParams, name: string): Record<string, number> {
  const value = query.get(name);
  if (value === null) return {};
  if (/^-?\d{1,9}$/.test(value)) return { [name]: Number(value) };
  throw badParameter(name, "a whole number");
}

function flag(query: URLSearchParams, name: string): Record<string, boolean> {
  const value = query.get(name);
  if (value === null) return {};
  if (value === "true" || value === "false") return { [name]: value === "true" };
  throw badParameter(name, "true or false");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badParameter("id", "properly encoded (RFC 3986)");
  }
}

function badParameter(name: string, what: string): Refusal {
  return malformed(INVALID_PARAMS, `${name}: must be ${what}`);
}

function noRoute(): Refusal {
  return new Refusal("USAGE", "no such resource", {
    status: 404,
    rpcCode: SERVER_ERROR,
    reason: "ROUTE_NOT_FOUND",
  });
}

export function wrongVerb(allowed: readonly string[]): Refusal {
  return new Refusal("USAGE", `this resource knows ${allowed.join(", ")}`, {
    status: 405,
    rpcCode: SERVER_ERROR,
    reason: "METHOD_NOT_ALLOWED",
    headers: { allow: allowed.join(", ") },
  });
}
