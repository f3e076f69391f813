/**
 * The JSON event format of CloudEvents (1.0.2), written and read with the data's own text: a body goes in
 * and comes out to the byte, its spaces, numbers and doubled names included.
 */
import { messageOf } from "../../core/mod.ts";
import { type Attributes, violation } from "./attributes.ts";
import { JSON_TYPE } from "./body.ts";

export const CLOUD_JSON_TYPE = "application/cloudevents+json; charset=UTF-8";

/** An event as JSON text. Data of type application/json has to be valid JSON. */
export function writeCloudJson(attributes: Readonly<Attributes>, data: string | undefined): string {
  const head = JSON.stringify(attributes);
  if (data === undefined) return head;
  const isJson = attributes.datacontenttype === JSON_TYPE;
  return `${head.slice(0, -1)},"data":${isJson ? data : JSON.stringify(data)}}`;
}

/** Inverse of {@link writeCloudJson}. Throws PROTOCOL_VIOLATION naming `place`. */
export function readCloudJson(
  text: string,
  place: string,
): { attributes: Attributes; data: string | undefined } {
  const event = parsed(text, place);
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(event)) {
    if (name === "data") continue;
    if (typeof value !== "string")
      throw violation(place, "value", `has no text as "${name.slice(0, 60)}"`);
    attributes[name] = value;
  }
  const { data } = event;
  if (data === undefined) return { attributes, data: undefined };
  if (attributes.datacontenttype === JSON_TYPE)
    return { attributes, data: memberText(text, "data") };
  if (typeof data !== "string")
    throw violation(place, "data", "is no text, and is not said to be JSON");
  return { attributes, data };
}

function parsed(text: string, place: string): Readonly<Record<string, unknown>> {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch (error) {
    throw violation(place, "value", `is no JSON: ${messageOf(error, 100)}`);
  }
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw violation(place, "value", "is no JSON object");
  return { ...event };
}

/**
 * The text of a member's value in a JSON object that is known to be valid: the last one's, as JSON.parse
 * takes it.
 */
function memberText(json: string, member: string): string | undefined {
  let found: string | undefined;
  let at = skipSpace(json, json.indexOf("{") + 1);
  while (json[at] === '"') {
    const nameEnd = endOfString(json, at);
    const name: unknown = JSON.parse(json.slice(at, nameEnd));
    const start = skipSpace(json, skipSpace(json, nameEnd) + 1);
    const end = endOfValue(json, start);
    if (name === member) found = json.slice(start, end).trimEnd();
    at = skipSpace(json, end + 1);
  }
  return found;
}

/** The comma or brace that ends the value which begins at `at`. */
function endOfValue(json: string, at: number): number {
  let depth = 0;
  for (let place = at; place < json.length; place++) {
    const char = json[place];
    if (char === '"') place = endOfString(json, place) - 1;
    else if (char === "{" || char === "[") depth++;
    else if (depth === 0 && (char === "," || char === "}")) return place;
    else if (char === "}" || char === "]") depth--;
  }
  return json.length;
}

/** Past the closing quote of the string that begins at `at`. */
function endOfString(json: string, at: number): number {
  let place = at + 1;
  while (place < json.length && json[place] !== '"') place += json[place] === "\\" ? 2 : 1;
  return place + 1;
}

function skipSpace(json: string, at: number): number {
  let place = at;
  while (place < json.length && " \t\n\r".includes(json.charAt(place))) place++;
  return place;
}
