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
type Known = (typeof KNOWN)[number];
const KNOWN_NAMES: ReadonlySet<string> = new Set(KNOWN);

/**
 * Makes a function that gives all attributes but `datacontenttype`, by name, each name behind `prefix`. It
 * throws INTERNAL for a name or value that may not stand in a header: an event that was not made by our
 * factories. Names are put together once: this is done for every record.
 */
export function attributeWriter(prefix: string): (placed: PlacedEvent) => Attributes {
  const named = namesBehind(prefix);
  const extensions = new Map<string, string>();
  const extension = (name: string): string => {
    const known = extensions.get(name);
    if (known !== undefined) return known;
    if (KNOWN_NAMES.has(name) || !EXTENSION.test(name)) throw refused(name, "name");
    if (extensions.size < NAMES_MAX) extensions.set(name, prefix + name);
    return prefix + name;
  };
  return ({ event, leaf, tree }) => {
    const attributes: Attributes = {
      [named.specversion]: "1.0",
      [named.type]: event.type,
      [named.id]: event.id,
      [named.source]: event.source,
      [named.time]: instantText(event.timeMs),
      [named.partitionkey]: event.key,
      [named.sequence]: sequenceText(leaf),
      [named.tree]: tree,
    };
    if (event.subject !== undefined) attributes[named.subject] = event.subject;
    if (event.traceparent !== undefined) attributes[named.traceparent] = event.traceparent;
    for (const name in event.extensions) attributes[extension(name)] = event.extensions[name] ?? "";
    checkValues(attributes, prefix);
    return attributes;
  };
}

function namesBehind(prefix: string): Readonly<Record<Known, string>> {
  const named = (name: Known) => prefix + name;
  return {
    specversion: named("specversion"),
    type: named("type"),
    id: named("id"),
    source: named("source"),
    subject: named("subject"),
    time: named("time"),
    datacontenttype: named("datacontenttype"),
    partitionkey: named("partitionkey"),
    sequence: named("sequence"),
    tree: named("tree"),
    traceparent: named("traceparent"),
  };
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
  const required = (name: Known): string => {
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
    if (!EXTENSION.test(name)) throw violation(place, safeName(name), "is no attribute's name");
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
/** Ours are a few dozen; a bound all the same. */
const NAMES_MAX = 1_000;

/** Looks at all values at once, and at each only where something is wrong. */
function checkValues(attributes: Readonly<Attributes>, prefix: string): void {
  let all = "";
  let isEmpty = false;
  for (const name in attributes) {
    const value = attributes[name] ?? "";
    isEmpty ||= value === "";
    all += value;
  }
  if (!isEmpty && isAttributeText(all)) return;
  for (const name in attributes) {
    const value = attributes[name] ?? "";
    if (value === "" || !isAttributeText(value)) throw refused(name.slice(prefix.length), "value");
  }
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
