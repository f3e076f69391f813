/**
 * What kind of value a word with digits, slashes or an at-sign is, by its characters alone. No pattern
 * is tried on a long text, and each character is looked at a fixed number of times.
 */
import { flagsOf, HASH_START, IS, isDigitAt, isHexAt, isNameAt, mixed } from "./characters.ts";
import { isHost } from "./hosts.ts";
import { KIND } from "./shape.ts";

const WORD_CHARS_MAX = 200;
const UUID_CHARS = 36;
const HEX_CHARS_MIN = 8;
/** A name has one or two numbers in it; what has more was drawn at random. */
const ID_RUNS_MIN = 3;
/** `17ms`, `80x25`, `3.6GHz`: a number with its unit. */
const UNIT_CHARS_MAX = 3;

/** What the last word was: read right after {@link classify}, so that no word costs an object. */
export const seen = { kind: 0, hash: 0, end: 0 };

/** Sets {@link seen}; `flags` are those of all its characters. May reach beyond `end` for a port. */
export function classify(text: string, start: number, end: number, flags: number): void {
  seen.end = end;
  seen.hash = 0;
  if (end - start > WORD_CHARS_MAX) return say(KIND.LONG);
  if ((flags & IS.DOT) !== 0) {
    const port = portEnd(text, end);
    if (isIp(text, start, end)) return sayUntil(KIND.IP, port);
    if (isHost(text, start, end, port !== end)) return sayUntil(KIND.HOST, port);
  }
  if ((flags & IS.DIGIT) !== 0) {
    if (isUuid(text, start, end)) return say(KIND.UUID);
    if (isDate(text, start, end)) return say(KIND.TIME);
  }
  if ((flags & (IS.SLASH | IS.BACKSLASH)) !== 0 && (flags & (IS.LETTER | IS.HEX)) !== 0) {
    if (isPath(text, start, end)) return say(KIND.PATH);
  }
  if ((flags & IS.SLASH) !== 0 && isNetwork(text, start, end)) {
    return sayUntil(KIND.IP, portEnd(text, end));
  }
  if ((flags & IS.AT) !== 0 && isAddress(text, start, end)) return say(KIND.EMAIL);
  readSegments(text, start, end);
}

function say(kind: number): void {
  seen.kind = kind;
}

function sayUntil(kind: number, end: number): void {
  seen.kind = kind;
  seen.end = end;
}

/** Where the `:8080` after a host ends; the same place when there is none. */
function portEnd(text: string, end: number): number {
  if (text.charCodeAt(end) !== 58 || !isDigitAt(text, end + 1)) return end;
  let at = end + 1;
  while (isDigitAt(text, at)) at += 1;
  const isPort =
    at - end <= 6 && !isNameAt(text, at) && !(text[at] === ":" && isDigitAt(text, at + 1));
  return isPort ? at : end;
}

/** Four numbers of at most three digits. */
function isIp(text: string, start: number, end: number): boolean {
  if (end - start < 7 || end - start > 15) return false;
  let dots = 0;
  let digits = 0;
  for (let at = start; at < end; at++) {
    if (isDigitAt(text, at)) {
      digits += 1;
      if (digits > 3) return false;
    } else if (text.charCodeAt(at) === 46 && digits > 0) {
      dots += 1;
      digits = 0;
    } else return false;
  }
  return dots === 3 && digits > 0;
}

/** `/10.0.0.7` as Java writes an address, `10.0.0.0/8`. */
function isNetwork(text: string, start: number, end: number): boolean {
  if (text.charCodeAt(start) === 47) return isIp(text, start + 1, end);
  const slash = text.lastIndexOf("/", end - 1);
  const bits = end - slash - 1;
  if (slash <= start || bits < 1 || bits > 2 || !isDigitAt(text, slash + 1)) return false;
  return isDigitAt(text, end - 1) && isIp(text, start, slash);
}

function isUuid(text: string, start: number, end: number): boolean {
  if (end - start !== UUID_CHARS) return false;
  for (let at = 0; at < UUID_CHARS; at++) {
    const isDash = at === 8 || at === 13 || at === 18 || at === 23;
    if (isDash ? text.charCodeAt(start + at) !== 45 : !isHexAt(text, start + at)) return false;
  }
  return true;
}

/** `2026-03-13`, `2026/3/13`, `13/03/2026`, `13/Mar/2026`; a time may follow. */
const DATE = /^(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])(?:\d{1,2}|[A-Z][a-z]{2})\2\d{4})$/;

function isDate(text: string, start: number, end: number): boolean {
  const length = end - start;
  if (length < 8 || length > 11 || !isDigitAt(text, start) || !isDigitAt(text, end - 1))
    return false;
  return DATE.test(text.slice(start, end));
}

/** `/etc/x`, `./x`, `a/b/c`, `C:\x`, `\Device\x`; one slash alone may stand between two words. */
function isPath(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start);
  if (first === 47) return end - start > 1 && !isIp(text, start + 1, end);
  const second = text.charCodeAt(start + 1);
  const third = text.charCodeAt(start + 2);
  if ((first === 46 || first === 126) && second === 47) return true;
  if (first === 46 && second === 46 && third === 47) return true;
  let slashes = 0;
  let backslashes = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === 47) slashes += 1;
    else if (code === 92) backslashes += 1;
  }
  return slashes > 1 || backslashes > 1;
}

