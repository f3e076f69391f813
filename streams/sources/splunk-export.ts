/**
 * Reads the body of Splunk's `search/v2/jobs/export` (`output_mode=json`): one JSON object a line.
 *
 * Only the final set counts; rows of previews are dropped. A stream that stops before its last row is
 * an error and never an empty result. It never holds more than a batch of rows.
 */
import { limits, PetrelError, splitLines } from "../../core/mod.ts";
import type { Row, RowBatch } from "../model.ts";
import { isObject } from "../parse/object.ts";
import { toRow } from "./splunk-row.ts";

export interface SplunkExportOptions {
  readonly signal?: AbortSignal;
  /** Cap of one line of the export; a row's `_raw` is cut at LINE_BYTES_MAX besides. */
  readonly lineBytesMax?: number;
}

/** JSON escapes make a line longer than its text, and fields come on top. */
const EXPORT_LINE_BYTES_MAX = 4 * limits.LINE_BYTES_MAX;
/** Rows take several times their bytes while they are parsed, so batches are smaller than a chunk. */
const BATCH_BYTES_MAX = 16 * 1024;

interface ExportLine {
  readonly preview?: unknown;
  readonly lastrow?: unknown;
  readonly result?: unknown;
  readonly messages?: unknown;
}

/**
 * Rows of an export. Throws QUERY_REFUSED (a FATAL or ERROR message before any row), INCOMPLETE (such
 * a message later, or no last row, which is how an empty body of HTTP 200 ends), PROTOCOL_VIOLATION
 * (a line that is not such an object; `fields.place` names the line), CANCELLED.
 */
export async function* decodeSplunkExport(
  chunks: AsyncIterable<Uint8Array>,
  options: SplunkExportOptions = {},
): AsyncGenerator<RowBatch> {
  const { signal, lineBytesMax = EXPORT_LINE_BYTES_MAX } = options;
  let lineNumber = 0;
  let rowsRead = 0;
  const lineOptions = { lineBytesMax, batchBytesMax: BATCH_BYTES_MAX, ...(signal && { signal }) };
  for await (const batch of splitLines(chunks, lineOptions)) {
    const rows: Row[] = [];
    let ended = false;
    for (const line of batch.lines) {
      lineNumber += 1;
      if (isBlank(line.text)) continue;
      const parsed = line.cut ? salvage(line.text) : parseLine(line.text, lineNumber);
      throwIfRefused(parsed, lineNumber, rowsRead + rows.length);
      if (parsed.preview === true) continue;
      if (parsed.result !== undefined) rows.push(toRow(parsed.result, line.cut, lineNumber));
      ended = parsed.lastrow === true;
      if (ended) break;
    }
    rowsRead += rows.length;
    yield { rows, bytes: batch.bytes };
    if (ended) return;
  }
  const place = `line ${lineNumber + 1}`;
  const what = lineNumber === 0 ? "the body was empty" : "the stream stopped before its last row";
  throw new PetrelError("INCOMPLETE", `Splunk export: ${what}`, { place, rows: rowsRead });
}

function isBlank(text: string): boolean {
  return !text.startsWith("{") && text.trim() === "";
}

function parseLine(text: string, lineNumber: number): ExportLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw violation("is not JSON", lineNumber, error);
  }
  if (!isObject(value)) throw violation("is not an object", lineNumber);
  const line: ExportLine = value;
  if (line.result === undefined && line.lastrow === undefined && line.messages === undefined) {
    throw violation("has neither result, lastrow nor messages", lineNumber);
  }
  return line;
}

function violation(what: string, lineNumber: number, cause?: unknown): PetrelError {
  const place = `line ${lineNumber}`;
  const message = `Splunk export: ${place} ${what}`;
  return new PetrelError("PROTOCOL_VIOLATION", message, { place }, cause);
}

function throwIfRefused(line: ExportLine, lineNumber: number, rows: number): void {
  if (!Array.isArray(line.messages)) return;
  const messages: unknown[] = line.messages;
  for (const message of messages) {
    const { type, text } = isObject(message) ? message : {};
    if (type !== "FATAL" && type !== "ERROR") continue;
    const said = typeof text === "string" ? text.slice(0, 500) : "no reason given";
    const code = rows === 0 ? "QUERY_REFUSED" : "INCOMPLETE";
    const fields = { message: said, place: `line ${lineNumber}`, rows };
    throw new PetrelError(code, `Splunk export: ${type}: ${said}`, fields);
  }
}

/** What can still be read of a line that lost its end: the flags, which come first, time and text. */
function salvage(text: string): ExportLine {
  const head = text.slice(0, 200).split('"result"')[0] ?? "";
  return {
    preview: /"preview"\s*:\s*true/.test(head),
    lastrow: /"lastrow"\s*:\s*true/.test(head),
    result: { _raw: salvageString(text, "_raw"), _time: salvageString(text, "_time") },
  };
}

function salvageString(text: string, key: string): string {
  const start = new RegExp(`"${key}"\\s*:\\s*"`).exec(text);
  if (start === null) return "";
  const from = start.index + start[0].length;
  let end = from;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  // An escape that lost its end is at most five characters long.
  for (let cut = Math.min(end, text.length); cut > Math.max(from, end - 8); cut--) {
    try {
      return String(JSON.parse(`"${text.slice(from, cut)}"`));
    } catch {
      // One character less may be whole.
    }
  }
  return "";
}
