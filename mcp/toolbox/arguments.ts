/**
 * The arguments of a call, checked against the tool's JSON Schema before they go out: only declared
 * names, declared types, declared values. The schema comes from a server that may be hostile, so nothing
 * of it is compiled or run, patterns least of all; what is not checked here the server checks.
 */
import { PetrelError } from "../../core/mod.ts";
import { isJson, visible } from "./words.ts";

export const ARGUMENT_BYTES_MAX = 8 * 1024;
const DEPTH_MAX = 6;

type Json = Readonly<Record<string, unknown>>;

function wrong(place: string, why: string): PetrelError {
  return new PetrelError("USAGE", `${place}: ${why}`, { path: place });
}

/**
 * A copy of `args` as plain JSON. Throws USAGE, naming the argument, or TOO_LARGE.
 */
export function checkArguments(args: unknown, schema: Json): Record<string, unknown> {
  const text = jsonText(args ?? {});
  if (Buffer.byteLength(text) > ARGUMENT_BYTES_MAX) {
    const limit = ARGUMENT_BYTES_MAX;
    throw new PetrelError("TOO_LARGE", `arguments: at most ${limit} bytes are sent`, { limit });
  }
  const value: unknown = JSON.parse(text);
  if (!isJson(value)) throw wrong("arguments", "must be an object");
  checkObject("arguments", value, schema, 0);
  checkTexts("arguments", value, 0);
  return { ...value };
}

function jsonText(args: unknown): string {
  try {
    return JSON.stringify(args) ?? "null";
  } catch {
    throw wrong("arguments", "must be JSON");
  }
}

/** Deny by default: what the schema does not name is not sent, whatever `additionalProperties` says. */
function checkObject(place: string, value: Json, schema: Json, depth: number): void {
  const properties = isJson(schema["properties"]) ? schema["properties"] : undefined;
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  for (const name of required) {
    if (typeof name === "string" && !Object.hasOwn(value, name)) throw wrong(name, "is required");
  }
  // A nested object of free keys, such as labels, declares no names.
  if (properties === undefined && depth > 0) return;
  for (const [name, each] of Object.entries(value)) {
    const shown = name.slice(0, 60);
    if (properties === undefined || !Object.hasOwn(properties, name)) {
      const known = Object.keys(properties ?? {}).slice(0, 20);
      throw wrong(shown, `is not an argument; there are ${known.join(", ") || "none"}`);
    }
    const property = properties[name];
    if (isJson(property)) checkValue(place === "arguments" ? shown : place, each, property, depth);
  }
}

function checkValue(place: string, value: unknown, schema: Json, depth: number): void {
  if (depth > DEPTH_MAX) throw wrong(place, "is nested too deeply");
  for (const key of ["anyOf", "oneOf"]) {
    const options = schema[key];
    if (!Array.isArray(options)) continue;
    const fits = options.some((each) => isJson(each) && matches(place, value, each, depth + 1));
    if (!fits) throw wrong(place, "is of none of the shapes it may have");
  }
  const types = [schema["type"]].flat().filter((type) => typeof type === "string");
  if (types.length > 0 && !types.some((type) => isOfType(value, type)))
    throw wrong(place, `must be ${types.join(" or ")}`);
  const allowed = "const" in schema ? [schema["const"]] : schema["enum"];
  if (Array.isArray(allowed) && !allowed.includes(value))
    throw wrong(place, `must be one of ${allowed.slice(0, 20).map(String).join(", ")}`);
  checkBounds(place, value, schema);
  if (isJson(value)) checkObject(place, value, schema, depth + 1);
  const { items } = schema;
  if (Array.isArray(value) && isJson(items))
    for (const each of value) checkValue(place, each, items, depth + 1);
}

function matches(place: string, value: unknown, schema: Json, depth: number): boolean {
  try {
    checkValue(place, value, schema, depth);
    return true;
  } catch (error) {
    if (error instanceof PetrelError) return false;
    throw error;
  }
}

function isOfType(value: unknown, type: string): boolean {
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isJson(value);
  return typeof value === type;
}

function checkBounds(place: string, value: unknown, schema: Json): void {
  const [size, least, most] =
    typeof value === "number"
      ? [value, schema["minimum"], schema["maximum"]]
      : typeof value === "string"
        ? [value.length, schema["minLength"], schema["maxLength"]]
        : Array.isArray(value)
          ? [value.length, schema["minItems"], schema["maxItems"]]
          : [0, undefined, undefined];
  if (typeof least === "number" && size < least) throw wrong(place, `must be at least ${least}`);
  if (typeof most === "number" && size > most) throw wrong(place, `must be at most ${most}`);
}

/** What a person does not see in the audit is not sent. */
function checkTexts(place: string, value: unknown, depth: number): void {
  if (depth > 2 * DEPTH_MAX) throw wrong(place, "is nested too deeply");
  if (typeof value === "string") checkVisible(place, value);
  if (typeof value !== "object" || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    checkVisible(place, name);
    checkTexts(depth === 0 ? name : place, each, depth + 1);
  }
}

function checkVisible(place: string, text: string): void {
  if (visible(text) !== text.replace(/\r\n?/g, "\n"))
    throw wrong(place, "must not contain control or invisible characters");
}

/** Every text in a value of JSON, names too. */
export function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) =>
    Array.isArray(value) ? textsIn(each) : [name, ...textsIn(each)],
  );
}
