/** One result of a Splunk search as a {@link Row}. It never reads the event text itself. */
import { limits, PetrelError } from "../../core/mod.ts";
import type { Row } from "../model.ts";
import { isObject } from "../parse/object.ts";
import { parseEventTimeMs } from "../parse/time.ts";

/** Fields that name the service outright; `source` and `host` only hint at it and stay fields. */
const SERVICE_FIELDS = ["service", "service.name", "service_name", "application", "app"];
const FIELDS_MAX = 64;
const FIELD_CHARS_MAX = 1_000;

/** Throws PROTOCOL_VIOLATION naming the line when `result` is not an object. */
export function toRow(result: unknown, cutLine: boolean, lineNumber: number): Row {
  if (!isObject(result)) {
    const place = `line ${lineNumber}, result`;
    const message = `Splunk export: ${place} is not an object`;
    throw new PetrelError("PROTOCOL_VIOLATION", message, { place });
  }
  const raw = textOf(result["_raw"]);
  const cut = cutLine || raw.length > limits.LINE_BYTES_MAX;
  const timeMs = parseEventTimeMs(textOf(result["_time"]));
  const fields = fieldsOf(result);
  const service = serviceIn(fields);
  const row: Draft = { raw: cut ? raw.slice(0, limits.LINE_BYTES_MAX) : raw, fields };
  if (timeMs !== undefined) row.timeMs = timeMs;
  if (service !== undefined) row.service = service;
  if (cut) row.cut = true;
  return row;
}

type Draft = { -readonly [Field in keyof Row]: Row[Field] };

function serviceIn(fields: Readonly<Record<string, string>>): string | undefined {
  for (const name of SERVICE_FIELDS) if (fields[name]) return fields[name];
  return undefined;
}

/**
 * Texts as they are, anything else as text. Splunk's own fields (`_raw`, `_time`, `_bkt` …) have names no
 * reader asks for. Rows come by the million, and nearly all hold short texts alone: those are not copied.
 */
function fieldsOf(values: Record<string, unknown>): Record<string, string> {
  return isPlain(values) ? values : plainOf(values);
}

function isPlain(values: Record<string, unknown>): values is Record<string, string> {
  let count = 0;
  for (const name in values) {
    const value = values[name];
    count += 1;
    if (typeof value !== "string") return false;
    if (value.length > FIELD_CHARS_MAX && name !== "_raw") return false;
  }
  return count <= FIELDS_MAX;
}

function plainOf(values: Record<string, unknown>): Record<string, string> {
  const fields: Record<string, string> = {};
  let count = 0;
  for (const name of Object.keys(values)) {
    if (name.startsWith("_")) continue;
    count += 1;
    if (count > FIELDS_MAX) break;
    fields[name] = textOf(values[name]).slice(0, FIELD_CHARS_MAX);
  }
  return fields;
}

/** Scalars are strings, multivalue fields arrays of strings. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.filter((item) => typeof item === "string").join("\n");
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}
