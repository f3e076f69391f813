/**
 * An event as CloudEvents attributes in text, and back. The same attributes stand in Kafka headers, in
 * the JSON format and in the Avro format.
 */
import { PetrelError } from "../../core/mod.ts";
import { leafIndexOf, SEQUENCE_HEADER, sequenceText } from "../kafka/record.ts";
import type { AuditEvent } from "./event.ts";
import { instantText, isAttributeText, timeOf } from "./text.ts";

export type Attributes = Record<string, string>;

/** An event with its place in the tree. */
export interface PlacedEvent {
  readonly event: AuditEvent;
  /** Index of the record in its tree. */
  readonly leaf: number;
  /** `<stream>.<shard>`. */
  readonly tree: string;
}

/** Attributes that are not extensions of ours, in the order they are written. */
const KNOWN = [
  "specversion",
  "type",
  "id",
  "source",
  "subject",
  "time",
  "datacontenttype",
  "partitionkey",
  "sequence",
  "tree",
  "traceparent",
] as const;
const KNOWN_NAMES: ReadonlySet<string> = new Set(KNOWN);

/**
 * All attributes but `datacontenttype`, by name. Throws INTERNAL for a name or value that may not stand in
 * a header: an event that was not made by our factories.
 */
export function attributesOf({ event, leaf, tree }: PlacedEvent): Attributes {
  const attributes: Attributes = {
    specversion: "1.0",
    type: event.type,
    id: event.id,
    source: event.source,
    time: instantText(event.timeMs),
    partitionkey: event.key,
    sequence: sequenceText(leaf),
    tree,
  };
  if (event.subject !== undefined) attributes.subject = event.subject;
  if (event.traceparent !== undefined) attributes.traceparent = event.traceparent;
  for (const name in attributes) checkValue(name, attributes[name] ?? "");
  for (const name in event.extensions) {
    const value = event.extensions[name] ?? "";
    if (KNOWN_NAMES.has(name) || !isExtensionName(name)) throw refused(name, "name");
    checkValue(name, value);
    attributes[name] = value;
  }
  return attributes;
}

/**
 * The event that bears these attributes. Throws PROTOCOL_VIOLATION naming `place` and the attribute that
 * is missing or malformed.
 */
export function eventOf(
  attributes: Readonly<Attributes>,
  data: string | undefined,
  place: string,
): PlacedEvent {
  const required = (name: (typeof KNOWN)[number]): string => {
    const value = attributes[name];
    if (value === undefined || value === "") throw violation(place, name, "is missing");
    return value;
  };
  if (required("specversion") !== "1.0") throw violation(place, "specversion", "is not 1.0");
  const timeMs = timeOf(required("time"));
  if (timeMs === undefined) throw violation(place, "time", "is no time in UTC with milliseconds");
  const leaf = leafIndexOf({ headers: { [SEQUENCE_HEADER]: required("sequence") } });
  if (leaf === undefined) throw violation(place, "sequence", "is not 16 digits");
  const extensions: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    const isText = name === "datacontenttype" ? MEDIA_TYPE.test(value) : isAttributeText(value);
    if (!isText) throw violation(place, safeName(name), "holds a character that is not allowed");
    if (KNOWN_NAMES.has(name)) continue;
    if (!isExtensionName(name)) throw violation(place, safeName(name), "is no attribute's name");
    extensions[name] = value;
  }
  const { subject, traceparent, datacontenttype: contentType } = attributes;
  const event: AuditEvent = {
    type: required("type"),
    id: required("id"),
    source: required("source"),
    ...(subject !== undefined && { subject }),
    timeMs,
    key: required("partitionkey"),
    ...(traceparent !== undefined && { traceparent }),
    extensions,
    contentType,
    data,
  };
  return { event, leaf, tree: required("tree") };
}

/** The one attribute that has a space. */
const MEDIA_TYPE = /^[ -~]{1,200}$/;

/** CloudEvents 1.0.2, "Attribute naming convention"; `data` is a member of its JSON format. */
const EXTENSION = /^(?!data$)[a-z0-9]{1,20}$/;
/** Names that passed. Ours are a few dozen; a bound all the same. */
const passed = new Set<string>();
const PASSED_MAX = 1_000;

function isExtensionName(name: string): boolean {
  if (passed.has(name)) return true;
  if (!EXTENSION.test(name)) return false;
  if (passed.size < PASSED_MAX) passed.add(name);
  return true;
}

function checkValue(name: string, value: string): void {
  if (value === "" || !isAttributeText(value)) throw refused(name, "value");
}

function refused(name: string, what: "name" | "value"): PetrelError {
  const attribute = safeName(name);
  return new PetrelError("INTERNAL", `record: attribute ${attribute}: its ${what} is not allowed`, {
    attribute,
  });
}

export function violation(place: string, attribute: string, what: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `record: ${place}: ${attribute} ${what}`, {
    place,
    attribute,
  });
}

/** A name that a stranger chose, fit for a message. */
function safeName(name: string): string {
  return JSON.stringify(name.slice(0, 60));
}
