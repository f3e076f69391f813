/** The text of a template, as people read it: words as they are, values by their names. */
import type { ColumnText } from "./column-text.ts";
import type { Columns } from "./columns.ts";
import { jsonText } from "./json-shape.ts";
import { LOOK } from "./looks.ts";
import { KIND, MASKS, type Shape } from "./shape.ts";
import { segmentsText } from "./words.ts";

/** What one token of a template may take of a line. */
const WORD_CHARS_MAX = 200;

/** A text goes no further: nobody reads it to its end. */
const COLUMNS_MAX = 64;

/** The columns of a shape in text, at most 64 of them. */
export function columnTexts(shape: Shape, columns: Columns): ColumnText[] {
  const length = Math.min(columns.count, COLUMNS_MAX);
  return Array.from({ length }, (_, at) => columnText(shape, columns, at));
}

/** The first column alone; empty for a shape without any. */
export function firstColumnText(shape: Shape, columns: Columns): string {
  if (columns.count === 0) return "";
  const { before, core, after } = columnText(shape, columns, 0);
  return before + core + after;
}

function columnText(shape: Shape, columns: Columns, at: number): ColumnText {
  const from = columns.from[at] ?? 0;
  const coreFrom = columns.coreFrom[at] ?? 0;
  const end = columns.to[at] ?? 0;
  const space = from > 0 && shape.spaced[from] === 1 ? " " : "";
  const isApart = coreFrom > from && coreFrom < end && shape.spaced[coreFrom] === 1;
  const before = tokensText(shape, from, coreFrom) + (isApart ? " " : "");
  // What joined a column is shown with it when it is a value, and left out when it is the same again.
  const isValue = columns.looks[at] === LOOK.VALUE;
  let coreTo = end;
  const least = isValue ? coreFrom : (columns.coreTo[at] ?? end);
  while (coreTo > least && shape.kinds[coreTo - 1] === KIND.MARK) coreTo -= 1;
  const after = tokensText(shape, coreTo, end);
  if (!isValue) {
    return { space, before, core: tokensText(shape, coreFrom, columns.coreTo[at] ?? end), after };
  }
  const core = shortRun(tokensText(shape, coreFrom, coreTo));
  // The bracket of `<IP> (<HOST>)` opens inside.
  const isClosed = !core.includes("(") || !after.startsWith(")");
  if (isClosed) return { space, before, core, after };
  return { space, before, core: `${core})`, after: after.slice(1) };
}

const DATE_PART = /^(?:[A-Z][a-z]{2}|<NUM>|<TIME>(?::<TIME>)?|[A-Z]{1,4})[,:]?$/;

/** `Fri Jun <NUM> <TIME> <NUM>` is a time, a run of one kind of value is one of it. */
function shortRun(text: string): string {
  if (text.includes("<TIME>") && text.split(" ").every((word) => DATE_PART.test(word))) {
    return "<TIME>";
  }
  return text.replace(/(<[A-Z*]{1,5}>[a-zA-Z%]{0,3})(?:(?:, ?| )\1)+/g, "$1");
}

function tokensText(shape: Shape, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) {
    if (shape.spaced[at] === 1 && at > from) text += " ";
    text += tokenText(shape, at);
  }
  return text;
}

function tokenText(shape: Shape, at: number): string {
  const { text } = shape;
  const kind = shape.kinds[at] ?? 0;
  const start = shape.starts[at] ?? 0;
  const end = shape.ends[at] ?? 0;
  switch (kind) {
    case KIND.WORD:
      return text.slice(start, Math.min(end, start + WORD_CHARS_MAX));
    case KIND.MARK:
      return text.slice(start, Math.min(end, start + 3));
    case KIND.MIXED:
    case KIND.NUM:
      return segmentsText(text, start, end);
    case KIND.STR:
      return quotedText(text, start);
    case KIND.LIST:
      return "[<LIST>]";
    case KIND.OBJ: {
      const json = jsonText(text, start, end);
      if (json !== undefined) return json;
      return text[start] === "{" ? "{<OBJ>}" : "(<OBJ>)";
    }
    default:
      return MASKS[kind] ?? "";
  }
}

function quotedText(text: string, start: number): string {
  const quote = text[start] ?? "";
  const verb = /^[A-Z]{3,7} (?=\/)/.exec(text.slice(start + 1, start + 10))?.[0] ?? "";
  return `${quote}${verb}<STR>${quote}`;
}
