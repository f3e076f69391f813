/** Words that hold colons: times, addresses, URLs, paths. Each is read once, by its characters. */
import { END_FLAGS, flagsOf, IS, isDigitAt, isHexAt, isNameAt } from "./characters.ts";
import { KIND } from "./shape.ts";

const CODE = {
  quote: 34,
  apostrophe: 39,
  close: 41,
  plus: 43,
  comma: 44,
  minus: 45,
  dot: 46,
  slash: 47,
  colon: 58,
  semicolon: 59,
  less: 60,
  equal: 61,
  greater: 62,
  backslash: 92,
  closeSquare: 93,
  t: 116,
  z: 122,
  openCurly: 123,
  closeCurly: 125,
} as const;

/** Groups of an address of version 6, and of anything written like one. */
const GROUPS_MAX = 8;
const BYTES_MAX = 32;

/** What {@link readColons} found. */
export const joined = { kind: 0, end: 0 };

/**
 * Reads `12:30:05.123`, `2026-03-13T12:30:05Z`, `1a:2b:3c`, `fe80::1`, `http://…` or `C:\…` from `start`
 * on, whose first colon stands at `colon`; false for anything else.
 */
export function readColons(text: string, start: number, colon: number): boolean {
  const next = text.charCodeAt(colon + 1);
  if (next === CODE.slash && text.charCodeAt(colon + 2) === CODE.slash) {
    return found(KIND.URL, urlEnd(text, colon + 3));
  }
  if ((next === CODE.backslash || next === CODE.slash) && colon === start + 1) {
    return found(KIND.PATH, urlEnd(text, colon + 1));
  }
  return found(KIND.TIME, timeEnd(text, start, colon)) || readGroups(text, start, colon);
}

function found(kind: number, end: number): boolean {
  joined.kind = kind;
  joined.end = end;
  return end !== 0;
}

/** To the next white space, quote, closing bracket or comma. */
function urlEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if ((flagsOf(code) & IS.SPACE) !== 0 || code === CODE.quote || code === CODE.apostrophe) break;
    if (code === CODE.less || code === CODE.greater || code === CODE.close) break;
    if (code === CODE.closeSquare || code === CODE.comma || code === CODE.semicolon) break;
    at += 1;
  }
  return beforeEndMarks(text, start, at);
}

/** A path may hold `=`, `&`, `:` and `{name}`; it ends before a mark that ends a word as well. */
export function pathEnd(text: string, end: number): number {
  let at = end;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    const joins = code === CODE.equal || code === CODE.colon || isCurly(code);
    if ((flagsOf(code) & END_FLAGS) !== 0 && !joins) break;
    at += 1;
  }
  return beforeEndMarks(text, end, at);
}

function isCurly(code: number): boolean {
  return code === CODE.openCurly || code === CODE.closeCurly;
}

function beforeEndMarks(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && (isEndMark(text.charCodeAt(at - 1)) || text[at - 1] === ":")) at -= 1;
  return at;
}

/** `.`, `!` and `?` end a sentence. */
export function isEndMark(code: number): boolean {
  return code === CODE.dot || code === 33 || code === 63;
}

/** Hours, minutes, perhaps seconds and their fraction, perhaps a zone; a date may stand before `T`. */
function timeEnd(text: string, start: number, colon: number): number {
  const hours = colon - start;
  if (!isDigitAt(text, start) || !isDigitAt(text, colon - 1) || hours < 1) return 0;
  const isDated = hours > 10 && (text.charCodeAt(colon - 3) | 32) === CODE.t;
  if (!isDated && hours > 2) return 0;
  let at = colon;
  let parts = 0;
  while (text.charCodeAt(at) === CODE.colon && isDigitAt(text, at + 1) && isDigitAt(text, at + 2)) {
    at += 3;
    parts += 1;
  }
  // Bytes go on with another colon.
  if (parts < 1 || parts > 2 || (text.charCodeAt(at) === CODE.colon && isHexAt(text, at + 1))) {
    return 0;
  }
  const code = text.charCodeAt(at);
  // Without seconds there is no fraction: `1:14.0` is a version.
  if (parts === 1 && code === CODE.dot && isDigitAt(text, at + 1)) return 0;
  if ((code === CODE.dot || code === CODE.comma) && isDigitAt(text, at + 1) && parts === 2) {
    at += 1;
    while (isDigitAt(text, at)) at += 1;
  }
  at = zoneEnd(text, at, isDated);
  return isNameAt(text, at) ? 0 : at;
}

function zoneEnd(text: string, start: number, isDated: boolean): number {
  const code = text.charCodeAt(start);
  if ((code | 32) === CODE.z) return start + 1;
  const isOffset = (code === CODE.plus || code === CODE.minus) && isDigitAt(text, start + 1);
  if (!isOffset || !isDated) return start;
  let at = start + 1;
  while (isDigitAt(text, at) || text.charCodeAt(at) === CODE.colon) at += 1;
  return at;
}

/**
 * At least three groups of one to four hexadecimal digits, one of them a decimal digit: addresses of
 * hardware and of version 6, in which `::` stands for groups of zeros.
 */
function readGroups(text: string, start: number, colon: number): boolean {
  if (colon - start > 4) return false;
  let at = start;
  let groups = 0;
  let digits = 0;
  let isShort = false;
  for (;;) {
    const from = at;
    while (isHexAt(text, at) && at - from < 5) {
      if (isDigitAt(text, at)) digits += 1;
      at += 1;
    }
    if (at === from || at - from > 4 || groups >= BYTES_MAX) return false;
    groups += 1;
    if (text.charCodeAt(at) !== CODE.colon) break;
    const skips = text.charCodeAt(at + 1) === CODE.colon && isHexAt(text, at + 2);
    if (skips && groups < GROUPS_MAX) {
      groups += 2;
      isShort = true;
    } else if (!isHexAt(text, at + 1)) break;
    at += skips ? 2 : 1;
  }
  if (text.charCodeAt(at) === CODE.dot && isDigitAt(text, at + 1)) at += 2;
  if (groups < 3 || digits === 0 || isNameAt(text, at)) return false;
  return found(isShort ? KIND.IP : KIND.HEX, at);
}
