/**
 * What may change between two versions of a schema, decided by its text: JSON Schemas by the rule below,
 * Avro by the resolution of a codec that is not ours. Each answer is a list of what breaks whom.
 */
import { avroType, type Json } from "./validators.ts";

/** Words that change no verdict. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$id",
  "title",
  "description",
  "default",
  "examples",
]);

/**
 * The one change a JSON Schema admits: a new property that is not required, where the older schema already
 * admits the same value as an additional one. Then old and new readers accept what new and old writers
 * write, and Confluent's FULL compatibility holds. Anything else is reported with its place.
 */
export function jsonBreaks(older: unknown, newer: unknown, place = "#"): string[] {
  if (!isObject(older) || !isObject(newer)) {
    if (Array.isArray(older) && Array.isArray(newer) && older.length === newer.length)
      return older.flatMap((part, index) => jsonBreaks(part, newer[index], `${place}/${index}`));
    return Bun.deepEquals(older, newer) ? [] : [`${place}: ${show(older)} became ${show(newer)}`];
  }
  const words = new Set([...Object.keys(older), ...Object.keys(newer)]);
  return [...words].flatMap((word) => {
    if (ANNOTATIONS.has(word)) return [];
    if (word === "properties") return propertyBreaks(older, newer, place);
    if (word === "required") return requiredBreaks(older, newer, place);
    return jsonBreaks(older[word], newer[word], `${place}/${word}`);
  });
}

function propertyBreaks(older: Json, newer: Json, place: string): string[] {
  const before = isObject(older.properties) ? older.properties : {};
  const after = isObject(newer.properties) ? newer.properties : {};
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => {
    const at = `${place}/properties/${name}`;
    if (!Object.hasOwn(after, name)) return [`${at}: was removed`];
    if (Object.hasOwn(before, name)) return jsonBreaks(before[name], after[name], at);
    const { additionalProperties: others } = older;
    const isCovered = isObject(others) && jsonBreaks(others, after[name]).length === 0;
    return isCovered ? [] : [`${at}: is new, and older schemas admit something else in its place`];
  });
}

function requiredBreaks(older: Json, newer: Json, place: string): string[] {
  const before = new Set(Array.isArray(older.required) ? older.required : []);
  const after = new Set(Array.isArray(newer.required) ? newer.required : []);
  return [
    ...[...after.difference(before)].map((name) => `${place}: "${name}" became required`),
    ...[...before.difference(after)].map((name) => `${place}: "${name}" is no longer required`),
  ];
}

/** Both ways: the newer reads the older's data, and the older the newer's. */
export function avroBreaks(older: Json, newer: Json): string[] {
  return [
    ...removedFields(older, newer),
    ...unreadable(newer, older, "a new reader cannot read old data"),
    ...unreadable(older, newer, "an old reader cannot read new data"),
  ];
}

function unreadable(reader: Json, writer: Json, what: string): string[] {
  try {
    avroType(reader).createResolver(avroType(writer));
    return [];
  } catch (error) {
    return [`${what}: ${String(error).slice(0, 200)}`];
  }
}

/** Avro lets a field go that has a default; here nothing goes, for somebody may look for it. */
function removedFields(older: Json, newer: Json): string[] {
  const kept = new Set(fieldNames(newer));
  return fieldNames(older)
    .filter((name) => !kept.has(name))
    .map((name) => `field "${name}" was removed`);
}

function fieldNames({ fields }: Json): string[] {
  if (!Array.isArray(fields)) return [];
  return fields.map((field: { name: string }) => field.name);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? "nothing";
}
