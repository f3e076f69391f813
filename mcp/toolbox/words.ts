/**
 * Texts of tool servers made harmless: no control or invisible characters, bounded. It does not judge
 * what they say; whoever shows them to a model shows them as data.
 */

/** Zero-width, direction, tag and variation characters: seen by a model, and not by a person. */
const INVISIBLE = /[\p{Cf}\u{FE00}-\u{FE0F}\u{E0100}-\u{E01EF}\u{115F}\u{1160}\u{3164}\u{FFA0}]/gu;

/** `text` without what cannot be seen; lines and tabs stay. */
export function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?|[\u2028\u2029]/g, "\n")
    .replace(INVISIBLE, "")
    .replace(/(?![\n\t])\p{Cc}/gu, " ");
}

/** One line of at most `charsMax` characters. */
export function oneLine(text: string, charsMax: number): string {
  const line = visible(text.slice(0, 4 * charsMax))
    .replace(/\s+/g, " ")
    .trim();
  return line.length <= charsMax ? line : `${line.slice(0, charsMax - 1).toWellFormed()}…`;
}

const DESCRIPTION_CHARS_MAX = 200;
const DEPTH_MAX = 6;

/** What a model needs of a JSON Schema. Patterns, references, examples and comments are left out. */
const KEPT = new Set([
  "type",
  "description",
  "properties",
  "required",
  "items",
  "enum",
  "const",
  "default",
  "minimum",
  "maximum",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "anyOf",
  "oneOf",
  "additionalProperties",
]);

type Json = Readonly<Record<string, unknown>>;

/** A JSON Schema with harmless texts, of what {@link KEPT} names. */
export function words(schema: Json): Json {
  const entries = Object.entries(schema).filter(([key]) => KEPT.has(key));
  return Object.fromEntries(entries.map(([key, value]) => [key, keyword(key, value, 0)]));
}

function keyword(key: string, value: unknown, depth: number): unknown {
  if (key === "properties" && isJson(value)) {
    const named = Object.entries(value).filter(([name]) => /^[\w.$-]{1,100}$/.test(name));
    return Object.fromEntries(named.map(([name, each]) => [name, inner(each, depth)]));
  }
  return inner(value, depth);
}

function inner(value: unknown, depth: number): unknown {
  if (typeof value === "string") return oneLine(value, DESCRIPTION_CHARS_MAX);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX) return {};
  if (Array.isArray(value)) return value.map((each: unknown) => inner(each, depth + 1));
  const entries = Object.entries(value).filter(([key]) => KEPT.has(key));
  return Object.fromEntries(entries.map(([key, each]) => [key, keyword(key, each, depth + 1)]));
}

export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
