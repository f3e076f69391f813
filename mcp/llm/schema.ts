/**
 * A zod schema as the JSON Schema that strict structured output takes, and the check of what came
 * back. Source: https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas".
 * Pure.
 */
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonSchema = { [key: string]: Json };

/**
 * Keywords strict mode does not take. They bound a value, so leaving them out only makes the schema
 * wider: {@link checkAnswer} still holds the answer to them, and lengths are told in words.
 */
const NOT_SENT = new Set(["$schema", "minLength", "maxLength", "default"]);

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notStrict(place: string, what: string): PetrelError {
  return new PetrelError("INTERNAL", `the answer's schema ${what} at ${place}`, { place });
}

/** The description of a node, with the lengths that strict mode cannot say. */
function describe(node: { [key: string]: Json }): { [key: string]: Json } {
  const { description, minLength, maxLength } = node;
  const words = [
    ...(typeof description === "string" ? [description] : []),
    ...(typeof minLength === "number" ? [`At least ${minLength} characters.`] : []),
    ...(typeof maxLength === "number" ? [`At most ${maxLength} characters.`] : []),
  ];
  return words.length === 0 ? {} : { description: words.join(" ") };
}

/** `inNames` is true for the map under `properties` or `$defs`, whose keys are names, not keywords. */
function strict(node: Json, place: string, inNames: boolean): Json {
  if (Array.isArray(node))
    return node.map((item, index) => strict(item, `${place}.${index}`, false));
  if (!isObject(node)) return node;
  if (!inNames && node["type"] === "object") {
    const names = Object.keys(isObject(node["properties"]) ? node["properties"] : {});
    const required = Array.isArray(node["required"]) ? node["required"] : [];
    const missing = names.find((name) => !required.includes(name));
    if (missing !== undefined) {
      throw notStrict(`${place}.${missing}`, "has an optional property (use .nullable())");
    }
    if (node["additionalProperties"] !== false) throw notStrict(place, "has an open object");
  }
  const kept = Object.entries(node).filter(([key]) => inNames || !NOT_SENT.has(key));
  const children = kept.map(([key, value]): [string, Json] => {
    const names = !inNames && (key === "properties" || key === "$defs");
    return [key, strict(value, `${place}.${key}`, names)];
  });
  return { ...Object.fromEntries(children), ...(inNames ? {} : describe(node)) };
}

/** The JSON Schema for strict structured output. Throws INTERNAL for a schema strict mode refuses. */
export function strictJsonSchema(schema: z.ZodType): JsonSchema {
  // Through JSON, because zod attaches functions that are no part of the schema.
  const plain: Json = JSON.parse(JSON.stringify(z.toJSONSchema(schema)));
  const result = strict(plain, "schema", false);
  if (!isObject(result) || result["type"] !== "object") {
    throw notStrict("schema", "is not an object");
  }
  return result;
}

/** Some models put JSON in a Markdown fence even when told not to. */
function unfenced(text: string): string {
  return /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/.exec(text)?.[1] ?? text;
}

/**
 * Reads the model's text as a value of the schema. Throws PROTOCOL_VIOLATION; `fields.place` is the
 * path of the first wrong value, or `content` when the text is no JSON. The text is not repeated in
 * the error: it may quote logs.
 */
export function checkAnswer<T>(text: string, schema: z.ZodType<T>, system: string): T {
  let value: unknown;
  try {
    value = JSON.parse(unfenced(text));
  } catch (error) {
    const fields = { system, place: "content" };
    throw new PetrelError("PROTOCOL_VIOLATION", `${system}: the answer is not JSON`, fields, error);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue?.path.map(String).join(".") || "content";
  const message = `${system}: the answer is not of the asked shape at ${place}: ${issue?.message ?? ""}`;
  throw new PetrelError("PROTOCOL_VIOLATION", message, { system, place });
}