/** `user@host`; what stands after the sign in `Pool@1a2b3c` is where an object lies in memory. */
function isAddress(text: string, start: number, end: number): boolean {
  const sign = text.indexOf("@", start);
  if (sign <= start || sign >= end - 1 || text.lastIndexOf("@", end - 1) !== sign) return false;
  if (!hasLetter(text, start, sign) || !hasLetter(text, sign + 1, end)) return false;
  return !isHexNumber(text, sign + 1, end);
}

function hasLetter(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if ((flagsOf(text.charCodeAt(at)) & (IS.LETTER | IS.HEX)) !== 0) return true;
  }
  return false;
}

function isHexNumber(text: string, start: number, end: number): boolean {
  let digits = 0;
  for (let at = start; at < end; at++) {
    if (!isHexAt(text, at) && !(at === start + 1 && (text.charCodeAt(at) | 32) === 120))
      return false;
    if (isDigitAt(text, at)) digits += 1;
  }
  return digits > 0;
}

/** Digits, dots between them and a sign in front are one number. Answers its end. */
export function numberEnd(text: string, start: number, end: number): number {
  let at = start;
  while (
    at < end &&
    (isDigitAt(text, at) || (text.charCodeAt(at) === 46 && isDigitAt(text, at + 1)))
  )
    at += 1;
  return at;
}

/** A sign belongs to a number when no name stands before it. */
export function isSign(text: string, at: number, start: number): boolean {
  const code = text.charCodeAt(at);
  if ((code !== 45 && code !== 43) || !isDigitAt(text, at + 1)) return false;
  return at === start || !isNameAt(text, at - 1);
}

/** The end of the run of letters and digits that begins at `start`. */
export function runEnd(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && isNameAt(text, at)) at += 1;
  return at;
}

/** What a run of letters and digits is: NUM, HEX, ID, MIXED, or WORD when it has no digit. */
export function runKind(text: string, start: number, end: number): number {
  let digits = 0;
  let hexadecimal = 0;
  let runs = 0;
  for (let at = start; at < end; at++) {
    if (isDigitAt(text, at)) {
      digits += 1;
      if (at === start || !isDigitAt(text, at - 1)) runs += 1;
    } else if (isHexAt(text, at)) hexadecimal += 1;
  }
  const length = end - start;
  if (digits === 0) return KIND.WORD;
  if (digits === length) return KIND.NUM;
  const isHexWord = digits + hexadecimal === length;
  if (isHexWord && (length >= HEX_CHARS_MIN || text.charCodeAt(start - 1) === 64)) return KIND.HEX;
  if (length > 2 && text.charCodeAt(start) === 48 && (text.charCodeAt(start + 1) | 32) === 120) {
    if (digits + hexadecimal === length - 1) return KIND.HEX;
  }
  return runs >= ID_RUNS_MIN ? KIND.ID : KIND.MIXED;
}

/** A word of several runs: letters stay, numbers are named. It is a value when few letters stay. */
function readSegments(text: string, start: number, end: number): void {
  let hash = HASH_START;
  let letters = 0;
  let values = 0;
  let only = 0;
  let at = start;
  while (at < end) {
    if (isSign(text, at, start)) at += 1;
    const runTo = runEnd(text, at, end);
    const kind = runTo === at ? KIND.MARK : runKind(text, at, runTo);
    if (kind === KIND.NUM || kind === KIND.HEX || kind === KIND.ID) {
      at = kind === KIND.NUM ? Math.max(runTo, numberEnd(text, at, end)) : runTo;
      hash = mixed(hash, 1 + kind);
      only = at - start === end - start || at === end ? kind : KIND.MIXED;
      values += 1;
      continue;
    }
    const stop = runTo === at ? at + 1 : runTo;
    for (; at < stop; at++) {
      if (isDigitAt(text, at)) {
        if (!isDigitAt(text, at - 1)) hash = mixed(hash, 1);
        values += 1;
      } else {
        if (kind !== KIND.MARK) letters += 1;
        hash = mixed(hash, text.charCodeAt(at));
      }
    }
  }
  seen.hash = hash;
  if (values === 0) seen.kind = KIND.WORD;
  else if (
    values === 1 &&
    letters === 0 &&
    only !== KIND.MIXED &&
    hash === mixed(HASH_START, 1 + only)
  ) {
    seen.kind = only;
    seen.hash = 0;
  } else {
    // `3.6GHz`, `80x25`, `2.36-9+deb12u7`: it begins as a number and is no more than half letters.
    const isMeasure =
      (letters <= UNIT_CHARS_MAX || 2 * letters <= end - start) &&
      (isDigitAt(text, start) || isSign(text, start, start));
    seen.kind = letters === 0 || isMeasure ? KIND.NUM : KIND.MIXED;
  }
}

/** The same word as it is written in a template: `HikariPool-<NUM>`, `<NUM>ms`. */
export function segmentsText(text: string, start: number, end: number): string {
  let out = "";
  let at = start;
  while (at < end) {
    if (isSign(text, at, start)) at += 1;
    const runTo = runEnd(text, at, end);
    const kind = runTo === at ? KIND.MARK : runKind(text, at, runTo);
    if (kind === KIND.NUM || kind === KIND.HEX || kind === KIND.ID) {
      at = kind === KIND.NUM ? Math.max(runTo, numberEnd(text, at, end)) : runTo;
      out += kind === KIND.NUM ? "<NUM>" : kind === KIND.HEX ? "<HEX>" : "<ID>";
      continue;
    }
    const stop = runTo === at ? at + 1 : runTo;
    for (; at < stop; at++) {
      if (!isDigitAt(text, at)) out += text[at];
      else if (!isDigitAt(text, at - 1)) out += "<NUM>";
    }
  }
  return out;
}
