/**
 * Log messages with their variable parts named. One generic set of rules for all services, by shape
 * alone: the same message gives the same mask in every run. One pass from left to right.
 *
 * Beyond words (tokens.ts) it names quoted text `<STR>`, values after `=` `<*>`, lists `[<LIST>]`, and
 * the printed form of objects `Route(<OBJ>)`, so lists of any length come to one mask.
 */
import { maskWord } from "./tokens.ts";

/** What comes later is not part of the template. */
const MESSAGE_CHARS_MAX = 8_192;
const MASK_CHARS_MAX = 500;
const WORD_CHARS_MAX = 200;
const CLOSER: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const GROUP_NAME: Readonly<Record<string, string>> = { "(": "<OBJ>", "[": "<LIST>", "{": "<OBJ>" };

/** Characters that end a word. */
const BREAKS = new Uint8Array(128);
for (const character of " \t\r\n,;()[]{}<>\"'=|") BREAKS[character.charCodeAt(0)] = 1;

/** The mask of a message, at most 500 characters. */
export function maskMessage(message: string): string {
  const text = message.length > MESSAGE_CHARS_MAX ? message.slice(0, MESSAGE_CHARS_MAX) : message;
  indexGroups(text);
  let mask = "";
  let at = 0;
  while (at < text.length && mask.length < MASK_CHARS_MAX) {
    const code = text.charCodeAt(at);
    if (code < 128 && BREAKS[code] === 1) {
      const group = groupAt(text, at, mask);
      mask += group?.mask ?? text[at];
      at = group?.end ?? at + 1;
      continue;
    }
    const end = wordEnd(text, at);
    mask += maskPart(text.slice(at, end), mask);
    at = end;
  }
  return collapse(mask).slice(0, MASK_CHARS_MAX);
}

const ENDS_PLAIN = /[^:.!?]$/;

/** A word with its punctuation; a value after `=` varies whatever it is. */
function maskPart(word: string, before: string): string {
  if (word.length > WORD_CHARS_MAX) return "<LONG>";
  const trailing = ENDS_PLAIN.test(word) ? "" : (/[:.!?]+$/.exec(word.slice(-3))?.[0] ?? "");
  const bare = word.slice(0, word.length - trailing.length);
  if (bare === "") return word;
  if (before.endsWith(" user ") || before.endsWith(" user: ")) return `<*>${trailing}`;
  if (before.endsWith("=") && !before.endsWith("==")) return `<*>${trailing}`;
  return (needsMask(bare) ? maskColons(bare) : bare) + trailing;
}

/** `code:17` is a name and its value; times and addresses are one word. */
function maskColons(word: string): string {
  const colon = word.search(/[:：]/);
  if (colon <= 0 || word.startsWith("://", colon) || /^[\d/]/.test(word)) return maskWord(word);
  return maskWord(word.slice(0, colon)) + word[colon] + maskPart(word.slice(colon + 1), "");
}

function needsMask(word: string): boolean {
  for (let at = 0; at < word.length; at++) {
    const code = word.charCodeAt(at);
    if ((code >= 48 && code <= 57) || code === 64 || code === 47 || code === 46 || code === 92)
      return true;
  }
  return false;
}

function wordEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code < 128 && BREAKS[code] === 1) break;
    at += 1;
  }
  return at;
}

interface Group {
  readonly mask: string;
  readonly end: number;
}

/** Quoted text, a list or an object that begins here; `undefined` when it is plain punctuation. */
function groupAt(text: string, at: number, before: string): Group | undefined {
  const open = text[at] ?? "";
  if (open === '"' || open === "'") return quotedAt(text, at, open);
  if (CLOSER[open] === undefined) return undefined;
  const marks = groupMarks[at] ?? 0;
  const commas = (marks & COMMAS) !== 0;
  const pairs = (marks & PAIRS) !== 0;
  const valued = /[=:] ?$/.test(before.slice(-2));
  const isObject = open !== "[" && (pairs || (open === "{" && commas));
  const isList = open === "[" && (commas || valued);
  if (!isObject && !isList) return undefined;
  return { mask: `${open}${GROUP_NAME[open]}${CLOSER[open]}`, end: groupEnds[at] ?? text.length };
}

/** The method of a quoted request line tells what is done; the rest of it varies. */
const HTTP_VERB = /^(?:GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS) (?=\/)/;

function quotedAt(text: string, at: number, quote: string): Group | undefined {
  const previous = text.charCodeAt(at - 1);
  // An apostrophe inside a word opens nothing.
  if (quote === "'" && at > 0 && (BREAKS[previous] !== 1 || previous > 127)) return undefined;
  const close = text.indexOf(quote, at + 1);
  if (close === -1 || close - at > 500) return undefined;
  const verb = HTTP_VERB.exec(text.slice(at + 1, at + 10))?.[0] ?? "";
  return { mask: `${quote}${verb}<STR>${quote}`, end: close + 1 };
}

/** For the bracket at each place: where its group ends, and what stands at its first level. */
const groupEnds = new Uint16Array(MESSAGE_CHARS_MAX);
const groupMarks = new Uint8Array(MESSAGE_CHARS_MAX);
const openAt = new Uint16Array(MESSAGE_CHARS_MAX);
const COMMAS = 1;
const PAIRS = 2;

/** Finds all groups in one pass, however deep they are nested; one cut off ends with the text. */
function indexGroups(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 40 || code === 91 || code === 123) {
      openAt[depth++] = at;
      groupEnds[at] = text.length;
      groupMarks[at] = 0;
    } else if (depth > 0) {
      const open = openAt[depth - 1] ?? 0;
      if (code === 44) groupMarks[open] = (groupMarks[open] ?? 0) | COMMAS;
      else if (code === 61 || code === 58) groupMarks[open] = (groupMarks[open] ?? 0) | PAIRS;
      else if (code === 41 || code === 93 || code === 125) {
        groupEnds[open] = at + 1;
        depth -= 1;
      }
    }
  }
}

const DATE =
  /\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}<NUM> <TIME>(?: [A-Z]{3,4})? <NUM>/g;

/**
 * A date of several words becomes `<TIME>`. Runs of one value, such as `<NUM>, <NUM>, <NUM>`, become
 * one: their length is a value too. A host in brackets may be missing from them.
 */
function collapse(mask: string): string {
  const dated = mask.includes("<TIME>") ? mask.replace(DATE, "<TIME>") : mask;
  const hosted = dated.replace(/ \((?:<HOST>|<IP>)?\)/g, " (<*>)");
  return hosted.replace(/(<[A-Z*]{1,5}>)(?:(?:, ?| )\1)+/g, "$1");
}
