/**
 * A model of the requests of A2A 1.0, written from its definition: their fields and types, and what a
 * request says however ProtoJSON writes it. It knows nothing of the checks it tests.
 */
import type { METHODS } from "../../a2a/mod.ts";

export type Method = (typeof METHODS)[number];

export type Type =
  | { readonly kind: "text" | "id" | "bool" | "int" | "time" | "bytes" | "struct" | "value" }
  | { readonly kind: "enum"; readonly names: readonly string[] }
  | { readonly kind: "list"; readonly of: Type }
  | {
      readonly kind: "message";
      readonly fields: readonly Field[];
      readonly oneof?: readonly string[];
    };

export interface Field {
  readonly name: string;
  readonly type: Type;
  /** Left out where it has the type's default, as proto3 does without `optional`. */
  readonly hasDefault: boolean;
  readonly isRequired: boolean;
}

const TEXT: Type = { kind: "text" };
const ID: Type = { kind: "id" };
const BOOL: Type = { kind: "bool" };
const INT: Type = { kind: "int" };
const STRUCT: Type = { kind: "struct" };
const texts: Type = { kind: "list", of: TEXT };
const ids: Type = { kind: "list", of: ID };
const ROLE: Type = { kind: "enum", names: ["ROLE_UNSPECIFIED", "ROLE_USER", "ROLE_AGENT"] };
const STATE: Type = {
  kind: "enum",
  names:
    "UNSPECIFIED SUBMITTED WORKING COMPLETED FAILED CANCELED INPUT_REQUIRED REJECTED AUTH_REQUIRED"
      .split(" ")
      .map((name) => `TASK_STATE_${name}`),
};

const plain = (name: string, type: Type): Field => ({
  name,
  type,
  hasDefault: true,
  isRequired: false,
});
const optional = (name: string, type: Type): Field => ({ ...plain(name, type), hasDefault: false });
const required = (name: string, type: Type): Field => ({ ...plain(name, type), isRequired: true });
const message = (...fields: Field[]): Type => ({ kind: "message", fields });

const PART: Type = {
  kind: "message",
  oneof: ["text", "raw", "url", "data"],
  fields: [
    optional("text", TEXT),
    optional("raw", { kind: "bytes" }),
    optional("url", TEXT),
    optional("data", { kind: "value" }),
    optional("metadata", STRUCT),
    plain("filename", TEXT),
    plain("mediaType", TEXT),
  ],
};
const MESSAGE = message(
  required("messageId", ID),
  plain("contextId", ID),
  plain("taskId", ID),
  required("role", ROLE),
  required("parts", { kind: "list", of: PART }),
  optional("metadata", STRUCT),
  plain("extensions", texts),
  plain("referenceTaskIds", ids),
);
const authentication = message(required("scheme", TEXT), plain("credentials", TEXT));
const pushOf = (...needed: string[]): Type => {
  const field = (name: string, type: Type) =>
    (needed.includes(name) ? required : plain)(name, type);
  return message(
    plain("tenant", ID),
    field("id", ID),
    field("taskId", ID),
    field("url", TEXT),
    plain("token", TEXT),
    optional("authentication", authentication),
  );
};
const CONFIGURATION = message(
  plain("acceptedOutputModes", texts),
  optional("taskPushNotificationConfig", pushOf("url")),
  optional("historyLength", INT),
  plain("returnImmediately", BOOL),
);
const SEND = message(
  plain("tenant", ID),
  required("message", MESSAGE),
  optional("configuration", CONFIGURATION),
  optional("metadata", STRUCT),
);
const CONFIG_OF_TASK = message(plain("tenant", ID), required("taskId", ID), required("id", ID));
export const REQUESTS: Readonly<Record<Method, Type>> = {
  SendMessage: SEND,
  SendStreamingMessage: SEND,
  GetTask: message(plain("tenant", ID), required("id", ID), optional("historyLength", INT)),
  ListTasks: message(
    plain("tenant", ID),
    plain("contextId", ID),
    plain("status", STATE),
    optional("pageSize", INT),
    plain("pageToken", TEXT),
    optional("historyLength", INT),
    optional("statusTimestampAfter", { kind: "time" }),
    optional("includeArtifacts", BOOL),
  ),
  CancelTask: message(plain("tenant", ID), required("id", ID), optional("metadata", STRUCT)),
  SubscribeToTask: message(plain("tenant", ID), required("id", ID)),
  CreateTaskPushNotificationConfig: pushOf("taskId", "url"),
  GetTaskPushNotificationConfig: CONFIG_OF_TASK,
  DeleteTaskPushNotificationConfig: CONFIG_OF_TASK,
  ListTaskPushNotificationConfigs: message(
    plain("tenant", ID),
    required("taskId", ID),
    plain("pageSize", INT),
    plain("pageToken", TEXT),
  ),
  GetExtendedAgentCard: message(plain("tenant", ID)),
};

/** What a request says in its canonical form, however it is written. It must be one that can be read. */
export function canonical(method: Method, params: unknown): unknown {
  return canonicalOf(REQUESTS[method], params ?? {});
}

export const snakeOf = (name: string) =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A message without what proto3 leaves out of it. */
export function withoutDefaults(
  fields: readonly Field[],
  made: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const kept = fields.filter(({ name, type, hasDefault }) => {
    const value = made[name];
    const isEmpty = type.kind === "list" && Array.isArray(value) && value.length === 0;
    const isDefault = isEmpty || value === "" || value === 0 || value === false;
    return value !== undefined && !(hasDefault && isDefault);
  });
  return Object.fromEntries(kept.map(({ name }) => [name, made[name]]));
}

function canonicalOf(type: Type, value: unknown): unknown {
  if (type.kind === "int") return Number(value);
  if (type.kind === "enum") return typeof value === "number" ? type.names[value] : value;
  if (type.kind === "bytes") return Buffer.from(String(value), "base64url").toString("base64");
  if (type.kind === "list" && Array.isArray(value)) {
    return value.map((one: unknown) => canonicalOf(type.of, one));
  }
  if (type.kind !== "message") return value;
  const given = value as Readonly<Record<string, unknown>>;
  const entries = type.fields.flatMap(({ name, type: of }) => {
    const found = given[name] ?? given[snakeOf(name)] ?? undefined;
    return found === undefined ? [] : [[name, canonicalOf(of, found)] as const];
  });
  const made = withoutDefaults(type.fields, Object.fromEntries(entries));
  // 0 of an enum is its default, by whatever name.
  const isSet = ([, one]: [string, unknown]) => !String(one).endsWith("_UNSPECIFIED");
  return Object.fromEntries(
    Object.entries(made).filter((entry) => {
      const field = type.fields.find(({ name }) => name === entry[0]);
      return field?.type.kind !== "enum" || isSet(entry);
    }),
  );
}
