/**
 * Punctuation, and the groups that begin with it: quoted texts, lists, printed objects. A group comes to
 * one token as soon as it is known for one, and the rest of it is passed over.
 */
import { END_FLAGS, flagsOf, isNameAt, mixed } from "./characters.ts";
import { scanJson } from "./json-shape.ts";
import { KIND, type Shape } from "./shape.ts";

const QUOTED_CHARS_MAX = 500;
const DEPTH_MAX = 32;

const CODE = {
  quote: 34,
  apostrophe: 39,
  open: 40,
  close: 41,
  comma: 44,
  colon: 58,
  equal: 61,
  openSquare: 91,
  closeSquare: 93,
  openCurly: 123,
  closeCurly: 125,
  wideColon: 0xff1a,
} as const;

/** The open brackets of the message under way: the index of their token, and whether a pair was seen. */
const openTokens = new Int32Array(DEPTH_MAX);
const openPairs = new Uint8Array(DEPTH_MAX);
let depth = 0;
/** False when no second mark of this kind comes any more, so it is not looked for again. */
let mayQuote = true;
let mayApostrophe = true;
let mayHoldJson = true;

/** To be called before the first mark of a message. */
export function resetMarks(): void {
  depth = 0;
  mayQuote = true;
  mayApostrophe = true;
  mayHoldJson = true;
}

/** Adds the mark at `at`, or the group it begins or ends; answers where the scan goes on. */
export function scanMark(text: string, at: number, spaced: number, shape: Shape): number {
  const code = text.charCodeAt(at);
  switch (code) {
    case CODE.quote:
    case CODE.apostrophe:
      return scanQuote(text, at, code, spaced, shape);
    case CODE.open:
    case CODE.openSquare:
    case CODE.openCurly:
      return scanOpen(text, at, code, spaced, shape);
    case CODE.close:
    case CODE.closeSquare:
    case CODE.closeCurly:
      if (depth > 0) depth -= 1;
      break;
    case CODE.comma:
    case CODE.equal:
    case CODE.colon:
    case CODE.wideColon:
      if (depth > 0 && isGroupNow(text, code, shape)) return closeGroup(text, at, shape);
      break;
  }
  shape.add(KIND.MARK, code, at, at + 1, spaced);
  return at + 1;
}

/** The method of a quoted request tells what is done; the rest of it varies. */
const VERB = /^(?:GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS) (?=\/)/;

function scanQuote(text: string, at: number, code: number, spaced: number, shape: Shape): number {
  const close = closingQuote(text, at, code);
  if (close === -1 || close - at > QUOTED_CHARS_MAX) {
    shape.add(KIND.MARK, code, at, at + 1, spaced);
    return at + 1;
  }
  const verb = VERB.exec(text.slice(at + 1, at + 10))?.[0] ?? "";
  let hash: number = code;
  for (let index = 0; index < verb.length; index++) hash = mixed(hash, verb.charCodeAt(index));
  shape.add(KIND.STR, hash, at, close + 1, spaced);
  return close + 1;
}

function closingQuote(text: string, at: number, code: number): number {
  if (code === CODE.quote) {
    const close = mayQuote ? text.indexOf('"', at + 1) : -1;
    mayQuote = close !== -1;
    return close;
  }
  // An apostrophe inside a word opens nothing.
  const opens = at === 0 || (flagsOf(text.charCodeAt(at - 1)) & END_FLAGS) !== 0;
  if (!opens) return -1;
  const close = mayApostrophe ? text.indexOf("'", at + 1) : -1;
  mayApostrophe = close !== -1;
  return close;
}

function scanOpen(text: string, at: number, code: number, spaced: number, shape: Shape): number {
  if (code === CODE.openCurly && mayHoldJson) {
    const end = scanJson(text, at, spaced, shape);
    if (end !== 0) return end;
    // Objects inside one that is malformed would each be read to their end.
    mayHoldJson = text.charCodeAt(at + 1) !== CODE.quote;
  }
  const isValue = code !== CODE.open && isValueAt(text, at, code, spaced, shape);
  if (depth < DEPTH_MAX) {
    openTokens[depth] = shape.count;
    openPairs[depth] = 0;
    depth += 1;
  } else if (isValue) {
    return at + 1;
  }
  shape.add(KIND.MARK, code, at, at + 1, spaced);
  return isValue ? closeGroup(text, at + 1, shape) : at + 1;
}

/** After `=` or `:` a bracket holds a list, of one or of none too; `Work{17}` is a printed object. */
function isValueAt(text: string, at: number, code: number, spaced: number, shape: Shape): boolean {
  if (isValuePlace(shape)) return true;
  if (code === CODE.openCurly && spaced === 0 && isNameAt(text, at - 1)) return true;
  const isEmpty = text.charCodeAt(at + 1) === code + 2;
  return isEmpty && !isNameAt(text, at - 1);
}

function isValuePlace(shape: Shape): boolean {
  const last = shape.count - 1;
  if (last < 0 || shape.kinds[last] !== KIND.MARK) return false;
  const code = shape.hashes[last];
  return code === CODE.equal || code === CODE.colon || code === CODE.wideColon;
}

/** Whether the innermost bracket is known, with this mark, to hold a list or an object. */
function isGroupNow(text: string, code: number, shape: Shape): boolean {
  const token = openTokens[depth - 1] ?? 0;
  const start = shape.starts[token] ?? 0;
  const open = text.charCodeAt(start);
  const isPair = code !== CODE.comma;
  if (open === CODE.openSquare) return !isPair && !isProse(shape, token);
  if (open === CODE.openCurly) return true;
  if (!isPair) return openPairs[depth - 1] === 1;
  openPairs[depth - 1] = 1;
  // `Route(id=7)` is a printed object, `(uid=0)` a remark.
  const isCall = shape.spaced[token] === 0 && isNameAt(text, start - 1);
  return isCall && code === CODE.equal;
}

/** White space before the first comma: `[Order found, nothing done]` is a sentence. */
function isProse(shape: Shape, token: number): boolean {
  for (let at = token + 2; at < shape.count; at++) if (shape.spaced[at] === 1) return true;
  return false;
}

/** Passes over the rest of the innermost group and puts one token in the place of all of it. */
function closeGroup(text: string, from: number, shape: Shape): number {
  depth -= 1;
  const token = openTokens[depth] ?? 0;
  const start = shape.starts[token] ?? 0;
  const open = text.charCodeAt(start);
  const end = groupEnd(text, from);
  const spaced = shape.spaced[token] ?? 0;
  shape.count = token;
  shape.add(open === CODE.openSquare ? KIND.LIST : KIND.OBJ, open, start, end, spaced);
  return end;
}

/** What each character changes in the depth of brackets. */
const NESTS = new Int8Array(0x10000);
for (const open of "([{") NESTS[open.charCodeAt(0)] = 1;
for (const close of ")]}") NESTS[close.charCodeAt(0)] = -1;

/** After the bracket that closes the group; a group that was cut off ends with the text. */
function groupEnd(text: string, from: number): number {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    open += NESTS[text.charCodeAt(at)] ?? 0;
    if (open === 0) return at + 1;
  }
  return text.length;
}
