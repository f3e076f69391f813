/**
 * The text of a card that is signed: RFC 8785 over the card's JSON without `signatures`, where required
 * fields stand even when empty and other fields only when they say something (A2A 1.0 sections 5.7 and
 * 8.4.1). It takes the card's JSON form; what the schema does not know is in no card of ours.
 */
import { AgentCard } from "@a2a-js/sdk";
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";

const DEPTH_MAX = 64;

/** A card as JSON; an `AgentCard` instance does not fit this type. */
export type CardJson = Readonly<Record<string, unknown>>;

/** Which fields of a message are required, and of what its other fields are made. */
interface Shape {
  readonly required?: CardJson;
  readonly one?: Readonly<Record<string, Shape>>;
  /** Fields that hold a list of messages, or a map with messages as values. */
  readonly many?: Readonly<Record<string, Shape>>;
}

const FLOWS: Shape = {
  one: {
    authorizationCode: { required: { authorizationUrl: "", tokenUrl: "", scopes: {} } },
    clientCredentials: { required: { tokenUrl: "", scopes: {} } },
    deviceCode: { required: { deviceAuthorizationUrl: "", tokenUrl: "", scopes: {} } },
  },
};
const SCHEME: Shape = {
  one: {
    apiKeySecurityScheme: { required: { location: "", name: "" } },
    httpAuthSecurityScheme: { required: { scheme: "" } },
    oauth2SecurityScheme: { required: { flows: {} }, one: { flows: FLOWS } },
    openIdConnectSecurityScheme: { required: { openIdConnectUrl: "" } },
  },
};
const CARD: Shape = {
  required: {
    name: "",
    description: "",
    supportedInterfaces: [],
    version: "",
    capabilities: {},
    defaultInputModes: [],
    defaultOutputModes: [],
    skills: [],
  },
  one: { provider: { required: { url: "", organization: "" } } },
  many: {
    supportedInterfaces: { required: { url: "", protocolBinding: "", protocolVersion: "" } },
    securitySchemes: SCHEME,
    skills: { required: { id: "", name: "", description: "", tags: [] } },
  },
};

const AnyRecord = z.record(z.string(), z.unknown());

/**
 * The text that is signed, of a card's JSON form: what `AgentCard.toJSON` gives or what a peer sent, never
 * an instance, whose one-ofs would be lost. Throws PROTOCOL_VIOLATION for a card that has no canonical
 * form: no object, a text that is not Unicode, or nested too deep.
 */
export function canonicalCard(json: CardJson): string {
  const { signatures: _, ...unsigned } = knownFields(json);
  return jcs(withRequired(unsigned, CARD));
}

/**
 * The text that the official SDKs sign instead, of the same JSON form: without empty values wherever they
 * stand. That loses required fields that are empty, and security requirements that name no scope. It is
 * the specification's for a card that has neither.
 */
export function sdkForm(json: CardJson): string {
  const { signatures: _, ...unsigned } = knownFields(json);
  return jcs(withoutEmpty(unsigned, 0) ?? {});
}

/** Undefined for what is empty, or becomes so. */
function withoutEmpty(value: unknown, depth: number): unknown {
  if (depth > DEPTH_MAX) throw noForm("it is nested too deep");
  if (value === "" || value === null) return undefined;
  if (typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const kept = value
      .map((each) => withoutEmpty(each, depth + 1))
      .filter((each) => each !== undefined);
    return kept.length > 0 ? kept : undefined;
  }
  const kept = Object.entries(value ?? {})
    .map(([key, each]) => [key, withoutEmpty(each, depth + 1)] as const)
    .filter(([, each]) => each !== undefined);
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

/** The fields the schema knows, by their usual names. */
function knownFields(json: CardJson): CardJson {
  return AnyRecord.parse(AgentCard.toJSON(AgentCard.fromJSON(json)));
}

function withRequired(json: CardJson, shape: Shape): CardJson {
  const filled: Record<string, unknown> = { ...shape.required, ...json };
  for (const [field, inner] of Object.entries(shape.one ?? {})) {
    const value = AnyRecord.safeParse(filled[field]);
    if (value.success) filled[field] = withRequired(value.data, inner);
  }
  for (const [field, inner] of Object.entries(shape.many ?? {})) {
    const value = filled[field];
    if (Array.isArray(value)) filled[field] = value.map((each) => fillOne(each, inner));
    else if (value !== undefined) {
      const entries = Object.entries(AnyRecord.parse(value));
      filled[field] = Object.fromEntries(entries.map(([key, each]) => [key, fillOne(each, inner)]));
    }
  }
  return filled;
}

function fillOne(value: unknown, shape: Shape): unknown {
  const parsed = AnyRecord.safeParse(value);
  return parsed.success ? withRequired(parsed.data, shape) : value;
}

/** RFC 8785: keys by UTF-16 code units, numbers and strings as ECMAScript writes them, no spaces. */
export function jcs(value: unknown, depth = 0): string {
  if (depth > DEPTH_MAX) throw noForm("it is nested too deep");
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw noForm("a text is not Unicode");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((each) => jcs(each, depth + 1)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => `${jcs(key)}:${jcs(each, depth + 1)}`);
    return `{${fields.join(",")}}`;
  }
  if (typeof value === "number" && !Number.isFinite(value)) throw noForm("a number is not finite");
  return JSON.stringify(value) ?? "null";
}

function noForm(why: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `card: it cannot be signed: ${why}`, {
    place: "card",
  });
}
