/**
 * One pass over a message that fills its {@link Shape}. Lists, printed objects and quoted texts come to
 * one token however long they are. It visits each character a fixed number of times, whatever the text,
 * and makes no object and no string.
 */
import {
  END_FLAGS,
  flagsOf,
  HASH_START,
  IS,
  isDigitAt,
  isNameAt,
  mixed,
  VALUE_FLAGS,
} from "./characters.ts";
import { isEndMark, joined, pathEnd, readColons } from "./colons.ts";
import { isHost } from "./hosts.ts";
import { resetMarks, scanMark } from "./marks.ts";
import { KIND, LEADER, type Shape, TOKENS_MAX } from "./shape.ts";
import { classify, seen } from "./words.ts";

/** What comes later is not part of the template. */
const MESSAGE_CHARS_MAX = 8_192;
const WORD_CHARS_MAX = 200;
/** Digits before the first comma of `1,234,567`. */
const GROUPED_CHARS_MAX = 3;

const CODE = { comma: 44, dot: 46, colon: 58, less: 60, greater: 62 } as const;

/** Fills `shape` with the message. */
export function scan(message: string, shape: Shape): void {
  const text = message.length > MESSAGE_CHARS_MAX ? message.slice(0, MESSAGE_CHARS_MAX) : message;
  shape.text = text;
  shape.count = 0;
  resetMarks();
  let at = 0;
  let spaced = 1;
  while (at < text.length && shape.count < TOKENS_MAX) {
    const code = text.charCodeAt(at);
    const flags = flagsOf(code);
    if ((flags & IS.SPACE) !== 0) {
      at += 1;
      spaced = 1;
      continue;
    }
    if ((flags & IS.BREAK) === 0) at = scanWord(text, at, spaced, shape);
    // `<1 ms`: less than it is part of the number.
    else if (spaced === 1 && isCompared(text, at, code)) at = scanWord(text, at + 1, 1, shape);
    else at = scanMark(text, at, spaced, shape);
    spaced = 0;
  }
}

function isCompared(text: string, start: number, code: number): boolean {
  if (code !== CODE.less && code !== CODE.greater) return false;
  let at = start + 1;
  while (isDigitAt(text, at) || text.charCodeAt(at) === CODE.dot) at += 1;
  if (at === start + 1) return false;
  return at >= text.length || (flagsOf(text.charCodeAt(at)) & (IS.SPACE | IS.LETTER)) !== 0;
}

/** A word and the marks that end it; answers where the scan goes on. */
function scanWord(text: string, start: number, spaced: number, shape: Shape): number {
  let flags = 0;
  let hash = HASH_START;
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    const is = flagsOf(code);
    if ((is & END_FLAGS) !== 0) break;
    if (code === CODE.dot && isLeader(text, at)) {
      if (at === start) return scanLeader(text, start, spaced, shape);
      break;
    }
    flags |= is;
    hash = mixed(hash, code);
    at += 1;
  }
  if (text.charCodeAt(at) === CODE.colon && readColons(text, start, at)) {
    shape.add(joined.kind, 0, start, joined.end, spaced);
    return joined.end;
  }
  if (!isEndMark(text.charCodeAt(at - 1)))
    return addWord(text, start, at, flags, hash, spaced, shape);
  return scanEnded(text, start, at, flags, spaced, shape);
}

/** A word with `.`, `!` or `?` at its end, or nothing but these. */
function scanEnded(
  text: string,
  start: number,
  stop: number,
  flags: number,
  spaced: number,
  shape: Shape,
): number {
  let end = stop;
  while (end > start && isEndMark(text.charCodeAt(end - 1))) end -= 1;
  let hash = HASH_START;
  for (let at = start; at < end; at++) hash = mixed(hash, text.charCodeAt(at));
  if (end > start) {
    const last = addWord(text, start, end, flags, hash, spaced, shape);
    if (last > end) return last;
  }
  const mark = text.charCodeAt(end) + 256 * Math.min(4, stop - end);
  shape.add(KIND.MARK, mark, end, stop, end > start ? 0 : spaced);
  return stop;
}

function addWord(
  text: string,
  start: number,
  end: number,
  flags: number,
  hash: number,
  spaced: number,
  shape: Shape,
): number {
  const isPlain = (flags & VALUE_FLAGS) === 0 && end - start <= WORD_CHARS_MAX;
  if (isPlain && ((flags & IS.DOT) === 0 || !isPlainHost(text, start, end))) {
    shape.add(KIND.WORD, hash, start, end, spaced);
    return end;
  }
  classify(text, start, end, flags);
  const { kind } = seen;
  if (kind === KIND.PATH) seen.end = pathEnd(text, end);
  else if (kind === KIND.NUM) seen.end = groupedEnd(text, start, end);
  shape.add(kind, kind === KIND.WORD ? hash : seen.hash, start, seen.end, spaced);
  return seen.end;
}

/** Three dots or more lead from a name to its value: `enable.......0`. */
function isLeader(text: string, at: number): boolean {
  return text.charCodeAt(at + 1) === CODE.dot && text.charCodeAt(at + 2) === CODE.dot;
}

function scanLeader(text: string, start: number, spaced: number, shape: Shape): number {
  let at = start;
  while (text.charCodeAt(at) === CODE.dot) at += 1;
  shape.add(KIND.MARK, LEADER, start, at, spaced);
  return at;
}

function isPlainHost(text: string, start: number, end: number): boolean {
  const hasPort = text.charCodeAt(end) === CODE.colon && isDigitAt(text, end + 1);
  return isHost(text, start, end, hasPort);
}

/** `1,234,567` is one number. */
function groupedEnd(text: string, start: number, end: number): number {
  let at = end;
  if (end - start > GROUPED_CHARS_MAX) return end;
  while (text.charCodeAt(at) === CODE.comma) {
    const isGroup = isDigitAt(text, at + 1) && isDigitAt(text, at + 2) && isDigitAt(text, at + 3);
    if (!isGroup || isNameAt(text, at + 4)) return at;
    at += 4;
  }
  return at;
}
